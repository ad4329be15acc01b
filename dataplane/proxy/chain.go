package proxy

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// binding is what is served at one socket. It is replaced whole; a connection
// takes notice with its next request.
type binding struct {
	all        []*virtual
	chains     []*chain // the most specific first
	redirected bool
}

// chain is the listeners that share some of a socket's connections.
type chain struct {
	key   Chain
	all   []*virtual
	names names
	tcp   *virtual      // bytes instead of requests
	tls   *tls.Config   // nil: plain
	idle  time.Duration // longest of all: for what happens before a listener is chosen
	prior bool          // clients may speak HTTP/2 without having asked
}

// add puts a listener into its chain, or tells why it does not go there.
func (b *binding) add(v *virtual) error {
	key, err := v.cfg.Chain.normal()
	if err != nil {
		return err
	}
	if len(b.all) > 0 && b.redirected != key.Redirected {
		return fmt.Errorf("socket %s takes both redirected connections and others", v.cfg.Addr)
	}
	ch := b.same(key)
	switch {
	case key.Plain && v.cfg.TLS != nil:
		return errors.New("a chain of plain connections cannot end TLS")
	case ch == nil:
		ch = &chain{key: key, tcp: nil}
		b.chains = append(b.chains, ch)
	case (ch.all[0].cfg.TLS == nil) != (v.cfg.TLS == nil):
		return fmt.Errorf("socket %s serves both TLS and plain HTTP", v.cfg.Addr)
	case ch.tcp != nil || v.cfg.TCP != nil:
		return fmt.Errorf("a listener that carries TCP needs a chain of its own, %s has it too", ch.all[0].cfg.ID)
	}
	if v.cfg.TCP != nil {
		ch.tcp = v
	}
	b.redirected = key.Redirected
	b.all, ch.all = append(b.all, v), append(ch.all, v)
	ch.idle = max(ch.idle, v.idle)
	ch.prior = ch.prior || v.cfg.Settings.HTTP2 && v.cfg.Settings.Plain
	return nil
}

// finish makes what depends on all listeners.
func (b *binding) finish() {
	slices.SortStableFunc(b.chains, func(x, y *chain) int { return x.key.compare(y.key) })
	for _, ch := range b.chains {
		ch.names = newNames(ch)
		ch.tls = ch.config()
	}
}

// normal is the chain in the form that equal ones have in common.
func (k Chain) normal() (Chain, error) {
	if k.Net == (netip.Prefix{}) {
		return k, nil
	}
	if !k.Net.IsValid() {
		return k, fmt.Errorf("chain: %s is no network", k.Net)
	}
	k.Net = k.Net.Masked()
	return k, nil
}

// compare orders chains: the more specific first.
func (k Chain) compare(o Chain) int {
	if (k.Port == 0) != (o.Port == 0) {
		return cmp.Compare(o.Port, k.Port)
	}
	if c := cmp.Compare(o.Net.Bits(), k.Net.Bits()); c != 0 {
		return c
	}
	switch {
	case k.Plain == o.Plain:
		return 0
	case k.Plain:
		return -1
	}
	return 1
}

// fits reports whether a connection to dst may be meant, TLS or not.
func (k Chain) fits(dst netip.AddrPort) bool {
	return (k.Port == 0 || k.Port == dst.Port()) && (!k.Net.IsValid() || k.Net.Contains(dst.Addr()))
}

// same finds a chain by its key.
func (b *binding) same(key Chain) *chain {
	for _, ch := range b.chains {
		if ch.key == key {
			return ch
		}
	}
	return nil
}

// choose finds the chain of a connection that was going to dst, nil when there
// is none. hello tells whether it begins with a ClientHello; it is asked when
// that makes a difference.
func (b *binding) choose(dst netip.AddrPort, hello func() bool) *chain {
	for _, ch := range b.chains {
		if ch.key.fits(dst) && (!ch.key.Plain || !hello()) {
			return ch
		}
	}
	return nil
}
