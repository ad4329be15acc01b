package proxy

import (
	"strconv"
	"time"

	"github.com/slipway-dev/slipway/dataplane/accesslog"
)

// flags are what access logs say of requests without a target's response.
var flags = map[string]string{
	whyNoTarget: accesslog.FlagNoTarget, whyTimeout: accesslog.FlagTimeout, whyOverflow: accesslog.FlagOverflow, whyConnect: accesslog.FlagConnect,
	whyReset: accesslog.FlagReset, whyProtocol: accesslog.FlagProtocol, whyRefused: accesslog.FlagRemoteReset,
}

// keepRequest saves what a Log wants of the request's head, once, while it is
// still in its buffer.
func (rec *record) keepRequest(r *request) {
	if rec.protocol != "" {
		return
	}
	if rec.protocol = "HTTP/2"; r.major != 2 {
		rec.protocol = "HTTP/1." + strconv.Itoa(r.minor)
	}
	for _, name := range rec.virtual.cfg.Settings.Log.Format.Request {
		var v []byte
		switch name {
		case ":method":
			v = r.method
		case ":path":
			v = r.target
		case ":authority":
			v = r.host
		case ":scheme":
			v = []byte(r.scheme)
		default:
			v = fieldOf(r.fields, name)
		}
		rec.asked = append(rec.asked, string(v))
	}
}

// keepResponse does the same of the target's response.
func (rec *record) keepResponse(r *response) {
	log := rec.virtual.cfg.Settings.Log
	if log == nil {
		return
	}
	for _, name := range log.Format.Response {
		v := fieldOf(r.fields, name)
		if name == ":status" {
			v = strconv.AppendInt(nil, int64(r.status), 10)
		}
		rec.told = append(rec.told, string(v))
	}
}

// entry is the record as a Log wants it.
func (rec *record) entry() *accesslog.Entry {
	since := func(at int64) time.Duration { return time.Duration(max(at-rec.start, 0)) }
	e := &accesslog.Entry{
		Start: rec.wall, Took: since(rec.end), Sent: since(rec.sent), Answered: since(rec.first), Protocol: rec.protocol, Status: rec.status, Flags: rec.flags,
		Received: rec.in - rec.head, Bytes: rec.body, Client: rec.client, Local: rec.local, TLS: rec.tls, Request: rec.asked, Response: rec.told,
	}
	if rec.flags == accesslog.FlagClientGone {
		e.Status = 0
	}
	if rec.target != nil {
		e.Host = rec.target.addr
	}
	if rec.group != nil {
		e.Cluster = rec.group.id
	}
	if rec.route != nil {
		e.Route = rec.route.rule.ID
	}
	return e
}
