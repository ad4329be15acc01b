package peer

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/examples/internal/server"
)

const (
	// ReplicaHeader marks a question from another replica: it is answered from memory alone, so questions never travel in circles.
	ReplicaHeader = server.ReplicaHeader
	// AnswererHeader says which replica has answered such a question.
	AnswererHeader = "X-Replica"
	// FingerprintHeader carries, between replicas, the fingerprint of the input a record was made from.
	FingerprintHeader = "X-Fingerprint"

	maxReplicas = 10
	askTimeout  = 2 * time.Second
)

// Replicas are the other tasks of the same service, found by its private name.
type Replicas struct {
	Host    string // private name of the service; empty: there are no replicas
	Port    string
	Name    string // URL of the service's own name in a mesh, where tasks cannot be called by their addresses; empty: there is no mesh
	ID      string // of this replica, in a mesh
	Client  *http.Client
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error) // default: DNS
	Self    func() []netip.Addr                                          // addresses that are this task's own; default: those of its interfaces
}

// Answer is what the replicas say of a record.
type Answer struct {
	Body        json.RawMessage // the record; nil when none has it
	Fingerprint string
	Busy        bool // one of them is making it
	Missing     bool // one of them has not answered: it may have the record
	replica     string
}

// Ask puts a read of path to every other replica at once and takes the first that has the record. It gives up after two seconds, and
// says when somebody has not answered.
func (p *Replicas) Ask(ctx context.Context, path string) Answer {
	if p.Host == "" {
		return Answer{}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	others := p.others(ctx)
	if p.Name != "" {
		return p.askAround(ctx, len(others), path)
	}
	answers := make(chan Answer, len(others))
	for _, address := range others {
		go func() { answers <- p.ask(ctx, "http://"+net.JoinHostPort(address.Unmap().String(), p.Port)+path) }()
	}
	none := Answer{}
	for range others {
		one := <-answers
		if one.Body != nil {
			return one
		}
		none.Busy, none.Missing = none.Busy || one.Busy, none.Missing || one.Missing
	}
	return none
}

// others resolves the replicas, without this one, at most maxReplicas.
func (p *Replicas) others(ctx context.Context) []netip.Addr {
	resolve, self := p.Resolve, p.Self
	if resolve == nil {
		resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
		}
	}
	if self == nil {
		self = interfaces
	}
	found, err := resolve(ctx, p.Host)
	if err != nil {
		return nil // no name yet: this is the first task
	}
	own := self()
	found = slices.DeleteFunc(slices.Clone(found), func(a netip.Addr) bool { return slices.Contains(own, a.Unmap()) })
	return found[:min(len(found), maxReplicas)]
}

func (p *Replicas) ask(ctx context.Context, url string) Answer {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Answer{Missing: true}
	}
	r.Header.Set(ReplicaHeader, "1")
	server.PassOn(ctx, r.Header)
	answer, err := p.Client.Do(r)
	if err != nil {
		return Answer{Missing: true}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	out := Answer{replica: answer.Header.Get(AnswererHeader)}
	switch {
	case err != nil || answer.StatusCode >= http.StatusInternalServerError:
		out.Missing = true
	case answer.StatusCode == http.StatusConflict:
		out.Busy = true
	case answer.StatusCode == http.StatusOK:
		out.Body, out.Fingerprint = body, answer.Header.Get(FingerprintHeader)
	}
	return out
}

func interfaces() []netip.Addr {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, prefix.Addr().Unmap())
		}
	}
	return out
}
