// Package h2 is HTTP/2 (RFC 9113) for the proxy: connections of either role
// over which many requests are carried in few system calls, and their streams
// as pairs of heads and bytes. It knows nothing of routing.
//
// Everything that is to be written collects in a buffer that one goroutine per
// connection writes, so what several requests have to say becomes one record
// of TLS and one call. Heads are given as HTTP/1.1 header lines, which the
// proxy has, and are handed out as fields whose bytes were checked: what
// could not be in a line of HTTP/1.1 never gets there.
//
// Invariants: memory per connection is bounded, by windows for bodies, by
// limits for heads and for what is to be written; a stream that was refused
// (ErrRefused) was not acted on; a message ends only where its peer has ended
// it, and has the length it said.
package h2

import (
	"errors"
	"fmt"
	"time"
)

// Config is the manners of a connection.
type Config struct {
	// Handle is given every request of a client's connection, on the goroutine
	// that reads: it must not block, and see to it that the stream is released.
	Handle func(*Stream)
	// Streams is how many requests a client may have in flight. Default 128.
	Streams int
	// Idle is how long a client may have no request in flight; 0: for ever.
	Idle time.Duration
	// Stall is how long a peer may read nothing of what is to be written.
	// Default 60 s.
	Stall time.Duration
}

const (
	defaultStreams = 128
	defaultStall   = 60 * time.Second

	frameHeader = 9
	maxFrame    = 16 << 10 // payload: what both sides send and take (SETTINGS_MAX_FRAME_SIZE is left alone)

	streamWindow = 64<<10 - 1 // of what comes on a stream (SETTINGS_INITIAL_WINDOW_SIZE is left alone)
	connWindow   = 8 << 20    // of what comes on all of them
	tableSize    = 4 << 10    // of HPACK, both ways

	maxHead    = 64 << 10 // fields of a head, decoded
	maxBlock   = 64 << 10 // the same, encoded
	maxFields  = 1000
	maxPending = 256 << 10 // bodies to be written, before their writers wait
	maxControl = 4 << 10   // frames nobody asked for that wait to be answered
	maxIdle    = 10_000    // frames in a row that say nothing
	maxResets  = 2_000     // requests that came to nothing, more than those that did not
)

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Preface is what a client says first (RFC 9113, 3.4). Its first lines are a
// head to a reader of HTTP/1.1.
const Preface = preface

// Code is why a stream or connection was ended (RFC 9113, 7).
type Code uint32

// The codes.
const (
	NoError            Code = 0
	ProtocolError      Code = 1
	InternalError      Code = 2
	FlowControlError   Code = 3
	SettingsTimeout    Code = 4
	StreamClosed       Code = 5
	FrameSizeError     Code = 6
	RefusedStream      Code = 7
	Cancel             Code = 8
	CompressionError   Code = 9
	ConnectError       Code = 10
	EnhanceYourCalm    Code = 11
	InadequateSecurity Code = 12
	HTTP11Required     Code = 13
)

// ConnError ends a connection.
type ConnError struct {
	Code Code
	Why  string
}

func (e *ConnError) Error() string {
	return fmt.Sprintf("HTTP/2 connection ended (code %d): %s", e.Code, e.Why)
}

// StreamError ended one stream.
type StreamError struct {
	Code Code
	Peer bool // who ended it
}

func (e *StreamError) Error() string { return fmt.Sprintf("HTTP/2 stream ended (code %d)", e.Code) }

// What streams end with besides.
var (
	// ErrRefused says that the peer has not acted on the request.
	ErrRefused = errors.New("HTTP/2 stream refused")
	// ErrGone says that a connection takes no new requests.
	ErrGone = errors.New("HTTP/2 connection is going away")
	// ErrSilent ended a connection whose peer gave no sign of life, see Check.
	ErrSilent = errors.New("HTTP/2 peer is silent")
	errClosed = errors.New("HTTP/2 connection closed")
)

func fatal(code Code, why string) error { return &ConnError{code, why} }
