package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/examples/internal/server"
)

// neighbour stands in for payment or notification: it counts what was made, once per key, and can be told to fail.
type neighbour struct {
	*httptest.Server
	mu    sync.Mutex
	made  map[string]int
	down  atomic.Bool
	reply string
}

func newNeighbour(t *testing.T, reply string) *neighbour {
	t.Helper()
	n := &neighbour{made: map[string]int{}, reply: reply}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		n.mu.Lock()
		n.made[r.Header.Get("Idempotency-Key")]++
		n.mu.Unlock()
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, n.reply)
	}))
	t.Cleanup(n.Close)
	return n
}

func shop(t *testing.T, payment, notification *neighbour) http.Handler {
	t.Helper()
	env := server.Env{Service: "order", Port: "8081", Log: slog.New(slog.DiscardHandler), Get: func(key string) string {
		return map[string]string{"PAYMENT_URL": payment.URL, "NOTIFICATION_URL": notification.URL}[key]
	}}
	handler, err := routes(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	return server.Wrap(env, handler, func() bool { return false })
}

const book = `{"customer":"ada@example.com","items":[{"sku":"book","quantity":2,"price":1250}]}`

func place(t *testing.T, handler http.Handler, key, body string) (int, Order) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/order/orders", strings.NewReader(body))
	r.Header.Set("Idempotency-Key", key)
	return answer(handler, r)
}

func answer(handler http.Handler, r *http.Request) (int, Order) {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	var o Order
	_ = json.Unmarshal(w.Body.Bytes(), &o) // problems leave it empty
	return w.Code, o
}

func read(t *testing.T, handler http.Handler, id string) Order {
	t.Helper()
	_, o := answer(handler, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/order/orders/"+id, nil))
	return o
}

func TestAnOrderIsPaidAndNotified(t *testing.T) {
	payment, notification := newNeighbour(t, `{"id":"pay_1","status":"captured"}`), newNeighbour(t, `{"id":"ntf_1"}`)
	handler := shop(t, payment, notification)
	status, o := place(t, handler, "k", book)
	if status != http.StatusCreated || !o.Paid || !o.Notified || o.Total != 2500 || o.Currency != "EUR" || o.Payment != "pay_1" {
		t.Fatalf("%d %+v", status, o)
	}
	if shown := read(t, handler, o.ID); !shown.Paid || !shown.Notified {
		t.Errorf("read back: %+v", shown)
	}
	if status, again := place(t, handler, "k", book); status != http.StatusCreated || again.ID != o.ID {
		t.Errorf("repeated: %d %+v", status, again)
	}
	if payment.made[o.ID] != 1 || notification.made[o.ID] != 1 {
		t.Errorf("paid %v, notified %v; want once, under the order's id", payment.made, notification.made)
	}
}

func TestADeclinedPaymentIsSaid(t *testing.T) {
	handler := shop(t, newNeighbour(t, `{"id":"pay_1","status":"declined"}`), newNeighbour(t, `{"id":"ntf_1"}`))
	if status, o := place(t, handler, "k", book); status != http.StatusCreated || o.Paid || o.Status != "declined" || !o.Notified {
		t.Errorf("%d %+v", status, o)
	}
}

func TestWithoutPaymentThereIsNoOrderAndARepeatSucceeds(t *testing.T) {
	payment := newNeighbour(t, `{"id":"pay_1","status":"captured"}`)
	handler := shop(t, payment, newNeighbour(t, `{"id":"ntf_1"}`))
	payment.down.Store(true)
	if status, _ := place(t, handler, "k", book); status != http.StatusServiceUnavailable {
		t.Fatalf("while payment is down: %d", status)
	}
	payment.down.Store(false)
	if status, o := place(t, handler, "k", book); status != http.StatusCreated || !o.Paid {
		t.Errorf("afterwards: %d %+v", status, o)
	}
}

func TestALateConfirmationArrives(t *testing.T) {
	notification := newNeighbour(t, `{"id":"ntf_1"}`)
	handler := shop(t, newNeighbour(t, `{"id":"pay_1","status":"captured"}`), notification)
	notification.down.Store(true)
	status, o := place(t, handler, "k", book)
	if status != http.StatusCreated || !o.Paid || o.Notified {
		t.Fatalf("%d %+v", status, o)
	}
	notification.down.Store(false)
	limit, tick := time.After(20*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !read(t, handler, o.ID).Notified {
		select {
		case <-limit:
			t.Fatal("the confirmation never came")
		case <-tick.C:
		}
	}
}

func TestBadOrdersAreExplained(t *testing.T) {
	handler := shop(t, newNeighbour(t, ``), newNeighbour(t, ``))
	for _, body := range []string{
		`{}`, `{"customer":"a","items":[]}`, `{"customer":"a","items":[{"sku":"","quantity":1,"price":1}]}`,
		`{"customer":"a","items":[{"sku":"x","quantity":0,"price":1}]}`, `{"customer":"a","currency":"euro","items":[{"sku":"x","quantity":1,"price":1}]}`,
	} {
		if status, _ := place(t, handler, "", body); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", body, status)
		}
	}
}
