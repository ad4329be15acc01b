package proxy

import (
	"crypto/tls"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// record is what is known of one request when it is over: what metrics and
// the access log are made of.
type record struct {
	start    int64 // nanos: head received
	sent     int64 // given to the target
	first    int64 // first byte of the response
	end      int64
	wall     time.Time
	virtual  *virtual
	route    *route
	group    *group
	target   *target
	status   int // what the client got
	upstream int // what the target answered, 0 = nothing
	in, out  int64
	location string
	why      string // classification reason of a refused request
	own      bool   // answered by the proxy
	text     []byte // request line and the like, kept for the log
	scheme   string
	client   netip.AddrPort
	tls      *tls.ConnectionState

	// Of a Log.
	asked, told []string // values of its Format's Request and Response
	protocol    string
	flags       string         // accesslog.Entry.Flags
	head, body  int64          // bytes of the request's head, of the response's body
	local       netip.AddrPort // where the client was going
}

// keep saves what the access log needs of the head, whose buffer is reused
// for the body.
func (rec *record) keep(r *request, trace []byte) {
	b := rec.text[:0]
	b = append(b, '"')
	b = quoteInto(b, orDash(r.method))
	b = append(b, ' ')
	b = append(b, rec.scheme...)
	b = append(b, "://"...)
	b = quoteInto(b, r.hostname())
	b = append(b, ':')
	if rec.virtual != nil {
		b = append(b, rec.virtual.port...)
	}
	b = quoteInto(b, orDash(r.target))
	b = append(b, ' ')
	b = append(b, r.version...)
	b = append(b, `" "`...)
	b = quoteInto(b, orDash(fieldOf(r.fields, "user-agent")))
	b = append(b, '"', 0, '"')
	b = quoteInto(b, orDash(trace))
	b = append(b, '"', 0, '"')
	if rec.tls != nil {
		b = quoteInto(b, orDash([]byte(rec.tls.ServerName)))
	} else {
		b = append(b, '-')
	}
	rec.text = append(b, '"')
}

func fieldOf(fields []field, name string) []byte {
	for i := range fields {
		if equalFold(fields[i].name, name) {
			return fields[i].value
		}
	}
	return nil
}

func orDash(b []byte) []byte {
	if len(b) == 0 {
		return []byte("-")
	}
	return b
}

// quoteInto escapes what would break the line.
func quoteInto(out, b []byte) []byte {
	for _, c := range b {
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < ' ' || c >= 0x7f:
			out = append(out, '\\', 'x', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		default:
			out = append(out, c)
		}
	}
	return out
}

// finish counts the request and writes its log line.
func (s *Server) finish(rec *record) {
	end := nanos()
	rec.end = end
	v := rec.virtual
	if v == nil {
		return
	}
	m := &v.owner.meter
	m.requests.Add(1)
	m.received.Add(rec.in)
	m.sent.Add(rec.out)
	if rec.own {
		m.answered(rec.status)
	} else if rec.upstream > 0 {
		m.target[rec.upstream/100%6].Add(1)
	}
	if g := rec.group; g != nil {
		g.meter.requests.Add(1)
		if uint(rec.status) < uint(len(g.codes)) {
			g.codes[rec.status].Add(1)
		}
		g.meter.received.Add(rec.in)
		g.meter.sent.Add(rec.out)
		if rec.own {
			g.meter.answered(rec.status)
		} else if rec.upstream > 0 {
			g.meter.target[rec.upstream/100%6].Add(1)
		}
		if rec.first > 0 {
			d := time.Duration(rec.first - rec.sent)
			g.meter.latency.add(d)
			m.latency.add(d)
		}
	}
	if rt := rec.route; rt != nil {
		switch {
		case rt.rule.Action.Redirect != nil:
			m.redirects.Add(1)
		case rt.rule.Action.Fixed != nil:
			m.fixed.Add(1)
		}
	}
	switch log := v.cfg.Settings.Log; {
	case log != nil:
		log.Write(log.Format.Append(nil, rec.entry()))
	case v.cfg.Settings.AccessLog && s.opts.AccessLog != nil:
		s.opts.AccessLog(v.cfg.Owner, rec.line(nil, end))
	}
}

// line is the access log line in ALB's format (Elastic Load Balancing,
// "Access logs for your Application Load Balancer"), newline included.
func (rec *record) line(b []byte, end int64) []byte {
	head, trace, domain := cutLog(rec.text)
	wall := rec.wall.UTC()
	sp := func(s string) { b = append(append(b, s...), ' ') }
	quoted := func(s string) { b = append(append(append(b, '"'), s...), '"', ' ') }
	dash := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	target, status, groupID := "-", "-", "-"
	if rec.target != nil {
		target = rec.target.addr
	}
	if rec.upstream > 0 {
		status = strconv.Itoa(rec.upstream)
	}
	if rec.group != nil {
		groupID = rec.group.id
	}
	sp(dash(rec.kind()))
	sp(wall.Add(time.Duration(end - rec.start)).Format("2006-01-02T15:04:05.000000Z"))
	sp(dash(ownerName(rec.virtual.cfg.Owner)))
	sp(rec.client.String())
	sp(target)
	sp(seconds(rec.start, rec.sent))
	sp(seconds(rec.sent, rec.first))
	sp(seconds(rec.first, end))
	sp(strconv.Itoa(rec.status))
	sp(status)
	sp(strconv.FormatInt(rec.in, 10))
	sp(strconv.FormatInt(rec.out, 10))
	sp(head)
	if rec.tls != nil {
		sp(tls.CipherSuiteName(rec.tls.CipherSuite))
		sp(strings.ReplaceAll(tls.VersionName(rec.tls.Version), "TLS 1.", "TLSv1."))
	} else {
		sp("- -")
	}
	sp(groupID)
	sp(trace)
	sp(domain)
	quoted("-")
	sp(rec.priority())
	sp(wall.Format("2006-01-02T15:04:05.000000Z"))
	quoted(rec.action())
	quoted(dash(rec.location))
	quoted("-")
	quoted(target)
	quoted(status)
	if rec.why != "" {
		quoted("Ambiguous")
		quoted(rec.why)
	} else {
		quoted("-")
		quoted("-")
	}
	b = append(b, "TID_-"...)
	return append(b, '\n')
}

func cutLog(text []byte) (head, trace, domain string) {
	head, rest, _ := strings.Cut(string(text), "\x00")
	trace, domain, _ = strings.Cut(rest, "\x00")
	if head == "" {
		return `"- - -" "-"`, `"-"`, `"-"`
	}
	return head, trace, domain
}

// ownerName is the part of a load balancer's ARN the log shows: app/name/id.
func ownerName(owner string) string {
	if _, after, ok := strings.Cut(owner, ":loadbalancer/"); ok {
		return after
	}
	return owner
}

func seconds(from, to int64) string {
	if from == 0 || to == 0 {
		return "-1"
	}
	return strconv.FormatFloat(time.Duration(to-from).Seconds(), 'f', 3, 64)
}

func (rec *record) kind() string { return rec.scheme }

func (rec *record) priority() string {
	switch {
	case rec.route == nil:
		return "-1"
	case rec.route.rule.Priority == "default":
		return "0"
	}
	return rec.route.rule.Priority
}

func (rec *record) action() string {
	switch rt := rec.route; {
	case rt == nil:
		return "-"
	case rt.rule.Action.Redirect != nil:
		return "redirect"
	case rt.rule.Action.Fixed != nil:
		return "fixed-response"
	}
	return "forward"
}
