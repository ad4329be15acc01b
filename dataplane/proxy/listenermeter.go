package proxy

import "sync/atomic"

// listenerMeter counts for one listener; it outlives changes of its
// configuration.
type listenerMeter struct {
	accepted atomic.Int64
	active   atomic.Int64
	tls      tlsMeter
	tcp      tcpMeter
}

// ListenerStats is a reading of one listener's counters; requests are counted
// by owner.
type ListenerStats struct {
	Conns       int64 // client connections; of several listeners of a chain the one its first request is for has it
	ActiveConns int64
	TLS         TLSStats
	TCP         TCPStats
}

func (m *listenerMeter) read() ListenerStats {
	return ListenerStats{Conns: m.accepted.Load(), ActiveConns: m.active.Load(), TLS: m.tls.read(), TCP: m.tcp.read()}
}

// tcpMeter counts connections that are carried as TCP.
type tcpMeter struct {
	conns, active, refused, received, sent atomic.Int64
}

// TCPStats is a reading of connections carried as TCP.
type TCPStats struct {
	Conns    int64
	Active   int64
	Failed   int64 // no target took them
	Received int64 // bytes from clients
	Sent     int64 // bytes to clients
}

func (m *tcpMeter) read() TCPStats {
	return TCPStats{m.conns.Load(), m.active.Load(), m.refused.Load(), m.received.Load(), m.sent.Load()}
}

// Listeners reads the counters of every listener, by id.
func (s *Server) Listeners() map[string]ListenerStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]ListenerStats{}
	for id, m := range s.listeners {
		out[id] = m.read()
	}
	return out
}
