package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/tests/rig"
)

// A port of a task is had on this machine, by any number of connections at once, also
// one that no security group lets anybody reach; a port where nothing listens is told.
func TestPortForward(t *testing.T) {
	w := platform(t)
	at, _ := w.portForward("payment", "8080")
	answers := make(chan string, 20)
	for range cap(answers) {
		go func() {
			resp, err := (&http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}).Get("http://" + at + "/health")
			if err != nil {
				answers <- err.Error()
				return
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				b = []byte(err.Error())
			}
			answers <- string(b)
		}()
	}
	for range cap(answers) {
		says(t, <-answers, `"service":"payment"`)
	}
	// The sidecar's administration listens for the task itself alone.
	at, _ = w.portForward("payment", "9901")
	resp, err := (&http.Client{Timeout: 20 * time.Second}).Get("http://" + at + "/server_info")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(b), "LIVE") {
		t.Errorf("%s %v", b, err)
	}
	at, said := w.portForward("payment", "4")
	c, err := net.DialTimeout("tcp", at, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if b, err := io.ReadAll(c); err != nil && !strings.Contains(err.Error(), "reset") || len(b) > 0 {
		t.Errorf("a port where nothing listens: %q %v", b, err)
	}
	w.eventually(10*time.Second, "the refusal is told", func() (bool, error) { return strings.Contains(said(), "Nothing answers at port 4"), nil })
}

// portForward starts slipway port-forward and returns the address it listens at, and what
// it has said of errors.
func (w world) portForward(service, port string) (address string, said func() string) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	cmd, err := w.Command(ctx, "port-forward", "--json", service, "0:"+port)
	if err != nil {
		w.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.Fatal(err)
	}
	errs := &terminal{}
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // killed by us
	})
	var line struct{ Address string }
	if err := json.NewDecoder(out).Decode(&line); err != nil {
		w.Fatalf("port-forward: %v\n%s", err, bytes.TrimSpace([]byte(errs.text())))
	}
	return line.Address, errs.text
}
