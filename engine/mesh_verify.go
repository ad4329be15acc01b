package engine

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/engineapi"
	"github.com/slipway-dev/slipway/dataplane/mesh"
	"github.com/slipway-dev/slipway/dataplane/mesh/figures"
	"github.com/slipway-dev/slipway/dataplane/pki"
	"github.com/slipway-dev/slipway/kernel/seal"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/appmesh"
)

// Words for how an attempt ends.
const (
	accepted = "accepted"
	refused  = "refused"
)

// attemptTime is how long an attempt may take: what a security group drops
// never answers.
const attemptTime = time.Second

// verify tries, from inside other tasks of a mesh, what must not be possible,
// and what must. The attempts go out as the source's proxy would send them.
func (m *meshes) verify(r *http.Request) (engineapi.MeshChecks, error) {
	var asked engineapi.MeshQuestion
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil && !errors.Is(err, io.EOF) {
		return engineapi.MeshChecks{}, fmt.Errorf("read which mesh is asked about: %w", err)
	}
	all, err := m.of(r, asked.Mesh)
	if err != nil {
		return engineapi.MeshChecks{}, err
	}
	out := engineapi.MeshChecks{Checks: []engineapi.MeshCheck{}}
	for _, row := range all {
		checks, err := m.verifyMesh(r.Context(), row)
		if err != nil {
			return out, err
		}
		out.Checks = append(out.Checks, checks...)
	}
	return out, nil
}

func (m *meshes) verifyMesh(ctx context.Context, row appmesh.Mesh) ([]engineapi.MeshCheck, error) {
	snap := m.engine.store.Snapshot()
	view, ok := appmesh.Read(snap, row.Scope, row.Name)
	if !ok {
		return nil, nil
	}
	strangers, err := m.strangers(row)
	if err != nil {
		return nil, err
	}
	proxies := m.server.Proxies(row.ARN())
	var out []engineapi.MeshCheck
	done := map[string]bool{}
	for _, p := range proxies {
		node, ok := view.Nodes[p.Name]
		if !ok || done[p.Name] {
			continue
		}
		from, ok := another(proxies, p)
		if !ok {
			continue
		}
		source, err1 := agent.Tasks.Get(snap, from.TaskARN)
		target, err2 := agent.Tasks.Get(snap, p.TaskARN)
		if err1 != nil || err2 != nil {
			continue
		}
		done[p.Name] = true
		for _, l := range node.Spec.Listeners {
			t := trial{meshes: m, mesh: row.Name, node: p.Name, listener: l, source: source, target: target, strangers: strangers}
			checks, err := t.run(ctx)
			if err != nil {
				return out, err
			}
			out = append(out, checks...)
		}
	}
	return out, nil
}

// another is a proxy to try from: of another node if there is one.
func another(all []mesh.Proxy, target mesh.Proxy) (mesh.Proxy, bool) {
	for _, p := range all {
		if p.Name != target.Name && p.Task != target.Task {
			return p, true
		}
	}
	for _, p := range all {
		if p.Task != target.Task {
			return p, true
		}
	}
	return mesh.Proxy{}, false
}

// strangers are the authorities that sign for attempts: the mesh's own, and
// one that nobody knows.
type strangers struct{ own, other *pki.Authority }

func (m *meshes) strangers(row appmesh.Mesh) (s strangers, err error) {
	if s.own, err = m.authority(&mesh.Mesh{Name: row.Name, UID: row.UID, Created: row.Created}); err != nil {
		return s, err
	}
	dir, err := os.MkdirTemp("", "slipway-stranger-")
	if err != nil {
		return s, err
	}
	defer os.RemoveAll(dir)
	keys, err := seal.OpenKeyring(filepath.Join(dir, "keys"))
	if err != nil {
		return s, err
	}
	s.other, err = pki.OpenAuthority(pki.Config{Dir: dir, Keys: keys, ID: "stranger", Mesh: row.Name, Created: time.Now()})
	return s, err
}

// trial is all attempts at one listener of one task.
type trial struct {
	*meshes
	mesh, node     string
	listener       api.Listener
	source, target agent.Task
	strangers      strangers
}

// attempt is one way to try.
type attempt struct {
	name, expected, counter string
	port                    int
	config                  *tls.Config // nil: plain
}

func (t trial) run(ctx context.Context) ([]engineapi.MeshCheck, error) {
	attempts, err := t.attempts()
	if err != nil {
		return nil, err
	}
	var out []engineapi.MeshCheck
	for _, a := range attempts {
		check := engineapi.MeshCheck{Name: a.name, Target: t.node, Expected: a.expected, Counter: a.counter, Got: refused}
		if a.counter != "" {
			if check.Before, err = t.counted(ctx, a.counter); err != nil {
				return out, fmt.Errorf("read the counters of task %s: %w", t.target.ID, err)
			}
		}
		if t.enters(ctx, a) {
			check.Got = accepted
		}
		check.OK = check.Got == check.Expected
		if a.counter != "" {
			check.After, err = t.awaitCount(ctx, a.counter, check.Before)
			check.OK = check.OK && err == nil && check.After > check.Before
		}
		out = append(out, check)
	}
	return out, nil
}

