package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/node/sandbox"
)

// answerTime bounds the wait for the engine's own pages.
const answerTime = 5 * time.Second

// engineHealth is what the engine says of itself at /_slipway/health.
type engineHealth struct {
	Status   string `json:"status"`
	Version  string `json:"version"`
	Runtime  string `json:"runtime"`
	Rootless bool   `json:"rootless"`
	Limits   bool   `json:"limits"`
	AnyAuth  bool   `json:"anyAuth"`
}

// checkEngine asks the engine, if it runs.
func (a *app) checkEngine(ctx context.Context) ([]finding, *engineHealth) {
	st, err := sandbox.StatusOf(a.home)
	if err != nil {
		return []finding{bad("engine", true, "", "%v", err)}, nil
	}
	if !st.Running {
		return []finding{{Name: "engine", State: "note", Detail: "does not run on " + a.home, Fix: "slipway up"}}, nil
	}
	var h engineHealth
	if err := a.ask(ctx, "/_slipway/health", &h); err != nil {
		return []finding{bad("engine", true, "slipway engine restart; its log is "+filepath.Join(a.home, "engine.log"), "process %d runs, but does not answer: %v", st.Pid, err)}, nil
	}
	out := []finding{good("engine", "%s, %s containers, up %s, %d restarts", h.Version, h.Runtime, time.Since(st.Since).Round(time.Second), st.Restarts)}
	if h.Version != Version {
		out = append(out, bad("version", false, "slipway engine restart", "the engine is %s, this command is %s", h.Version, Version))
	}
	if st.LastEnd != "" && st.Restarts > 0 {
		out = append(out, finding{Name: "restarts", State: "note", Detail: "the last engine process ended: " + firstLine(st.LastEnd)})
	}
	return out, &h
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// ask reads one of the engine's own pages.
func (a *app) ask(ctx context.Context, path string, v any) error {
	c, err := a.access()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Endpoint+path, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: a.transport}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(v)
}

// checkPorts looks whether the API and the load balancer can have theirs.
func (a *app) checkPorts(ctx context.Context, running bool) []finding {
	var set settings
	if b, err := os.ReadFile(filepath.Join(a.home, "settings.json")); err == nil {
		if json.Unmarshal(b, &set) != nil {
			return []finding{bad("settings", true, "rm "+filepath.Join(a.home, "settings.json"), "settings.json is not what the engine wrote")}
		}
	}
	set.defaults(os.Geteuid() == 0)
	var out []finding
	if running {
		out = append(out, good("port "+portOf(set.API), "the API listens on %s", set.API))
	} else {
		out = append(out, portFinding(ctx, set.API, "the API", "slipway engine start --api 127.0.0.1:4567"))
	}
	m, err := a.manifest()
	if err != nil {
		return out // no platform here: no port of one
	}
	ports := []int{m.LoadBalancer.Port}
	if m.LoadBalancer.HTTPS.Certificate != "" {
		ports = append(ports, m.LoadBalancer.HTTPS.Port)
	}
	ours := a.listeners(ctx, running)
	for _, port := range ports {
		host := set.hostPort(port)
		addr := net.JoinHostPort(set.HostAddress, strconv.Itoa(host))
		if slices.Contains(ours, port) {
			out = append(out, good(fmt.Sprintf("port %d", host), "the load balancer listens on %s", addr))
			continue
		}
		out = append(out, portFinding(ctx, addr, "the load balancer", "stop what listens there (ss -ltnp), or move the port: slipway engine stop; slipway engine start --port-offset 9000"))
	}
	return out
}

// listeners are the ports that load balancers of the engine listen on.
func (a *app) listeners(ctx context.Context, running bool) (ports []int) {
	c, err := a.client()
	if err != nil || !running {
		return nil
	}
	lbs, err := call[elbv2api.DescribeLoadBalancersInput, elbv2api.DescribeLoadBalancersOutput](ctx, c, "elbv2", "DescribeLoadBalancers", &elbv2api.DescribeLoadBalancersInput{})
	if err != nil {
		return nil
	}
	for _, lb := range lbs.LoadBalancers {
		got, err := call[elbv2api.DescribeListenersInput, elbv2api.DescribeListenersOutput](ctx, c, "elbv2", "DescribeListeners",
			&elbv2api.DescribeListenersInput{LoadBalancerArn: lb.LoadBalancerArn})
		if err != nil {
			continue
		}
		for _, l := range got.Listeners {
			ports = append(ports, int(val(l.Port)))
		}
	}
	return ports
}

// portFinding tries to listen where the engine would.
func portFinding(ctx context.Context, addr, who, fix string) finding {
	name := "port " + portOf(addr)
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	switch {
	case err == nil:
		_ = l.Close() // nobody has connected
		return good(name, "%s is free for %s", addr, who)
	case errors.Is(err, syscall.EADDRINUSE):
		return bad(name, true, fix, "%s, where %s is to listen, is taken", addr, who)
	case errors.Is(err, syscall.EACCES):
		return bad(name, true, "slipway engine start --port-offset 8000", "%s may not be opened by this user", addr)
	}
	return bad(name, true, fix, "%s: %v", addr, err)
}

func portOf(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return port
}

// coverage lists the operations of each service.
func (a *app) coverage(ctx context.Context, verbose bool) error {
	var list []struct {
		Service, Operation string
		Implemented        bool
	}
	if err := a.ask(ctx, "/_slipway/coverage", &list); err != nil {
		if coded, ok := errors.AsType[*codedError](err); ok {
			return coded
		}
		return &codedError{exitNoEngine, fmt.Errorf("the engine does not answer (%w); start it with: slipway engine start", err)}
	}
	type operation struct {
		Name        string `json:"name"`
		Implemented bool   `json:"implemented"`
	}
	type service struct {
		Service     string      `json:"service"`
		Implemented int         `json:"implemented"`
		Total       int         `json:"total"`
		Operations  []operation `json:"operations"`
	}
	var services []*service
	for _, o := range list { // in the order of services
		if len(services) == 0 || services[len(services)-1].Service != o.Service {
			services = append(services, &service{Service: o.Service})
		}
		s := services[len(services)-1]
		s.Total++
		if o.Implemented {
			s.Implemented++
		}
		s.Operations = append(s.Operations, operation{o.Operation, o.Implemented})
	}
	if a.json {
		return a.print(map[string]any{"services": services})
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	done, total := 0, 0
	for _, s := range services {
		fmt.Fprintf(w, "%s\t%d/%d\n", s.Service, s.Implemented, s.Total)
		done, total = done+s.Implemented, total+s.Total
		if verbose {
			for _, o := range s.Operations {
				mark := "-"
				if o.Implemented {
					mark = "✓"
				}
				fmt.Fprintf(w, "  %s %s\t\n", mark, o.Name)
			}
		}
	}
	fmt.Fprintf(w, "total\t%d/%d\n", done, total)
	return w.Flush()
}
