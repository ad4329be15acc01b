package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/dataplane/accesslog"
	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// A log in a format of its own tells what was asked, what was answered, by
// whom, and why nobody did.
func TestLog(t *testing.T) {
	w := newWorld(t)
	format, err := accesslog.Text("%REQ(:METHOD)% %REQ(:AUTHORITY)%%REQ(:PATH)% %PROTOCOL% %REQ(X-TEAM)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESP(CONTENT-TYPE)% " +
		"%BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER% %UPSTREAM_HOST% %ROUTE_NAME%\n")
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 10)
	w.cfg.Listeners[0].Settings = proxy.Settings{Plain: true, Log: &proxy.Log{Format: format, Write: func(line []byte) { lines <- string(line) }}}
	good := w.target(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		rw.Header().Set("Content-Type", "text/x")
		_, _ = io.WriteString(rw, "hello")
		if r.URL.Path == "/chunked" {
			rw.(http.Flusher).Flush()
			_, _ = io.WriteString(rw, " world")
		}
	})
	says := func(want string) {
		t.Helper()
		if got := <-lines; got != want+"\n" {
			t.Errorf("got  %swant %s", got, want)
		}
	}

	w.targets(good)
	w.get("/a?b=c", "Host", "web", "X-Team", "a")
	says("GET web/a?b=c HTTP/1.1 a 200 - text/x 0 5 g " + good + " default")
	w.get("/chunked", "Host", "web")
	says("GET web/chunked HTTP/1.1 - 200 - text/x 0 11 g " + good + " default")
	resp, err := http.Post("http://"+w.addr+"/b", "text/plain", strings.NewReader("four"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	says("POST " + w.addr + "/b HTTP/1.1 - 200 - text/x 4 5 g " + good + " default")

	w.targets()
	w.get("/", "Host", "web")
	says("GET web/ HTTP/1.1 - 503 UH - 0 19 g - default")
	w.raw("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
	says("GET a/ HTTP/1.1 - 400 DPE - 0 0 - - -")
	w.cfg.Listeners[0].Rules = nil
	w.apply()
	w.get("/", "Host", "web")
	says("GET web/ HTTP/1.1 - 404 NR - 0 0 - - -")
}
