package proxy_test

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// A target that fails in a row gets nothing for a while, and comes back.
func TestEjection(t *testing.T) {
	w := newWorld(t)
	var sick atomic.Bool
	sick.Store(true)
	bad := w.target(func(rw http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			rw.WriteHeader(500)
		}
		_, _ = io.WriteString(rw, "bad")
	})
	w.cfg.Groups[0].Outlier = &proxy.Outlier{Errors: 3, Interval: 20 * time.Millisecond, Ejection: 500 * time.Millisecond, MaxPercent: 50}
	w.targets(bad, w.target(ok))
	failed := 0
	for range 20 {
		if resp, _ := w.get("/"); resp.StatusCode == 500 {
			failed++
		}
	}
	st := w.s.Groups()["g"]
	if failed != 3 || st.Ejections != 1 || st.Ejected != 1 {
		t.Errorf("%d failed, %d ejections", failed, st.Ejections)
	}
	for _, ts := range st.Targets {
		if ts.Ejected != (ts.Addr == bad) || ts.Addr == bad && ts.Errors != 3 {
			t.Errorf("%+v", ts)
		}
	}
	sick.Store(false)
	eventually(t, func() bool { _, body := w.get("/"); return body == "bad" })
	if w.s.Groups()["g"].Ejected != 0 {
		t.Error("it serves and is ejected")
	}
	w.cfg.Groups[0].Outlier = nil // and without, nobody is
	w.apply()
	sick.Store(true)
	for range 20 {
		w.get("/")
	}
	if st := w.s.Groups()["g"]; st.Ejections != 1 {
		t.Errorf("%d ejections", st.Ejections)
	}
}

// Connections that fail count too, and one target stays whatever it does.
func TestOneStays(t *testing.T) {
	w := newWorld(t)
	w.cfg.Groups[0].Outlier = &proxy.Outlier{Errors: 1, Interval: time.Hour, Ejection: time.Hour, MaxPercent: 100}
	w.targets(closed(t), closed(t), closed(t))
	for range 20 {
		w.get("/")
	}
	if st := w.s.Groups()["g"]; st.Ejected != 2 {
		t.Errorf("%d of three are ejected", st.Ejected)
	}
}
