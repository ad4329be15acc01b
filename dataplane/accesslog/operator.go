package accesslog

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Entry is what is known of a request that is over. What is empty is not
// known, and durations are from the start, 0 where it did not come to that.
type Entry struct {
	Start                time.Time
	Took, Sent, Answered time.Duration // until the end, the request was sent on, the response began
	Protocol             string        // HTTP/1.1, HTTP/2
	Status               int           // that the client got; 0: none
	Flags                string        // why there is no target's response; see Flag constants
	Received, Bytes      int64         // bytes of the bodies
	Host, Cluster, Route string        // of the target
	Client, Local        netip.AddrPort
	TLS                  *tls.ConnectionState // with the client
	Request, Response    []string             // values of Format.Request and Format.Response
}

// The flags of responses (Envoy, "Access logging", RESPONSE_FLAGS).
const (
	FlagNoTarget    = "UH"  // no healthy target
	FlagConnect     = "UF"  // no connection to it
	FlagReset       = "UC"  // its connection ended
	FlagRemoteReset = "UR"  // it reset the stream
	FlagProtocol    = "UPE" // what it said is not HTTP
	FlagTimeout     = "UT"
	FlagOverflow    = "UO" // more than a limit lets pass
	FlagNoRoute     = "NR"
	FlagClientGone  = "DC"
	FlagClientError = "DPE" // what the client said is not HTTP
)

// operator gives a value, empty if there is none, and whether it is a number.
type operator func(e *Entry) (value string, number bool)

// plain are the operators without an argument.
var plain = map[string]operator{
	"RESPONSE_CODE":     func(e *Entry) (string, bool) { return strconv.Itoa(e.Status), true },
	"RESPONSE_FLAGS":    func(e *Entry) (string, bool) { return e.Flags, false },
	"BYTES_RECEIVED":    func(e *Entry) (string, bool) { return strconv.FormatInt(e.Received, 10), true },
	"BYTES_SENT":        func(e *Entry) (string, bool) { return strconv.FormatInt(e.Bytes, 10), true },
	"PROTOCOL":          func(e *Entry) (string, bool) { return e.Protocol, false },
	"DURATION":          func(e *Entry) (string, bool) { return milliseconds(e.Took), true },
	"REQUEST_DURATION":  func(e *Entry) (string, bool) { return reached(e.Sent), true },
	"RESPONSE_DURATION": func(e *Entry) (string, bool) { return reached(e.Answered), true },
	"UPSTREAM_HOST":     func(e *Entry) (string, bool) { return e.Host, false },
	"UPSTREAM_CLUSTER":  func(e *Entry) (string, bool) { return e.Cluster, false },
	"ROUTE_NAME":        func(e *Entry) (string, bool) { return e.Route, false },
	"HOSTNAME": func(*Entry) (string, bool) {
		name, _ := os.Hostname()
		return name, false
	},
	"DOWNSTREAM_REMOTE_ADDRESS":                     func(e *Entry) (string, bool) { return address(e.Client), false },
	"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT":        func(e *Entry) (string, bool) { return host(e.Client), false },
	"DOWNSTREAM_REMOTE_PORT":                        func(e *Entry) (string, bool) { return port(e.Client), true },
	"DOWNSTREAM_DIRECT_REMOTE_ADDRESS":              func(e *Entry) (string, bool) { return address(e.Client), false },
	"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": func(e *Entry) (string, bool) { return host(e.Client), false },
	"DOWNSTREAM_DIRECT_REMOTE_PORT":                 func(e *Entry) (string, bool) { return port(e.Client), true },
	"DOWNSTREAM_LOCAL_ADDRESS":                      func(e *Entry) (string, bool) { return address(e.Local), false },
	"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT":         func(e *Entry) (string, bool) { return host(e.Local), false },
	"DOWNSTREAM_LOCAL_PORT":                         func(e *Entry) (string, bool) { return port(e.Local), true },
	"REQUESTED_SERVER_NAME":                         secured(func(s *tls.ConnectionState) string { return s.ServerName }),
	"DOWNSTREAM_TLS_VERSION": secured(func(s *tls.ConnectionState) string {
		return strings.ReplaceAll(tls.VersionName(s.Version), "TLS ", "TLSv")
	}),
	"DOWNSTREAM_TLS_CIPHER":      secured(func(s *tls.ConnectionState) string { return tls.CipherSuiteName(s.CipherSuite) }),
	"DOWNSTREAM_PEER_SUBJECT":    proved(func(s *tls.ConnectionState) string { return s.PeerCertificates[0].Subject.String() }),
	"DOWNSTREAM_PEER_ISSUER":     proved(func(s *tls.ConnectionState) string { return s.PeerCertificates[0].Issuer.String() }),
	"DOWNSTREAM_PEER_SERIAL":     proved(func(s *tls.ConnectionState) string { return s.PeerCertificates[0].SerialNumber.Text(16) }),
	"DOWNSTREAM_PEER_URI_SAN":    proved(uris),
	"DOWNSTREAM_PEER_DNS_SAN":    proved(func(s *tls.ConnectionState) string { return strings.Join(s.PeerCertificates[0].DNSNames, ",") }),
	"DOWNSTREAM_PEER_CERT_V_END": proved(func(s *tls.ConnectionState) string { return s.PeerCertificates[0].NotAfter.UTC().Format(defaultTime) }),
}

