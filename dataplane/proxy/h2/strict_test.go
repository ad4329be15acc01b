package h2

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// wire speaks HTTP/2 frame by frame to a server of ours.
type wire struct {
	t  *testing.T
	nc net.Conn
}

// spoken connects, and sends what goes before.
func spoken(t *testing.T, h func(*Stream)) *wire {
	t.Helper()
	a, b := pair(t)
	done := make(chan struct{})
	server := Server(b, Config{Streams: 4, Handle: func(s *Stream) { go func() { defer s.Release(); h(s) }() }})
	go func() { defer close(done); _ = server.Serve() }()
	t.Cleanup(func() { server.Close(); <-done })
	_ = a.SetDeadline(time.Now().Add(10 * time.Second))
	w := &wire{t, a}
	w.send(preface)
	w.frame(kSettings, 0, 0, "")
	return w
}

func (w *wire) send(s string) { _, _ = io.WriteString(w.nc, s) }

func (w *wire) frame(k kind, flags uint8, stream uint32, payload string) {
	w.send(string(append(appendHeader(nil, len(payload), k, flags, stream), payload...)))
}

// fate reads until a stream or the connection is ended, and tells how: "R7" is
// a stream that was reset with code 7, "G1" a connection that was ended with
// code 1, "ok" a response.
func (w *wire) fate() string {
	for {
		var h [frameHeader]byte
		if _, err := io.ReadFull(w.nc, h[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return "closed"
			}
			return err.Error()
		}
		payload := make([]byte, int(h[0])<<16|int(h[1])<<8|int(h[2]))
		if _, err := io.ReadFull(w.nc, payload); err != nil {
			return err.Error()
		}
		switch kind(h[3]) { //nolint:exhaustive // those that end something
		case kReset:
			return "R" + string('0'+rune(binary.BigEndian.Uint32(payload)))
		case kGoAway:
			return "G" + string('0'+rune(binary.BigEndian.Uint32(payload[4:])))
		case kHeaders:
			return "ok"
		}
	}
}

