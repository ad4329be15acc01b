package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/examples/internal/server"
)

func TestPayments(t *testing.T) {
	handler, err := routes(t.Context(), server.Env{Service: "payment", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, body, result string
		status             int
	}{
		{"captured", `{"order":"ord_1","amount":1999,"currency":"EUR"}`, "captured", 201},
		{"the limit itself", `{"order":"ord_1","amount":1000000,"currency":"EUR"}`, "captured", 201},
		{"declined", `{"order":"ord_1","amount":1000001,"currency":"EUR"}`, "declined", 201},
		{"nothing to pay", `{"order":"ord_1","amount":0,"currency":"EUR"}`, "", 422},
		{"no order", `{"amount":1,"currency":"EUR"}`, "", 422},
		{"no currency", `{"order":"ord_1","amount":1,"currency":"euro"}`, "", 422},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/payment/payments", strings.NewReader(c.body)))
			var p Payment
			if err := json.Unmarshal(w.Body.Bytes(), &p); w.Code != c.status || c.status == 201 && (err != nil || p.Status != c.result) {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if c.status != 201 {
				return
			}
			again := httptest.NewRecorder()
			handler.ServeHTTP(again, httptest.NewRequestWithContext(t.Context(), http.MethodGet, w.Header().Get("Location"), nil))
			if again.Code != 200 || again.Body.String() != w.Body.String() {
				t.Errorf("read back: %d %s", again.Code, again.Body)
			}
		})
	}
}
