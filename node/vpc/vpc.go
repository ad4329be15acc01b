// Package vpc makes virtual private clouds real with Linux namespaces.
//
// A VPC is a network namespace: its router. Every attached network interface
// is another one, joined to the router by a veth pair and a route for its
// private address; there are no bridges, so no packet reaches another
// interface without passing the router's packet filter. VPCs share nothing,
// so two of them may use the same addresses.
//
// Compile turns the description of a VPC (Config) into a packet filter
// (Ruleset) and does nothing else; Network makes the namespaces and loads the
// rules. What leaves the VPC is carried out by a function of the engine, never
// by the kernel: nothing here needs an interface on the host.
//
// Invariants: a namespace is pinned by a file below Options.Dir only when it
// is complete; all names derive from ids and addresses, so an engine that was
// killed finds everything again; the filter changes in one transaction, and
// denies until the first Apply.
package vpc

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Options says where a Network keeps its namespaces and how traffic gets out.
type Options struct {
	// Dir holds the pins of the namespaces: <Dir>/<vpc>/router and
	// <Dir>/<vpc>/<interface>. It must lie in a mount namespace that outlives
	// the engine.
	Dir string
	// Egress opens a connection to addr ("192.0.2.1:443") outside of the VPC,
	// for traffic that security groups and route tables let out. Nil: nothing
	// gets out.
	Egress func(ctx context.Context, network, addr string) (net.Conn, error)
	// Started is called in a goroutine of its own once per VPC and process,
	// after its first Apply: the place to serve DNS and metadata. ctx ends with
	// the VPC or with the Network. May be nil.
	Started func(ctx context.Context, c Config)
	// Log is required.
	Log *slog.Logger
}

// Network is every VPC of this engine. Its methods are safe for concurrent use.
type Network struct {
	opt Options

	mu   sync.Mutex
	vpcs map[string]*router
	made chan struct{} // closed and replaced when vpcs grows
}

// New finds what an earlier process left below Options.Dir; it changes
// nothing until Apply and Remove are called.
func New(opt Options) (*Network, error) {
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of network namespaces: %w", err)
	}
	return &Network{opt: opt, vpcs: map[string]*router{}, made: make(chan struct{})}, nil
}

// Known lists the ids of the VPCs that exist on this machine, those left by an
// earlier process included.
func (n *Network) Known() []string {
	entries, err := os.ReadDir(n.opt.Dir)
	if err != nil {
		n.opt.Log.Error("list network namespaces", "error", err)
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	slices.Sort(ids)
	return ids
}

// Apply makes the VPC what c says: creates or adopts its router, removes
// interfaces that are no longer part of it, and replaces its packet filter in
// one transaction. It is idempotent.
func (n *Network) Apply(ctx context.Context, c Config) error {
	if err := c.validate(); err != nil {
		return fmt.Errorf("vpc %s: %w", c.ID, err)
	}
	r, err := n.router(c.ID, true)
	if err != nil {
		return err
	}
	if err := r.apply(ctx, c); err != nil {
		return fmt.Errorf("apply vpc %s: %w", c.ID, err)
	}
	return nil
}

// Remove deletes a VPC and all its interfaces. Nil when there is none.
func (n *Network) Remove(_ context.Context, vpcID string) error {
	r, err := n.router(vpcID, false)
	if err != nil || r == nil {
		return err
	}
	n.mu.Lock()
	delete(n.vpcs, vpcID)
	n.mu.Unlock()
	if err := r.remove(); err != nil {
		return fmt.Errorf("remove vpc %s: %w", vpcID, err)
	}
	return nil
}

// Close stops what the Network serves (egress, Started). Namespaces, packet
// filters and attached interfaces stay.
func (n *Network) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, r := range n.vpcs {
		r.close()
		delete(n.vpcs, id)
	}
}

// router returns the router of a VPC. When it is not open yet it is adopted
// or, if create is set, made; otherwise nil.
func (n *Network) router(vpcID string, create bool) (*router, error) {
	if !validID(vpcID) {
		return nil, fmt.Errorf("vpc id %q is not a file name", vpcID)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if r := n.vpcs[vpcID]; r != nil {
		return r, nil
	}
	dir := filepath.Join(n.opt.Dir, vpcID)
	if _, err := os.Stat(dir); err != nil && !create {
		return nil, nil
	}
	r, err := openRouter(vpcID, dir, &n.opt)
	if err != nil {
		return nil, fmt.Errorf("router of vpc %s: %w", vpcID, err)
	}
	n.vpcs[vpcID] = r
	close(n.made)
	n.made = make(chan struct{})
	return r, nil
}

// await waits until pick finds what it wants in the applied Config of a VPC,
// which need not exist yet.
func (n *Network) await(ctx context.Context, vpcID string, pick func(Config) bool) (*router, error) {
	for {
		n.mu.Lock()
		made := n.made
		n.mu.Unlock()
		r, err := n.router(vpcID, false)
		if err != nil {
			return nil, err
		}
		changed := made
		if r != nil {
			r.mu.Lock()
			next, removed, ok := r.changed, r.removed, pick(r.config)
			r.mu.Unlock()
			switch {
			case removed:
				return nil, errRemoved
			case ok:
				return r, nil
			}
			changed = next
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for vpc %s: %w", vpcID, ctx.Err())
		}
	}
}
