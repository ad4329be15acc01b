// Package examples_test runs the three example services as programs, as the platform would: environment in, JSON lines out, SIGTERM at the end.
package examples_test

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestThePlatformsStory(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED in short mode: builds and runs the three services as programs")
	}
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", folder+"/", "./payment", "./order", "./notification")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	payment, notification, order := port(t), port(t), port(t)
	programs := []*program{
		start(t, folder, "payment", payment),
		start(t, folder, "notification", notification),
		start(t, folder, "order", order, "PAYMENT_URL=http://127.0.0.1:"+payment, "NOTIFICATION_URL=http://127.0.0.1:"+notification),
	}
	for _, p := range programs {
		p.healthy(t)
	}

	url := "http://127.0.0.1:" + order + "/order/orders"
	answer, err := http.Post(url, "application/json", strings.NewReader(`{"customer":"ada","items":[{"sku":"book","quantity":1,"price":1999}]}`))
	if err != nil {
		t.Fatal(err)
	}
	made := decode(t, answer, http.StatusCreated)
	read := func(url string) map[string]any {
		answer, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		return decode(t, answer, http.StatusOK)
	}
	shown := read(url + "/" + made["id"].(string))
	if shown["paid"] != true || shown["notified"] != true {
		t.Errorf("order %v", shown)
	}
	if p := read("http://127.0.0.1:" + payment + "/payment/payments/" + shown["payment"].(string)); p["status"] != "captured" || p["order"] != made["id"] {
		t.Errorf("payment %v", p)
	}
	if n := read("http://127.0.0.1:" + notification + "/notification/notifications/" + shown["notification"].(string)); n["status"] != "sent" {
		t.Errorf("notification %v", n)
	}

	request := answer.Header.Get("X-Request-Id")
	for _, p := range programs {
		p.stop(t)
		if !strings.Contains(p.out.String(), request) {
			t.Errorf("%s did not log request %s", p.name, request)
		}
		for line := range strings.Lines(p.out.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s wrote a line that is no JSON: %s", p.name, line)
			}
		}
	}
}

// program is a service that runs.
type program struct {
	name, binary string
	cmd          *exec.Cmd
	out          bytes.Buffer
}

func start(t *testing.T, folder, name, port string, env ...string) *program {
	t.Helper()
	p := &program{name: name, binary: filepath.Join(folder, name)}
	p.cmd = exec.CommandContext(t.Context(), p.binary)
	p.cmd.Env = append([]string{"PORT=" + port, "SERVICE_NAME=" + name}, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, os.Stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// healthy waits until the program's own health check, run as a container's would be, succeeds.
func (p *program) healthy(t *testing.T) {
	t.Helper()
	limit, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		check := exec.CommandContext(t.Context(), p.binary, "healthcheck")
		check.Env = p.cmd.Env
		if check.Run() == nil {
			return
		}
		select {
		case <-limit:
			t.Fatalf("%s is not healthy: %s", p.name, p.out.String())
		case <-tick.C:
		}
	}
}

func (p *program) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%s after SIGTERM: %v, want exit code 0", p.name, err)
	}
	if !strings.Contains(p.out.String(), `"msg":"drained"`) {
		t.Errorf("%s did not drain: %s", p.name, p.out.String())
	}
}

// port finds a free one.
func port(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func decode(t *testing.T, answer *http.Response, status int) map[string]any {
	t.Helper()
	defer answer.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != status {
		t.Fatalf("%s: %d %v", answer.Request.URL, answer.StatusCode, out)
	}
	return out
}
