package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/examples/internal/server"
)

func TestANotificationIsALineInTheLog(t *testing.T) {
	var lines bytes.Buffer
	handler, err := routes(t.Context(), server.Env{Service: "notification", Log: slog.New(slog.NewJSONHandler(&lines, nil))})
	if err != nil {
		t.Fatal(err)
	}
	post := func(body string) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/notification/notifications", strings.NewReader(body))
		r.Header.Set("Idempotency-Key", "once")
		handler.ServeHTTP(w, r)
		return w.Code
	}
	for range 2 { // the second is a repeat
		if status := post(`{"recipient":"ada@example.com","message":"hello"}`); status != http.StatusCreated {
			t.Fatal(status)
		}
	}
	if sent := strings.Count(lines.String(), `"notification sent"`); sent != 1 {
		t.Errorf("sent %d times", sent)
	}
	if status := post(`{"recipient":"","message":"hello"}`); status != http.StatusUnprocessableEntity {
		t.Error(status)
	}
}