// attempts are the ways to try a listener with TLS that asks for a
// certificate; others promise nothing that could be tried.
func (t trial) attempts() ([]attempt, error) {
	port := int(*t.listener.PortMapping.Port)
	spec := t.listener.Tls
	if spec == nil || spec.Mode != api.ListenerTlsModeStrict || spec.Validation == nil {
		return nil, nil
	}
	name := "peer"
	if s := spec.Validation.SubjectAlternativeNames; s != nil && s.Match != nil && len(s.Match.Exact) > 0 {
		name = s.Match.Exact[0]
	}
	now := time.Now()
	issue := func(a *pki.Authority, name string, life time.Duration, at time.Time) (*tls.Config, error) {
		id := pki.Identity{Namespace: "slipway", Service: "verify", Task: "verify", DNS: []string{name}}
		c, err := a.Issue(id, life, at)
		if err != nil {
			return nil, err
		}
		slot := &pki.Slot{}
		slot.Put(c.TLS())
		return pki.Side{Source: slot}.Client(name), nil // who answers is not in question here
	}
	stranger, err1 := issue(t.strangers.other, name, time.Minute, now)
	misnamed, err2 := issue(t.strangers.own, "stranger.invalid", time.Minute, now)
	expired, err3 := issue(t.strangers.own, name, time.Second, now.Add(-2*time.Second))
	proper, err4 := issue(t.strangers.own, name, time.Minute, now)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	counter := func(f pki.Failure) string { return f.Counters()[0] }
	all := []attempt{
		{"plain text", refused, "", port, nil},
		{"no certificate", refused, counter(pki.NoCertificate), port, pki.Side{}.Client(name)},
		{"another authority's certificate", refused, counter(pki.WrongAuthority), port, stranger},
		{"a certificate of another name", refused, counter(pki.WrongName), port, misnamed},
		{"an expired certificate", refused, counter(pki.Expired), port, expired},
		{"a caller's certificate", accepted, pki.CounterHandshake, port, proper},
	}
	for pair := range strings.SplitSeq(sidecarOf(t.target)["SLIPWAY_INGRESS"], ",") {
		from, to, _ := strings.Cut(pair, "=")
		if n, err := strconv.Atoi(from); err == nil && to == strconv.Itoa(port) {
			all = append(all, attempt{"the load balancer's port", refused, "", n, nil})
		}
	}
	return all, nil
}

// enters tries to get an answer.
func (t trial) enters(ctx context.Context, a attempt) bool {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	uid := 0
	if p := t.source.Proxy; p != nil && p.IgnoredUID != nil {
		uid = int(*p.IgnoredUID)
	}
	nc, err := t.engine.node.network.DialTaskAs(ctx, t.source.VPC, t.source.Interface, uid, "tcp", net.JoinHostPort(t.target.IP, strconv.Itoa(a.port)))
	if err != nil {
		return false
	}
	defer nc.Close()
	deadline, _ := ctx.Deadline()
	if nc.SetDeadline(deadline) != nil {
		return false
	}
	if a.config != nil {
		tc := tls.Client(nc, a.config)
		if tc.HandshakeContext(ctx) != nil {
			return false
		}
		nc = tc
	}
	if _, err := io.WriteString(nc, "GET /health HTTP/1.1\r\nHost: verify.slipway\r\nConnection: close\r\n\r\n"); err != nil {
		return false
	}
	begin := make([]byte, 9)
	_, err = io.ReadFull(nc, begin)
	return err == nil && string(begin) == "HTTP/1.1 "
}

func (t trial) counted(ctx context.Context, counter string) (int64, error) {
	r, err := t.read(ctx, t.mesh, t.target)
	return count(r, counter), err
}

func count(r figures.Reading, counter string) int64 {
	if counter == pki.CounterHandshake {
		return r.Ingress.Handshakes
	}
	return r.Ingress.Failures[strings.TrimPrefix(counter, "ssl.fail_verify_")]
}

// awaitCount waits for a counter to move: the target counts when its side of
// the handshake is over.
func (t trial) awaitCount(ctx context.Context, counter string, before int64) (n int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	for {
		if n, err = t.counted(ctx, counter); err != nil || n > before {
			return n, err
		}
		select {
		case <-ctx.Done():
			return n, nil
		case <-time.After(10 * time.Millisecond):
		}
	}
}
