package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestTheHealthCheckThatPeopleHave runs App Mesh's documented check, and what
// comes near it, in the image's own shell.
func TestTheHealthCheckThatPeopleHave(t *testing.T) {
	state := "LIVE"
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if state != "LIVE" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintf(w, "{\n \"version\": \"1\",\n \"state\": %q\n}\n", state)
	}))
	defer admin.Close()
	for _, c := range []struct {
		state, script string
		want          int
	}{
		{"LIVE", "curl -s URL/server_info | grep state | grep -q LIVE", 0},
		{"DRAINING", "curl -s URL/server_info | grep state | grep -q LIVE", 1},
		{"DRAINING", "curl -s URL/server_info | grep state | grep -q LIVE || exit 7", 7},
		{"LIVE", "curl -sf -o /dev/null URL/ready", 0},
		{"DRAINING", "curl -sf -o /dev/null URL/ready", 22},
		{"LIVE", "curl -s http://127.0.0.1:1/", 7},
		{"LIVE", "no-such-program", 127},
		{"LIVE", "if [ 1 -eq 1 ]; then echo yes | grep -c yes; fi", 0},
		{"LIVE", "((", 2},
	} {
		state = c.state
		var out, errs strings.Builder
		got := shell(t.Context(), []string{"-c", strings.ReplaceAll(c.script, "URL", admin.URL)}, streams{strings.NewReader(""), &out, &errs})
		if got != c.want {
			t.Errorf("%s, %s: status %d, want %d (%s%s)", c.state, c.script, got, c.want, out.String(), errs.String())
		}
	}
}
