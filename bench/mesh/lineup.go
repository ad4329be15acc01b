package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// Where who listens. The backend is where payment's sidecar looks for its
// application.
const (
	backendAddr    = "127.0.0.1:8080"
	orderAdmin     = "127.0.0.1:9901"
	paymentAdmin   = "127.0.0.1:9902"
	nginxAddr      = "127.0.0.1:19201"
	nginxInner     = "127.0.0.1:19202"
	haproxyAddr    = "127.0.0.1:19301"
	haproxyInner   = "127.0.0.1:19302"
	haproxyH1Addr  = "127.0.0.1:19401"
	haproxyH1Inner = "127.0.0.1:19402"
)

// paymentHost is the virtual service that clients ask for.
const paymentHost = "payment.dev.local"

// contender is two proxies in a row, with mutual TLS between them.
type contender struct {
	name      string
	addr      string // of the first one
	processes []*process
	rounds    []round
}

// compete starts the backend and all contenders, once.
func (w *world) compete() ([]*contender, error) {
	if w.lineup != nil {
		return w.lineup, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	server, err := w.start(nil, self, "backend", backendAddr)
	if err != nil {
		return nil, err
	}
	direct := &contender{name: "backend", addr: backendAddr, processes: []*process{server}}
	all := []*contender{direct}
	for _, make := range []func() (*contender, error){w.slipway, w.nginx, w.haproxy, w.haproxyHTTP1} {
		c, err := make()
		if err != nil {
			return nil, err
		}
		if c != nil {
			all = append(all, c)
		}
	}
	for _, c := range all {
		if err := w.answers(c.addr); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	w.lineup = all
	return all, nil
}

// answers asks once, and wants the backend's answer.
func (w *world) answers(addr string) error {
	if err := listening(addr); err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodGet, "http://"+addr+"/", nil)
	if err != nil {
		return err
	}
	req.Host = paymentHost
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK || len(body) != answerSize {
		return fmt.Errorf("answered %s with %d bytes (%w), want 200 with %d", r.Status, len(body), err, answerSize)
	}
	return nil
}

// slipway are two sidecars, as tasks have them.
func (w *world) slipway() (*contender, error) {
	c := &contender{name: "slipway", addr: net.JoinHostPort(paymentService.String(), strconv.Itoa(servicePort))}
	for node, admin := range map[string]string{"order": orderAdmin, "payment": paymentAdmin} {
		p, err := w.sidecar(node, admin, planeAddr)
		if err != nil {
			return nil, err
		}
		c.processes = append(c.processes, p)
		if err := ready(admin); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// sidecar starts a node's.
func (w *world) sidecar(node, admin, plane string) (*process, error) {
	_, port, _ := net.SplitHostPort(admin)
	return w.start([]string{
		"APPMESH_RESOURCE_ARN=" + scope.ARN("appmesh", "mesh/shop/virtualNode/"+node), "APPMESH_XDS_ENDPOINT=" + plane,
		"ENVOY_ADMIN_ACCESS_PORT=" + port, "ENVOY_LOG_LEVEL=warning",
	}, w.proxy)
}

// nginx is two of them, HTTP/1.1 between.
func (w *world) nginx() (*contender, error) {
	program := w.program("nginx")
	if program == "" {
		return nil, nil
	}
	c := &contender{name: "nginx", addr: nginxAddr}
	for name, server := range map[string]string{
		"outer": fmt.Sprintf(nginxOuter, nginxInner, nginxAddr, paymentHost, w.files.order, w.files.orderKey, w.files.trust),
		"inner": fmt.Sprintf(nginxInnerText, backendAddr, nginxInner, w.files.payment, w.files.paymentKey, w.files.trust),
	} {
		path := filepath.Join(w.dir, "nginx-"+name)
		text := fmt.Sprintf(nginxText, path+".pid", path+".log", server)
		if err := os.WriteFile(path+".conf", []byte(text), 0o600); err != nil {
			return nil, err
		}
		p, err := w.start(nil, program, "-c", path+".conf", "-e", path+".log", "-p", w.dir)
		if err != nil {
			return nil, err
		}
		c.processes = append(c.processes, p)
	}
	return c, listening(nginxInner)
}

func (w *world) haproxy() (*contender, error) {
	return w.haproxies("haproxy h2", "h2", haproxyAddr, haproxyInner)
}

func (w *world) haproxyHTTP1() (*contender, error) {
	return w.haproxies("haproxy h1", "http/1.1", haproxyH1Addr, haproxyH1Inner)
}

// haproxies is two of them, with a protocol of TLS's choosing between.
func (w *world) haproxies(name, next, outer, inner string) (*contender, error) {
	program := w.program("haproxy")
	if program == "" {
		return nil, nil
	}
	c := &contender{name: name, addr: outer}
	for part, text := range map[string]string{
		"outer": fmt.Sprintf(haproxyOuter, outer, inner, w.files.trust, w.files.orderBoth, paymentHost, paymentHost, next),
		"inner": fmt.Sprintf(haproxyInnerText, inner, w.files.paymentBoth, w.files.trust, next, backendAddr),
	} {
		path := filepath.Join(w.dir, "haproxy-"+part+"-"+strconv.Itoa(len(next))+".cfg")
		if err := os.WriteFile(path, []byte(haproxyText+text), 0o600); err != nil {
			return nil, err
		}
		p, err := w.start(nil, program, "-db", "-q", "-f", path)
		if err != nil {
			return nil, err
		}
		c.processes = append(c.processes, p)
	}
	return c, listening(inner)
}

// program is where one is; one that is missing is named and left out.
func (w *world) program(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		fmt.Printf("  %s is not installed (make deps-test installs it): left out\n", name)
	}
	return path
}
