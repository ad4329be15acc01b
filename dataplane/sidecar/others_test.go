package sidecar

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// A task that calls its own service asks the others, and itself when there is
// nobody else.
func TestATaskAsksTheOthers(t *testing.T) {
	at := func(addr string, state proxy.State) proxy.Target { return proxy.Target{Addr: addr, State: state} }
	me, other, weak := at("10.0.0.1:80", proxy.Healthy), at("10.0.0.2:80", proxy.Healthy), at("10.0.0.3:80", proxy.Unhealthy)
	tr := translation{own: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")}}
	for _, c := range []struct{ all, want []proxy.Target }{
		{[]proxy.Target{me, other, weak}, []proxy.Target{other, weak}},
		{[]proxy.Target{me, weak}, []proxy.Target{me, weak}},
		{[]proxy.Target{me}, []proxy.Target{me}},
		{nil, nil},
	} {
		if got := tr.others(c.all); !slices.Equal(got, c.want) {
			t.Errorf("of %v: %v, want %v", c.all, got, c.want)
		}
	}
}
