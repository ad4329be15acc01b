package proxy

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// reasons are the reason phrases ALB uses where they differ from net/http's.
var reasons = map[int]string{
	414: "Request-URI Too Large",
	431: "Request Header Fields Too Large",
	460: "Client Closed Connection",
	463: "Bad Request",
	464: "Incompatible Protocol",
	503: "Service Temporarily Unavailable",
	504: "Gateway Time-out",
}

func reason(status int) string {
	if r, ok := reasons[status]; ok {
		return r
	}
	if r := http.StatusText(status); r != "" {
		return r
	}
	return "Unknown"
}

// page is the HTML body of the answers the proxy makes itself, byte for byte
// ALB's.
func page(status int) string {
	title := strconv.Itoa(status) + " " + reason(status)
	return "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n</body>\r\n</html>\r\n"
}

// answer is a response made by the proxy: to an error, a redirect or a fixed
// response.
type answer struct {
	status   int
	kind     string // content type
	location string
	body     string
	// overloaded tells the client's own proxy that trying again does harm.
	overloaded bool
	refused    bool // RefusedField
	grpc       int  // status of a call; body is its message
}

func errorAnswer(status int) answer {
	return answer{status: status, kind: "text/html", body: page(status)}
}

func (f *Fixed) answer() answer {
	kind := f.ContentType
	if strings.HasPrefix(kind, "text/") && !strings.Contains(kind, "charset") {
		kind += "; charset=utf-8"
	}
	return answer{status: f.Status, kind: kind, body: f.Body}
}

func (d *Redirect) answer(r *request, v *virtual) answer {
	a := errorAnswer(d.Status)
	a.location = d.location(r, v)
	return a
}

// location fills the placeholders in.
func (d *Redirect) location(r *request, v *virtual) string {
	proto, port := "http", strconv.Itoa(v.cfg.Port)
	if name := r.hostname(); len(r.host) > len(name)+1 {
		port = string(r.host[len(name)+1:]) // where the client came in
	}
	if v.cfg.TLS != nil {
		proto = "https"
	}
	own := strings.NewReplacer("#{protocol}", proto, "#{host}", string(r.hostname()), "#{port}", port,
		"#{path}", strings.TrimPrefix(string(r.path), "/"), "#{query}", string(r.query))
	or := func(s, otherwise string) string {
		if s == "" {
			s = otherwise
		}
		return own.Replace(s)
	}
	to := strings.ToLower(or(d.Protocol, "#{protocol}"))
	out := to + "://" + or(d.Host, "#{host}") + ":" + or(d.Port, "#{port}") + or(d.Path, "/#{path}")
	if q := or(d.Query, "#{query}"); q != "" {
		out += "?" + q
	}
	return out
}

// dates caches the Date header's value for a second.
var dates atomic.Pointer[date]

type date struct {
	unix int64
	text string
}

func httpDate(now time.Time) string {
	u := now.Unix()
	if d := dates.Load(); d != nil && d.unix == u {
		return d.text
	}
	d := &date{u, now.UTC().Format(http.TimeFormat)}
	dates.Store(d)
	return d.text
}

// appendAnswer writes a as an HTTP/1.1 response, without its body for HEAD.
func appendAnswer(out []byte, a answer, set *Settings, fields []byte, head, keep bool, now time.Time) []byte {
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(a.status), 10)
	out = append(out, ' ')
	out = append(out, reason(a.status)...)
	out = append(out, "\r\n"...)
	if set.Server != "" {
		out = append(append(append(out, "Server: "...), set.Server...), "\r\n"...)
	}
	out = append(append(append(out, "Date: "...), httpDate(now)...), "\r\n"...)
	if a.kind != "" {
		out = append(append(append(out, "Content-Type: "...), a.kind...), "\r\n"...)
	}
	if a.grpc != 0 {
		out = append(strconv.AppendInt(append(out, "Grpc-Status: "...), int64(a.grpc), 10), "\r\nGrpc-Message: "...)
		out = append(append(out, a.body...), "\r\n"...)
		a.body = ""
	} else if a.status >= 200 && a.status != 204 && a.status != 304 {
		out = append(out, "Content-Length: "...)
		out = strconv.AppendInt(out, int64(len(a.body)), 10)
		out = append(out, "\r\n"...)
	}
	out = append(out, fields...)
	if a.overloaded {
		out = append(out, "X-Envoy-Overloaded: true\r\n"...)
	}
	if a.refused {
		out = append(out, RefusedField+": true\r\n"...)
	}
	if a.location != "" {
		out = append(append(append(out, "Location: "...), a.location...), "\r\n"...)
	}
	out = append(out, connectionLine(keep)...)
	out = append(out, "\r\n"...)
	if !head && a.status != 204 && a.status != 304 {
		out = append(out, a.body...)
	}
	return out
}

func connectionLine(keep bool) string {
	if keep {
		return "Connection: keep-alive\r\n"
	}
	return "Connection: close\r\n"
}
