package proxy

import (
	"crypto/tls"
	"net/netip"
	"time"

	"github.com/slipway-dev/slipway/dataplane/accesslog"
)

// Config is everything a Server serves: plain data, built by a pure function
// of what its owner knows. Apply compares it with what runs and changes only
// the difference, so that no connection is dropped that need not be.
type Config struct {
	Listeners []Listener
	Groups    []Group
}

// Listener is one virtual listener. Several may share one Addr: a request is
// then given to the one whose Names hold its Host (TLS: its server name). A
// listener alone at its address takes any name.
type Listener struct {
	ID    string   // unique
	Owner string   // what its metrics and access log lines are counted for, such as a load balancer
	Addr  string   // socket, as given to Options.Listen
	Names []string // host names without port, lower case
	Port  int      // what clients see: X-Forwarded-Port, #{port}
	TLS   *TLS     // nil: plain
	Rules []Rule   // in order of evaluation; the last one normally has no condition
	// TCP carries bytes to a group whatever they mean, by weight; Rules and Names are not looked at.
	TCP *Forward
	// Chain says which connections of the socket are meant. Listeners of one Addr with equal chains share those by Names.
	Chain Chain

	Settings Settings
}

// Chain selects connections of a socket. Of the chains that fit one, the most
// specific is taken: by port first, then by the length of the prefix, then
// Plain. A connection that fits none is closed. All listeners of a socket are
// Redirected or none.
type Chain struct {
	// Redirected: packet filters sent the connections here; Port and Net are
	// those of where they were going (SO_ORIGINAL_DST). A connection that was
	// going to this socket itself is closed.
	Redirected bool
	Port       uint16       // 0 = any
	Net        netip.Prefix // invalid = any
	// Plain takes, of what would go to the listener with TLS that has otherwise the same chain, the connections that
	// do not begin with a ClientHello.
	Plain bool
}

// TLS is how a listener ends TLS.
type TLS struct {
	Certificates []tls.Certificate // the first is the default; the others are chosen by server name
	MinVersion   uint16            // default TLS 1.2
	CipherSuites []uint16          // of TLS 1.2; nil: Go's choice
	// Config ends TLS in place of all the above, such as pki.Side's, which asks for the certificate with every handshake.
	Config *tls.Config
}

// Settings are the manners of a listener. The zero value forwards plainly:
// no Server header of its own, no trace header, 60 s idle timeout.
type Settings struct {
	IdleTimeout         time.Duration // no byte either way; default 60 s
	KeepAlive           time.Duration // age after which a client connection is closed; default 3600 s
	Server              string        // Server header of answers made here, such as awselb/2.0
	Trace               bool          // X-Amzn-Trace-Id
	HTTP2               bool          // offered by ALPN on TLS listeners; on others taken by prior knowledge if Plain
	DropInvalidFields   bool          // drop header names outside [-A-Za-z0-9]
	Forwarded           Forwarded     // what becomes of X-Forwarded-For
	ForwardedClientPort bool          // X-Forwarded-For carries the client's port too
	TLSFields           bool          // X-Amzn-Tls-Version and -Cipher-Suite to targets
	AccessLog           bool          // write a line of ELB's format to Options.AccessLog per request
	Log                 *Log          // write a line of another format instead
	ResponseFields      [][2]string   // header fields set on every response, replacing the target's
	// Plain adds none of a load balancer's fields (X-Forwarded-*): what came goes on.
	Plain bool
	// TraceContext gives requests without a traceparent one (W3C Trace Context); one that came is passed on.
	TraceContext bool
	// ClientCert tells targets who the client proved to be: X-Forwarded-Client-Cert, in Envoy's form, replacing what came.
	ClientCert bool
	// Refused marks the answers of a Plain listener to requests that reached no target with RefusedField, for load balancers.
	Refused bool
}

// Log is an access log with a format of its own. Write gets one line per
// request; it must not block for long, and may keep line.
type Log struct {
	Format *accesslog.Format
	Write  func(line []byte)
}

// Forwarded says what becomes of X-Forwarded-For.
type Forwarded int

// The modes of X-Forwarded-For: append the client's address (default), pass
// it as it came, or remove it.
const (
	Append Forwarded = iota
	Preserve
	Remove
)

// Rule sends the requests that match all its conditions to its action.
type Rule struct {
	ID         string
	Priority   string // for the access log: a number or "default"
	Conditions []Condition
	Action     Action
}

// Field is what a Condition looks at.
type Field string

// The fields of conditions, in ELB's words.
const (
	PathPattern Field = "path-pattern"
	HostHeader  Field = "host-header"
	HTTPHeader  Field = "http-header"
	Method      Field = "http-request-method"
	QueryString Field = "query-string"
	SourceIP    Field = "source-ip"
)

// The fields that meshes have besides, in Envoy's words.
const (
	QueryParameter Field = "query-parameter" // the values of Name
	Scheme         Field = "scheme"
	Port           Field = "port" // that the connection was going to
)

