package manifest

import (
	"slices"
	"testing"
	"time"
)

// What nobody wrote fits what somebody did, and what a service writes is its own.
func TestMeshSettings(t *testing.T) {
	m := parse(t, `version: 1
name: shop
mesh: {enabled: true}
defaults: {outlier: {maxServerErrors: 3}}
services:
  web: {image: nginx, port: 80, calls: [api, db, web], timeout: 250ms}
  api: {image: nginx, port: 81, timeout: 20s, retries: {max: 4, on: [server-error], perTryTimeout: 1500ms}, pool: {maxConnections: 10, maxPendingRequests: 5}}
  db: {image: postgres, port: 5432, paths: [], protocol: tcp}
`)
	if m.Mesh != (Mesh{Enabled: true, TLS: TLSStrict, Egress: "drop"}) {
		t.Errorf("%+v", m.Mesh)
	}
	ms := func(n int) Duration { return Duration(time.Duration(n) * time.Millisecond) }
	for _, want := range []struct {
		name          string
		timeout, try  Duration
		max           int
		on            []string
		pool          Pool
		errors, share int
	}{
		{"web", ms(250), ms(250), 2, []string{"gateway-error", "stream-error", "connection-error"}, Pool{}, 3, 50},
		{"api", ms(20_000), ms(1500), 4, []string{"server-error"}, Pool{MaxConnections: 10, MaxPendingRequests: 5}, 3, 50},
		{"db", Duration(time.Hour), ms(5000), 2, []string{"gateway-error", "stream-error", "connection-error"}, Pool{}, 3, 50},
	} {
		s, _ := m.Service(want.name)
		if s.Timeout != want.timeout || s.Retries.PerTryTimeout != want.try || s.Retries.Max != want.max || !slices.Equal(s.Retries.On, want.on) || s.Pool != want.pool ||
			s.Outlier.MaxServerErrors != want.errors || s.Outlier.MaxEjectionPercent != want.share {
			t.Errorf("%+v, want %+v", s.Settings, want)
		}
	}
	if got := m.Callers("api"); !slices.Equal(got, []string{"web"}) {
		t.Errorf("callers of api: %v", got)
	}
	if got := m.Callers("web"); !slices.Equal(got, []string{"web"}) {
		t.Errorf("callers of web: %v", got)
	}
}
