package proxy

// Stats is a reading of counters; all of them only grow, but for the gauges
// Active and Inflight.
type Stats struct {
	Requests      int64
	Target        [6]int64 // responses by first digit of the status: Target[2] = 2XX
	Own           [6]int64 // answers made by the proxy itself
	Own500        int64
	Own502        int64
	Own503        int64
	Own504        int64
	Redirects     int64
	Fixed         int64
	ConnErrors    int64 // failed connections to targets
	BytesReceived int64
	BytesSent     int64
	Latency       Histogram

	NewConns      int64 // of owners: client connections accepted
	ActiveConns   int64
	RejectedConns int64
	TLSErrors     int64
	// UnmatchedConns are client connections that fit no chain. Those of a socket count for the owner of its first listener.
	UnmatchedConns int64

	Retries          int64 // tries that followed another
	RetriesOK        int64 // requests that were answered well after retries
	RetriesExhausted int64 // requests that would have been tried again
	PerTryTimeouts   int64
	Timeouts         int64 // of whole exchanges
	Overflows        int64 // of groups: requests refused by Limits
	Pending          int64 // of groups: requests that wait for a connection now
	Ejections        int64 // of groups
	Ejected          int64 // now

	TCP TCPStats
	TLS TLSStats // of groups: handshakes with targets

	Targets []TargetStats // of groups
	Codes   map[int]int64 // of groups: requests by the status their client got, 100 to 599
}

// TargetStats is a reading of one target.
type TargetStats struct {
	Addr            string
	Requests        int64
	Inflight        int64
	Idle            int   // pooled connections
	Errors          int64 // answers of 500 and above
	ConnectFailures int64
	Ejected         bool
}

func (m *meter) read() Stats {
	s := Stats{
		Requests: m.requests.Load(), Redirects: m.redirects.Load(), Fixed: m.fixed.Load(), ConnErrors: m.connErrs.Load(),
		BytesReceived: m.received.Load(), BytesSent: m.sent.Load(), Latency: m.latency.read(), TCP: m.tcp.read(), TLS: m.tls.read(),
		Retries: m.retries.Load(), RetriesOK: m.retriesOK.Load(), RetriesExhausted: m.exhausted.Load(),
		PerTryTimeouts: m.perTry.Load(), Timeouts: m.timeouts.Load(), Overflows: m.overflows.Load(), Ejections: m.ejections.Load(),
		Own500: m.status[0].Load(), Own502: m.status[1].Load(), Own503: m.status[2].Load(), Own504: m.status[3].Load(),
	}
	for i := range m.target {
		s.Target[i], s.Own[i] = m.target[i].Load(), m.own[i].Load()
	}
	return s
}

func (t *target) read() TargetStats {
	return TargetStats{
		Addr: t.addr, Requests: t.requests.Load(), Inflight: t.inflight.Load(), Idle: t.pooled(),
		Errors: t.errors.Load(), ConnectFailures: t.refusal.Load(), Ejected: t.ejected.Load(),
	}
}