// Condition holds when any value of the request's matches in any of the ways
// that are given. Values may hold the wildcards * (any characters) and ? (one
// character), except for methods (exact) and source-ip (CIDR blocks); with
// them path, scheme and query parameters are compared by case, host, header
// and query string are not. All other ways are by case.
type Condition struct {
	Field  Field
	Name   string // of the header or query parameter
	Values []string
	Query  []KeyValue // for QueryString; an empty key matches any key
	Regex  []string   // regular expressions (RE2) of the whole value; of a path without its query

	// What meshes match by. A host is looked at with its port and without it.
	Exact, Prefix, Suffix []string
	Present               bool   // it is there, whatever its value
	Range                 *Range // it is a whole number within
	Not                   bool   // the condition holds when it otherwise would not
}

// Range is the whole numbers from From on and below To.
type Range struct{ From, To int64 }

// KeyValue is a query-string pattern.
type KeyValue struct{ Key, Value string }

// Action is what is done with a request: exactly one member is set.
type Action struct {
	Forward  *Forward
	Redirect *Redirect
	Fixed    *Fixed
}

// Forward sends the request to one of the groups, by weight.
type Forward struct {
	Groups []Weighted
	Sticky time.Duration // group stickiness; 0 = off

	Timeout time.Duration // of the whole exchange, answered 504; 0 = none
	Idle    time.Duration // no byte either way; 0 = the listener's
	Retry   *Retry        // nil: only what is safe, see the package's invariants
	Rewrite *Rewrite
}

// Retry says when a request is sent once more, to another target where there
// is one, unless its body was too long to be kept (64 KiB). Between tries is
// a random time of up to Backoff, doubled with each.
type Retry struct {
	Max     int
	PerTry  time.Duration // 0 = what is left of the Timeout
	Backoff time.Duration // default 25 ms, at most ten times that

	Connect bool  // no connection was had
	Reset   bool  // nothing of a response came, whyever: also what Connect and Refused say, and the time of a try that is over
	Refused bool  // an HTTP/2 stream was refused, which counts as an answer of 503, too
	Status  []int // answers; 5 stands for 500 to 599
	GRPC    []int // status codes of answers without a body
}

// Rewrite changes what the target is asked for. Zero members change nothing.
type Rewrite struct {
	Host   string
	Path   string // replaces the path
	Prefix string // replaces Match, which the path begins with
	Match  string
	// Regex and Substitute replace in the path (RE2, \1 for groups).
	Regex, Substitute string
}

// Weighted is a group with its share; weight 0 gets nothing.
type Weighted struct {
	Group  string
	Weight int
}

// Redirect answers 301 or 302. Empty parts and the placeholders #{protocol},
// #{host}, #{port}, #{path} and #{query} stand for the request's own.
type Redirect struct {
	Protocol, Host, Port, Path, Query string
	Status                            int
}

// Fixed answers by itself.
type Fixed struct {
	Status      int
	ContentType string
	Body        string
}

// Version is the protocol spoken to targets.
type Version string

// The protocol versions of a group. Any is HTTP/2 with targets whose TLS
// agrees to it, and HTTP/1.1 with all others; it is what two proxies speak to
// each other best.
const (
	HTTP1 Version = "HTTP1"
	HTTP2 Version = "HTTP2"
	GRPC  Version = "GRPC"
	Any   Version = "ANY"
)

// Balance is how a target is chosen.
type Balance string

// The ways to choose. TwoChoice takes the less busy of two drawn at random;
// LeastOutstanding the least busy of all.
const (
	RoundRobin       Balance = "round_robin"
	LeastOutstanding Balance = "least_outstanding_requests"
	Random           Balance = "weighted_random"
	TwoChoice        Balance = "two_choice"
)

// Group is a set of targets that serve the same thing.
type Group struct {
	ID        string
	Network   string // passed to Options.Dial: where from to dial
	Version   Version
	TLS       *tls.Config // to targets; nil: plain
	Balance   Balance     // default RoundRobin
	SlowStart time.Duration
	Sticky    *Sticky
	Targets   []Target

	ConnectTimeout time.Duration // default 10 s

	// Original has one target: where the client's connection was going before it was redirected. Targets is empty.
	Original bool
	Outlier  *Outlier
	Limits   Limits
}

// Outlier ejects a target for a while after a row of failures: answers of
// 500 to 599, and connections that failed. At least one target stays.
type Outlier struct {
	Errors     int           // in a row
	Interval   time.Duration // of looking, which is also when ejected ones come back
	Ejection   time.Duration // times the number of ejections in a row
	MaxPercent int           // of the group
}

// Limits are what a group bears; a request beyond is answered 503 at once. 0
// is no limit.
type Limits struct {
	Conns    int // to its targets
	Pending  int // requests that wait for one of them (HTTP/1.1)
	Requests int // in flight (HTTP/2)
}

// Sticky keeps a client on its target by cookie.
type Sticky struct {
	Cookie   string // the application's own cookie; empty: one made by the proxy
	Duration time.Duration
}

// Target is one member of a group.
type Target struct {
	Addr  string // ip:port, unique in the group
	State State
	Since time.Time // when it became healthy: begin of its slow start
	// Weight is its relative share; 0 = 1.
	Weight int
}

// State is what a target may get.
type State int

// A Healthy target gets requests. An Unhealthy one gets them only when no
// target of the group is healthy (fail open). A Draining one finishes what
// it has.
const (
	Healthy State = iota
	Unhealthy
	Draining
)
