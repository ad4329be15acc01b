package server

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"
)

// ReplicaHeader marks a question from another replica.
const ReplicaHeader = "X-Replica-Read"

const (
	usualFault   = 30 * time.Second
	longestFault = 10 * time.Minute
	longestDelay = 30 * time.Second
	reset        = -1 // instead of a status: the connection is cut
)

// fault is how a task misbehaves: some of its requests wait, and then fail.
type fault struct {
	status int // 0: they are answered after the delay
	rate   float64
	delay  time.Duration
	until  time.Time
}

// faults make a task misbehave on demand, for seeing what retries, timeouts, ejection of outliers and limits do. They are there only where the
// variable FAULTS is "on", since they let every client break the service.
//
//	PUT    /<service>/fault?status=503&rate=0.5&delay=100ms&for=30s   the task that takes it misbehaves so for a while
//	DELETE /<service>/fault                                           and no longer
//	GET    /<service>/fault?status=503&rate=0.5&delay=100ms           this very request alone
//
// status is 200 to 599 or reset, which cuts the connection. Health answers as ever, and so do questions of other replicas.
type faults struct {
	mu      sync.Mutex
	current fault
}

func (f *faults) serve(w http.ResponseWriter, r *http.Request) {
	asked, err := parseFault(r.URL.Query(), time.Now())
	if err != nil {
		Fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	switch r.Method {
	case http.MethodPut:
		f.set(asked)
	case http.MethodDelete:
		f.set(fault{})
	case http.MethodGet:
		if asked.strikes(w, r) {
			return
		}
	default:
		w.Header().Set("Allow", "GET, PUT, DELETE")
		Fail(w, r, http.StatusMethodNotAllowed, "GET, PUT, DELETE /<service>/fault?status=503&rate=0.5&delay=100ms&for=30s")
		return
	}
	now := f.get()
	host, _ := os.Hostname() // to tell the tasks apart; without one they cannot be
	WriteJSON(w, http.StatusOK, map[string]any{
		"task": host, "misbehaves": time.Now().Before(now.until), "status": now.status, "rate": now.rate, "delay": now.delay.String(),
	})
}

func (f *faults) set(to fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.current = to
}

func (f *faults) get() fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current
}

// before lets the present fault strike first.
func (f *faults) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if now := f.get(); r.Header.Get(ReplicaHeader) == "" && time.Now().Before(now.until) && now.strikes(w, r) {
			return
		}
		next.ServeHTTP(w, r)
	})
}

// strikes lets a request wait and fail, if it is one of those that do; it tells whether the request has been answered.
func (f fault) strikes(w http.ResponseWriter, r *http.Request) bool {
	if rand.Float64() >= f.rate {
		return false
	}
	select {
	case <-r.Context().Done():
		return true
	case <-time.After(f.delay):
	}
	switch f.status {
	case 0:
		return false
	case reset:
		if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
			connection.Close()
			return true
		}
		Fail(w, r, http.StatusInternalServerError, "this connection cannot be cut")
	default:
		Fail(w, r, f.status, "a fault that was asked for")
	}
	return true
}

func parseFault(q url.Values, now time.Time) (fault, error) {
	f := fault{rate: 1}
	if text := q.Get("status"); text == "reset" {
		f.status = reset
	} else if text != "" {
		var err error
		if f.status, err = strconv.Atoi(text); err != nil || f.status < 200 || f.status > 599 {
			return f, errors.New("status is 200 to 599, or reset")
		}
	}
	if text := q.Get("rate"); text != "" {
		var err error
		if f.rate, err = strconv.ParseFloat(text, 64); err != nil || !(f.rate >= 0 && f.rate <= 1) {
			return f, errors.New("rate is the share of requests that it strikes, 0 to 1")
		}
	}
	var err error
	if f.delay, err = time.ParseDuration(cmp.Or(q.Get("delay"), "0s")); err != nil || f.delay < 0 || f.delay > longestDelay {
		return f, errors.New("delay is a time of at most " + longestDelay.String() + ", such as 100ms")
	}
	span, err := time.ParseDuration(cmp.Or(q.Get("for"), usualFault.String()))
	if err != nil || span < 0 || span > longestFault {
		return f, errors.New("for is a time of at most " + longestFault.String() + ", such as 30s")
	}
	f.until = now.Add(span)
	return f, nil
}