// absent are operators of Envoy's whose values nobody knows here.
var absent = []string{
	"RESPONSE_CODE_DETAILS", "CONNECTION_TERMINATION_DETAILS", "RESPONSE_TX_DURATION", "CONNECTION_ID", "UPSTREAM_LOCAL_ADDRESS",
	"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "UPSTREAM_LOCAL_PORT", "UPSTREAM_REMOTE_ADDRESS", "UPSTREAM_WIRE_BYTES_SENT", "UPSTREAM_WIRE_BYTES_RECEIVED",
	"UPSTREAM_HEADER_BYTES_SENT", "UPSTREAM_HEADER_BYTES_RECEIVED", "DOWNSTREAM_WIRE_BYTES_SENT", "DOWNSTREAM_WIRE_BYTES_RECEIVED",
	"DOWNSTREAM_HEADER_BYTES_SENT", "DOWNSTREAM_HEADER_BYTES_RECEIVED", "UPSTREAM_REQUEST_ATTEMPT_COUNT", "GRPC_STATUS", "GRPC_STATUS_NUMBER",
	"DYNAMIC_METADATA", "CLUSTER_METADATA", "UPSTREAM_METADATA", "FILTER_STATE", "DOWNSTREAM_LOCAL_URI_SAN", "DOWNSTREAM_LOCAL_SUBJECT",
	"DOWNSTREAM_TLS_SESSION_ID", "DOWNSTREAM_PEER_FINGERPRINT_256", "DOWNSTREAM_PEER_FINGERPRINT_1", "DOWNSTREAM_PEER_CERT",
	"DOWNSTREAM_PEER_CERT_V_START", "DOWNSTREAM_TRANSPORT_FAILURE_REASON", "UPSTREAM_PEER_SUBJECT", "UPSTREAM_PEER_URI_SAN", "UPSTREAM_TLS_VERSION",
	"UPSTREAM_TLS_CIPHER", "TRAILER", "STREAM_ID", "VIRTUAL_CLUSTER_NAME", "TRACE_ID",
	"UPSTREAM_TRANSPORT_FAILURE_REASON",
}

// serviceTime is a field that Envoy adds to responses.
const serviceTime = "x-envoy-upstream-service-time"

// operator finds an operator by its name.
func (f *Format) operator(name, argument string, given bool) (operator, error) {
	switch name {
	case "START_TIME":
		return startTime(argument), nil
	case "REQ":
		return lookUp(&f.Request, argument, func(e *Entry) []string { return e.Request })
	case "RESP":
		if strings.EqualFold(argument, serviceTime) {
			return func(e *Entry) (string, bool) { return e.serviceTime(), true }, nil
		}
		return lookUp(&f.Response, argument, func(e *Entry) []string { return e.Response })
	}
	if slices.Contains(absent, name) {
		return func(*Entry) (string, bool) { return "", false }, nil
	}
	op, ok := plain[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("%%%s%% is not an operator of access logs", name)
	case given:
		return nil, fmt.Errorf("%%%s%% takes no argument", name)
	}
	return op, nil
}

// lookUp is the value of a field, or of another where the first is absent:
// "FIRST?OTHER".
func lookUp(names *[]string, argument string, values func(*Entry) []string) (operator, error) {
	wanted := strings.SplitN(strings.ToLower(argument), "?", 2)
	if slices.Contains(wanted, "") {
		return nil, fmt.Errorf("%q does not name the fields that %%REQ(NAME?OTHER)%% and %%RESP(NAME?OTHER)%% want", argument)
	}
	var at []int
	for _, name := range wanted {
		i := slices.Index(*names, name)
		if i < 0 {
			i = len(*names)
			*names = append(*names, name)
		}
		at = append(at, i)
	}
	return func(e *Entry) (string, bool) {
		have := values(e)
		for _, i := range at {
			if i < len(have) && have[i] != "" {
				return have[i], false
			}
		}
		return "", false
	}, nil
}

// serviceTime is how long the target took, in milliseconds.
func (e *Entry) serviceTime() string {
	if e.Answered == 0 {
		return ""
	}
	return milliseconds(e.Answered - e.Sent)
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// reached is the time of something that may not have come to pass.
func reached(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return milliseconds(d)
}

func address(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return net.JoinHostPort(a.Addr().Unmap().String(), strconv.Itoa(int(a.Port())))
}

func host(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.Addr().Unmap().String()
}

func port(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return strconv.Itoa(int(a.Port()))
}

func secured(get func(*tls.ConnectionState) string) operator {
	return func(e *Entry) (string, bool) {
		if e.TLS == nil {
			return "", false
		}
		return get(e.TLS), false
	}
}

func proved(get func(*tls.ConnectionState) string) operator {
	return secured(func(s *tls.ConnectionState) string {
		if len(s.PeerCertificates) == 0 {
			return ""
		}
		return get(s)
	})
}

func uris(s *tls.ConnectionState) string {
	var out []string
	for _, u := range s.PeerCertificates[0].URIs {
		out = append(out, u.String())
	}
	return strings.Join(out, ",")
}
