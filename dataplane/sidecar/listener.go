package sidecar

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/proxy"
)

type protoMessage = proto.Message

// defaultStreamIdle is Envoy's stream_idle_timeout.
const defaultStreamIdle = 5 * time.Minute

// listener adds the proxy's listeners for one of xDS: one for each virtual
// host of each filter chain.
func (t *translation) listener(l *xdsapi.Listener) error {
	a := l.GetAddress().GetSocketAddress()
	if a == nil {
		return fmt.Errorf("listener %s has no socket address", l.GetName())
	}
	base := proxy.Listener{
		Owner: l.GetName(), Addr: net.JoinHostPort(a.GetAddress(), strconv.Itoa(int(a.GetPortValue()))), Port: int(a.GetPortValue()),
	}
	was := len(t.cfg.Listeners)
	for i, c := range chainsOf(l) {
		name := c.GetName()
		if name == "" {
			name = strconv.Itoa(i)
		}
		if err := t.chain(base, l.GetName()+"/"+name, c, redirected(l)); err != nil {
			t.cfg.Listeners = t.cfg.Listeners[:was]
			return fmt.Errorf("listener %s: %w", l.GetName(), err)
		}
	}
	return nil
}

func (t *translation) chain(base proxy.Listener, id string, c *xdsapi.FilterChain, redirected bool) error {
	selectors, err := chains(c, redirected)
	if err != nil {
		return err
	}
	down, err := downstreamOf(c.GetTransportSocket())
	if err != nil {
		return err
	}
	if down != nil {
		config, err := t.vault.server(down)
		if err != nil {
			return fmt.Errorf("filter chain %s: %w", id, err)
		}
		if !t.has(xdsapi.SecretType, secretsOf(down.GetCommonTlsContext())...) {
			return nil
		}
		base.TLS = &proxy.TLS{Config: config}
	}
	manager, err := managerOf(c)
	if errors.Is(err, errNoManager) {
		return t.tcp(base, id, c, selectors)
	}
	if err != nil {
		return err
	}
	if base.Settings, err = settings(manager); err != nil {
		return fmt.Errorf("filter chain %s: %w", id, err)
	}
	if base.Settings.Log, err = t.log(manager.GetAccessLog()); err != nil {
		return fmt.Errorf("filter chain %s: %w", id, err)
	}
	table := manager.GetRouteConfig()
	if r := manager.GetRds(); r != nil {
		if !t.has(xdsapi.RouteType, r.GetRouteConfigName()) {
			return nil
		}
		table = t.state.routes[r.GetRouteConfigName()]
	}
	for _, name := range table.GetResponseHeadersToRemove() {
		if !strings.EqualFold(name, proxy.RefusedField) { // which goes no further anyway
			return fmt.Errorf("routes %s remove the response header %s, which this proxy does not do", table.GetName(), name)
		}
	}
	for i, selector := range selectors {
		for _, host := range table.GetVirtualHosts() {
			rules, err := t.rules(host)
			if err != nil {
				return fmt.Errorf("routes %s: %w", table.GetName(), err)
			}
			v := base
			v.ID, v.Names, v.Rules, v.Chain = fmt.Sprintf("%s/%d/%s", id, i, host.GetName()), host.GetDomains(), rules, selector
			t.cfg.Listeners = append(t.cfg.Listeners, v)
		}
		if len(table.GetVirtualHosts()) == 0 {
			v := base
			v.ID, v.Chain = fmt.Sprintf("%s/%d/none", id, i), selector
			t.cfg.Listeners = append(t.cfg.Listeners, v)
		}
	}
	return nil
}

// tcp adds the listeners of a chain that carries bytes. Its connections are not
// logged: what an access log tells of is requests.
func (t *translation) tcp(base proxy.Listener, id string, c *xdsapi.FilterChain, selectors []proxy.Chain) error {
	p, err := tcpOf(c)
	if err != nil {
		return fmt.Errorf("filter chain %s: %w", id, err)
	}
	forward := &proxy.Forward{Idle: duration(p.GetIdleTimeout(), time.Hour)}
	if name := p.GetCluster(); name != "" {
		forward.Groups = []proxy.Weighted{{Group: t.group(name), Weight: 1}}
	}
	for _, w := range p.GetWeightedClusters().GetClusters() {
		forward.Groups = append(forward.Groups, proxy.Weighted{Group: t.group(w.GetName()), Weight: int(w.GetWeight())})
	}
	for i, selector := range selectors {
		v := base
		v.ID, v.Chain, v.TCP = fmt.Sprintf("%s/%d", id, i), selector, forward
		t.cfg.Listeners = append(t.cfg.Listeners, v)
	}
	return nil
}

// settings are the manners of a connection manager.
func settings(m *xdsapi.HttpConnectionManager) (proxy.Settings, error) {
	common := m.GetCommonHttpProtocolOptions()
	refused, err := refuses(m.GetLocalReplyConfig())
	return proxy.Settings{
		IdleTimeout:  duration(common.GetIdleTimeout(), time.Hour),
		KeepAlive:    duration(common.GetMaxConnectionDuration(), 24*time.Hour),
		HTTP2:        m.GetCodecType() != xdsapi.HttpConnectionManager_HTTP1,
		Plain:        true,
		TraceContext: m.GetGenerateRequestId() == nil || m.GetGenerateRequestId().GetValue(),
		ClientCert:   m.GetForwardClientCertDetails() == xdsapi.HttpConnectionManager_SANITIZE_SET,
		Refused:      refused,
	}, err
}

// refuses reports whether answers to requests that reached nobody are to be
// marked for load balancers, which is all this proxy adds to its answers.
func refuses(c *xdsapi.LocalReplyConfig) (bool, error) {
	for _, m := range c.GetMappers() {
		if !slices.Equal(m.GetFilter().GetResponseFlagFilter().GetFlags(), []string{"UF"}) {
			return false, errors.New("answers of the proxy's own are changed by other response flags than UF, which this proxy does not do")
		}
		for _, h := range m.GetHeadersToAdd() {
			if !strings.EqualFold(h.GetHeader().GetKey(), proxy.RefusedField) {
				return false, fmt.Errorf("answers of the proxy's own get the header %s, which this proxy does not do", h.GetHeader().GetKey())
			}
		}
	}
	return len(c.GetMappers()) > 0, nil
}

// duration is a setting's value or its default.
func duration(d *durationpb.Duration, otherwise time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	return d.AsDuration()
}
