package accesslog

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// entry is a request for an order as the format wants it.
func entry(f *Format) *Entry {
	request := map[string]string{":method": "GET", ":path": "/orders?n=1", ":authority": "order.dev.local:8080", "user-agent": "curl/8", "x-forwarded-for": "10.0.0.1"}
	e := &Entry{
		Start: time.Date(2026, 11, 28, 17, 5, 9, 120_345_678, time.UTC), Took: 5 * time.Millisecond, Sent: time.Millisecond, Answered: 4 * time.Millisecond,
		Protocol: "HTTP/2", Status: 200, Bytes: 42, Host: "10.0.3.7:8081", Client: netip.MustParseAddrPort("10.0.1.5:51000"),
	}
	for _, name := range f.Request {
		e.Request = append(e.Request, request[name])
	}
	for _, name := range f.Response {
		e.Response = append(e.Response, map[string]string{"content-type": "application/json"}[name])
	}
	return e
}

func TestText(t *testing.T) {
	for format, want := range map[string]string{
		defaultText:                              `[2026-11-28T17:05:09.120Z] "GET /orders?n=1 HTTP/2" 200 - 0 42 5 3 "10.0.0.1" "curl/8" "-" "order.dev.local:8080" "10.0.3.7:8081"` + "\n",
		"":                                       "",
		"50%% of %DURATION%":                     "50% of 5",
		"%REQ(:PATH):3%":                         "/or",
		"%REQ(X-NONE?USER-AGENT)% %REQ(X-NONE)%": "curl/8 -",
		"%RESP(Content-Type)% %RESP(X-NONE)%":    "application/json -",
		"%START_TIME(%Y/%m/%d %H:%M:%S.%3f %s %z %%)%":    "2026/11/28 17:05:09.120 1795885509 +0000 %",
		"%DOWNSTREAM_REMOTE_ADDRESS%":                     "10.0.1.5:51000",
		"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%":        "10.0.1.5",
		"%DOWNSTREAM_LOCAL_ADDRESS% %CONNECTION_ID%":      "- -",
		"%DOWNSTREAM_PEER_URI_SAN% %RESPONSE_DURATION%":   "- 4",
		"%REQUESTED_SERVER_NAME% %DYNAMIC_METADATA(a:b)%": "- -",
	} {
		f, err := Text(format)
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		if got := string(f.Append(nil, entry(f))); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", format, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	f, err := JSON(map[string]string{"status": "%RESPONSE_CODE%", "path": "%REQ(:PATH)%", "line": "%REQ(:METHOD)% %RESPONSE_FLAGS%", "none": "%REQ(X-NONE)%", "app": "order", "\"": "%PROTOCOL%"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"\"":"HTTP/2","app":"order","line":"GET -","none":null,"path":"/orders?n=1","status":200}` + "\n"
	if got := string(f.Append(nil, entry(f))); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestFormatsThatAreNone(t *testing.T) {
	for format, want := range map[string]string{
		"%NO_SUCH%":         "%NO_SUCH% is not an operator",
		"%DURATION":         "no % at its end",
		"%REQ(:PATH%":       "no ) at its end",
		"%REQ()%":           "does not name the fields",
		"%REQ(A?)%":         "does not name the fields",
		"%REQ(A):x%":        "is not a length",
		"%REQ(A)x%":         "no % at its end",
		"%RESPONSE_CODE()%": "takes no argument",
		"%":                 "no % at its end",
	} {
		if _, err := Text(format); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", format, err, want)
		}
	}
	if _, err := JSON(map[string]string{"a": "%NO%"}); err == nil || !strings.HasPrefix(err.Error(), "a: ") {
		t.Errorf("JSON: %v", err)
	}
}

// Formats come from users: whatever they write, no line panics, and JSON is JSON.
func FuzzFormat(f *testing.F) {
	for _, seed := range []string{defaultText, "%REQ(A?B):3%", "%START_TIME(%Y%3f%)%", "%%", "%REQ(%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if f, err := Text(text); err == nil {
			f.Append(nil, entry(f))
		}
		if f, err := JSON(map[string]string{"a": text, "b": "%RESPONSE_CODE%"}); err == nil && !json.Valid(f.Append(nil, entry(f))) {
			t.Errorf("not JSON: %s", f.Append(nil, entry(f)))
		}
	})
}
