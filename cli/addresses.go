package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/slipway-dev/slipway/manifest"
)

// answerWithin bounds the wait for the addresses to answer: the stack is
// complete, so they should at once.
const answerWithin = 15 * time.Second

// address is one public service.
type address struct {
	Service string `json:"service"`
	URL     string `json:"url"`
	Status  int    `json:"status"` // of a GET of the health path; 0 when nothing answered
}

// addresses asks every public service for its health, prints where they are,
// and fails if one does not answer.
func (a *app) addresses(ctx context.Context, m *manifest.Manifest, outputs map[string]string) error {
	set, err := a.readSettings()
	if err != nil {
		return err
	}
	set.defaults(true)
	var list []address
	silent := ""
	for _, s := range m.Services {
		if !s.Public() || outputs["LoadBalancerDns"] == "" {
			continue
		}
		base := "http://" + outputs["LoadBalancerDns"] + prefix(&s)
		at := address{Service: s.Name, URL: base}
		at.Status = answers(ctx, set.HostAddress, base+s.Health.Path)
		if at.Status == 0 || at.Status >= 500 {
			silent = s.Name
		}
		list = append(list, at)
	}
	if a.json {
		if err := a.print(map[string]any{"stack": m.StackName(), "outputs": outputs, "addresses": list}); err != nil {
			return err
		}
	} else {
		w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		for _, at := range list {
			state := a.green("answers")
			if at.Status == 0 || at.Status >= 500 {
				state = a.red("silent")
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\n", a.bold(at.Service), at.URL, state)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if silent != "" {
		return fmt.Errorf("%s does not answer; see: slipway status, slipway logs %s", silent, silent)
	}
	return nil
}

// prefix is the part of the path that leads to a service: its first pattern
// without the wildcard.
func prefix(s *manifest.Service) string {
	if len(s.Paths) == 0 {
		return "/" + s.Name
	}
	p := strings.TrimRight(s.Paths[0], "*")
	return strings.TrimRight(p, "/")
}

// answers is the status of a GET. Names below localhost are this machine,
// whatever its resolver says (RFC 6761): the address that load balancers
// listen on.
func answers(ctx context.Context, machine, url string) int {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	dialer := &net.Dialer{}
	c := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if host, port, err := net.SplitHostPort(addr); err == nil && strings.HasSuffix(host, ".localhost") {
				addr = net.JoinHostPort(machine, port)
			}
			return dialer.DialContext(ctx, network, addr)
		},
	}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return 0
		}
		resp, err := c.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode < 500 {
				return resp.StatusCode
			}
		}
		if wait(ctx, pollEvery) != nil {
			return 0
		}
	}
}
