package pki

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/kernel/seal"
)

// start is when the tests' certificates are issued.
var start = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func keyring(t testing.TB) *seal.Keyring {
	k, err := seal.OpenKeyring(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func authority(t testing.TB, mesh string) *Authority {
	a, err := OpenAuthority(Config{Dir: t.TempDir(), Keys: keyring(t), ID: mesh, Mesh: mesh, Created: start.Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// task is an identity of a service's task.
func task(service string) Identity {
	return Identity{Namespace: "dev.local", Service: service, Task: "0a1b", DNS: []string{service + ".dev.local"}}
}

// issued is a slot with a certificate of a service, issued at start.
func issued(t testing.TB, a *Authority, service string) *Slot {
	c, err := a.Issue(task(service), 0, start)
	if err != nil {
		t.Fatal(err)
	}
	s := new(Slot)
	s.Put(c.TLS())
	return s
}

// handshake joins two sides by a connection, and sends a byte from server to
// client and one back. It returns what each side says, nil when it got its byte.
// A pipe would not do: its writer waits for the reader, and one that refuses
// does not read on.
func handshake(t *testing.T, client, server *tls.Config) (clientErr, serverErr error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{a, b} {
		defer func() { _ = c.Close() }()
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	go func() {
		s := tls.Server(b, server)
		_, err := s.Write([]byte{1}) // shakes hands first
		if err == nil {
			_, err = io.ReadFull(s, make([]byte, 1))
		}
		_ = b.Close()
		done <- err
	}()
	c := tls.Client(a, client)
	_, clientErr = io.ReadFull(c, make([]byte, 1))
	if clientErr == nil {
		_, clientErr = c.Write([]byte{1})
	}
	if clientErr != nil {
		_ = a.Close()
	}
	return clientErr, <-done
}

// failure is what one side refused the other for, or "".
func failure(err error) Failure {
	if e, ok := errors.AsType[*VerifyError](err); ok {
		return e.Failure
	}
	return ""
}
