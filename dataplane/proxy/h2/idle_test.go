package h2

import (
	"io"
	"net"
	"testing"
	"time"
)

// A client that asks for nothing cannot stay by sending frames byte by byte.
func TestATrickleKeepsNobody(t *testing.T) {
	frame := append([]byte{0, 0x40, 0, 0xbb, 0, 0, 0, 0, 0}, make([]byte, maxFrame)...) // of a kind that is ignored
	a, b := net.Pipe()
	defer a.Close()
	server := Server(b, Config{Handle: func(s *Stream) { s.Release() }, Idle: 20 * time.Millisecond})
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve() }()
	go func() { _, _ = io.Copy(io.Discard, a) }()
	if _, err := a.Write([]byte(preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00")); err != nil {
		t.Fatal(err)
	}
	for n := range 1 << 20 {
		if _, err := a.Write(frame[n%len(frame):][:1]); err != nil {
			<-ended
			return
		}
	}
	t.Error("the connection is still there")
}
