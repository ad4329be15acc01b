package h2

import (
	"net"
	"time"
)

// Streams are connections to whoever carries bytes between two of them.
var _ net.Conn = (*Stream)(nil)

// Close ends the stream, both ways.
func (s *Stream) Close() error {
	s.Reset(Cancel)
	return nil
}

// CloseWrite ends the message that is sent.
func (s *Stream) CloseWrite() error { return s.send(nil, true) }

// LocalAddr is the connection's.
func (s *Stream) LocalAddr() net.Addr { return s.c.nc.LocalAddr() }

// RemoteAddr is the connection's.
func (s *Stream) RemoteAddr() net.Addr { return s.c.nc.RemoteAddr() }

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (s *Stream) SetDeadline(t time.Time) error {
	_ = s.SetReadDeadline(t)
	return s.SetWriteDeadline(t)
}