// The ways to break the protocol, each with what becomes of it.
func TestBreaches(t *testing.T) {
	e := &encoder{table: table{limit: tableSize}}
	head := func(lines ...string) string {
		return "\x82\x86\x84\x01\x01a" + string(e.lines(nil, []byte(strings.Join(lines, "\r\n")+"\r\n\r\n")))
	}
	lit := func(name, value string) string {
		return string(appendText(appendText([]byte{0}, []byte(name)), []byte(value)))
	}
	good := head("Accept: */*")
	const ended, whole = flagEndStream | flagEndHeaders, flagEndHeaders
	for name, c := range map[string]struct {
		do   func(w *wire)
		want string
	}{
		"a request": {func(w *wire) { w.frame(kHeaders, ended, 1, good) }, "ok"},
		"in pieces": {func(w *wire) {
			w.frame(kHeaders, flagEndStream, 1, good[:3])
			w.frame(kContinuation, whole, 1, good[3:])
		}, "ok"},
		"padded, with a priority": {func(w *wire) {
			w.frame(kHeaders, ended|flagPadded|flagPriority, 1, "\x02\x00\x00\x00\x00\x10"+good+"\x00\x00")
		}, "ok"},
		"HTTP/1.1 after the preface":   {func(w *wire) { w.send("GET / HTTP/1.1\r\n\r\n") }, "G6"},
		"a stream of the server's":     {func(w *wire) { w.frame(kHeaders, ended, 2, good) }, "G1"},
		"HEADERS of no stream":         {func(w *wire) { w.frame(kHeaders, ended, 0, good) }, "G1"},
		"DATA of no stream":            {func(w *wire) { w.frame(kData, 0, 0, "x") }, "G1"},
		"DATA of a stream not opened":  {func(w *wire) { w.frame(kData, 0, 5, "x") }, "G1"},
		"reset of a stream not opened": {func(w *wire) { w.frame(kReset, 0, 5, "\x00\x00\x00\x00") }, "G1"},
		"frame too long":               {func(w *wire) { w.send(string(appendHeader(nil, maxFrame+1, kData, 0, 1))) }, "G6"},
		"padding too long":             {func(w *wire) { w.frame(kHeaders, ended|flagPadded, 1, "\xff"+good) }, "G1"},
		"block interrupted":            {func(w *wire) { w.frame(kHeaders, flagEndStream, 1, good); w.frame(kPing, 0, 0, "12345678") }, "G1"},
		"block of another stream":      {func(w *wire) { w.frame(kHeaders, flagEndStream, 1, good); w.frame(kContinuation, whole, 3, "") }, "G1"},
		"continuation of nothing":      {func(w *wire) { w.frame(kContinuation, whole, 1, good) }, "G1"},
		"malformed block":              {func(w *wire) { w.frame(kHeaders, ended, 1, "\x82\xff\xff\xff\xff\xff\xff") }, "G9"},
		"index that is not there":      {func(w *wire) { w.frame(kHeaders, ended, 1, "\xff\x00") }, "G9"},
		"table above what was said":    {func(w *wire) { w.frame(kHeaders, ended, 1, "\x3f\xe2\x1f"+good) }, "G9"},
		"endless continuation": {func(w *wire) {
			w.frame(kHeaders, flagEndStream, 1, good)
			for range 70 {
				w.frame(kContinuation, 0, 1, lit("a", "b"))
			}
		}, "G;"},
		"PUSH_PROMISE":              {func(w *wire) { w.frame(kPush, 0, 1, "1234") }, "G1"},
		"window of nothing":         {func(w *wire) { w.frame(kWindow, 0, 0, "\x00\x00\x00\x00") }, "G1"},
		"window overflows":          {func(w *wire) { w.frame(kWindow, 0, 0, "\x7f\xff\xff\xff") }, "G3"},
		"odd SETTINGS":              {func(w *wire) { w.frame(kSettings, 0, 0, "12345") }, "G6"},
		"SETTINGS of a stream":      {func(w *wire) { w.frame(kSettings, 0, 1, "") }, "G1"},
		"initial window too large":  {func(w *wire) { w.frame(kSettings, 0, 0, "\x00\x04\xff\xff\xff\xff") }, "G3"},
		"frame size too small":      {func(w *wire) { w.frame(kSettings, 0, 0, "\x00\x05\x00\x00\x00\x01") }, "G1"},
		"short PING":                {func(w *wire) { w.frame(kPing, 0, 0, "1234") }, "G6"},
		"no method":                 {func(w *wire) { w.frame(kHeaders, ended, 1, "\x86\x84\x01\x01a") }, "R1"},
		"no path":                   {func(w *wire) { w.frame(kHeaders, ended, 1, "\x82\x86\x01\x01a") }, "R1"},
		"empty path":                {func(w *wire) { w.frame(kHeaders, ended, 1, "\x82\x86"+lit(":path", "")) }, "R1"},
		"two methods":               {func(w *wire) { w.frame(kHeaders, ended, 1, "\x82\x82\x86\x84") }, "R1"},
		"status in a request":       {func(w *wire) { w.frame(kHeaders, ended, 1, good+"\x88") }, "R1"},
		"pseudo-field after others": {func(w *wire) { w.frame(kHeaders, ended, 1, "\x82\x86"+lit("x", "y")+"\x84") }, "R1"},
		"unknown pseudo-field":      {func(w *wire) { w.frame(kHeaders, ended, 1, "\x82\x86\x84"+lit(":x", "y")) }, "R1"},
		"capital letters":           {func(w *wire) { w.frame(kHeaders, ended, 1, good+lit("X-Y", "z")) }, "R1"},
		"CR LF in a value":          {func(w *wire) { w.frame(kHeaders, ended, 1, good+lit("x", "y\r\nhost: b")) }, "R1"},
		"NUL in a path":             {func(w *wire) { w.frame(kHeaders, ended, 1, "\x82\x86"+lit(":path", "/\x00")) }, "R1"},
		"space in a name":           {func(w *wire) { w.frame(kHeaders, ended, 1, good+lit("x y", "z")) }, "R1"},
		"Transfer-Encoding":         {func(w *wire) { w.frame(kHeaders, whole, 1, good+lit("transfer-encoding", "chunked")) }, "R1"},
		"Connection":                {func(w *wire) { w.frame(kHeaders, ended, 1, good+lit("connection", "close")) }, "R1"},
		"TE other than trailers":    {func(w *wire) { w.frame(kHeaders, ended, 1, good+lit("te", "gzip")) }, "R1"},
		"two lengths":               {func(w *wire) { w.frame(kHeaders, whole, 1, good+lit("content-length", "1")+lit("content-length", "1")) }, "R1"},
		"signed length":             {func(w *wire) { w.frame(kHeaders, whole, 1, good+lit("content-length", "+1")) }, "R1"},
		"length without a body":     {func(w *wire) { w.frame(kHeaders, ended, 1, good+lit("content-length", "1")) }, "R1"},
		"body shorter than it says": {func(w *wire) {
			w.frame(kHeaders, whole, 1, good+lit("content-length", "3"))
			w.frame(kData, flagEndStream, 1, "ab")
		}, "R1"},
		"body longer than it says": {func(w *wire) {
			w.frame(kHeaders, whole, 1, good+lit("content-length", "1"))
			w.frame(kData, 0, 1, "ab")
		}, "R1"},
		"head above 64 K": {func(w *wire) {
			big := lit("x", strings.Repeat("y", 16<<10-100))
			w.frame(kHeaders, flagEndStream, 1, good)
			for range 3 {
				w.frame(kContinuation, 0, 1, big)
			}
			w.frame(kContinuation, whole, 1, strings.Repeat(lit("a", "b"), 500)) // 5 bytes each, 34 in the count
		}, "R1"},
		"body of a stream that ended": {func(w *wire) { w.frame(kHeaders, ended, 1, good+lit("x-hold", "1")); w.frame(kData, 0, 1, "x") }, "R5"},
		"trailers that do not end": {func(w *wire) {
			w.frame(kHeaders, whole, 1, good+lit("x-hold", "1"))
			w.frame(kHeaders, whole, 1, lit("a", "b"))
		}, "R1"},
		"pseudo-field in trailers": {func(w *wire) {
			w.frame(kHeaders, whole, 1, good+lit("x-hold", "1"))
			w.frame(kHeaders, ended, 1, "\x84")
		}, "R1"},
		"more streams than it takes": {func(w *wire) {
			for i := range uint32(5) {
				w.frame(kHeaders, ended, 1+2*i, good+lit("x-hold", "1"))
			}
		}, "R7"},
		"window of a stream overrun": {func(w *wire) {
			w.frame(kHeaders, whole, 1, good+lit("x-hold", "1"))
			for range 5 {
				w.frame(kData, 0, 1, strings.Repeat("x", maxFrame))
			}
		}, "R3"},
		"frames that say nothing": {func(w *wire) {
			w.frame(kHeaders, whole, 1, good+lit("x-hold", "1"))
			w.send(strings.Repeat(string(appendHeader(nil, 0, kData, 0, 1)), maxIdle+1))
		}, "G;"},
		"requests taken back": {func(w *wire) {
			go func() {
				for i := uint32(1); i < 3*maxResets; i += 2 {
					w.frame(kHeaders, ended, i, good)
					w.frame(kReset, 0, i, "\x00\x00\x00\x08")
				}
			}()
			for w.fateIs("R7", "ok") {
			}
			w.t.Log("the connection has ended")
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			hold := make(chan struct{})
			t.Cleanup(func() { close(hold) })
			w := spoken(t, func(s *Stream) {
				h, err := s.Await()
				if err != nil {
					return
				}
				for _, f := range h.Fields {
					if string(f.Name) == "x-hold" {
						<-hold
					}
				}
				if _, err := io.Copy(io.Discard, s); err == nil {
					_ = s.Respond(200, nil, nil, true)
				}
			})
			c.do(w)
			if c.want == "" {
				return
			}
			if got := w.fate(); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func (w *wire) fateIs(any ...string) bool {
	got := w.fate()
	for _, a := range any {
		if got == a {
			return true
		}
	}
	return false
}

// Nothing that comes makes a connection panic or hang.
func FuzzFrames(f *testing.F) {
	e := &encoder{table: table{limit: tableSize}}
	block := e.request(nil, get("/"))
	f.Add(appendBlock(nil, 1, block, true))
	f.Add(appendWindow(appendBody(appendBlock(nil, 1, block, false), 1, []byte("body"), true), 1, 5))
	f.Add(appendReset(appendGoAway(nil, 0, 0), 1, 8))
	f.Fuzz(func(t *testing.T, in []byte) {
		a, b := net.Pipe()
		server := Server(b, Config{Handle: func(s *Stream) {
			go func() {
				defer s.Release()
				if _, err := s.Await(); err == nil {
					_, _ = io.Copy(io.Discard, s)
					_ = s.Respond(200, []byte("A: b\r\n"), []byte("ok"), true)
				}
			}()
		}})
		done := make(chan struct{})
		go func() { defer close(done); _ = server.Serve() }()
		go func() { _, _ = io.Copy(io.Discard, a) }()
		_, _ = a.Write([]byte(preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
		_, _ = a.Write(in)
		_ = a.Close()
		<-done
	})
}
