package vpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// dialTask returns the line that a server in a task sends.
func dialTask(t testing.TB, n *Network, eni, addr string) string {
	t.Helper()
	c, err := n.DialTask(t.Context(), "vpc-1", eni, "tcp", addr)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return outcome(line, err)
}

func TestDialIntoATask(t *testing.T) {
	n := newNetwork(t, Options{})
	c := shop("vpc-1")
	for i := range c.Groups {
		c.Groups[i].Ingress, c.Groups[i].Egress = nil, nil
	}
	apply(t, n, c)
	for _, eni := range []string{"web", "db"} {
		serve(t, n, "vpc-1", eni, "127.0.0.1:9901", eni)
	}
	want(t, "one task's admin port", dialTask(t, n, "web", "127.0.0.1:9901"), "web 127.0.0.1")
	want(t, "another's", dialTask(t, n, "db", "127.0.0.1:9901"), "db 127.0.0.1")
	want(t, "a closed port", dialTask(t, n, "web", "127.0.0.1:9902"), "dial tcp 127.0.0.1:9902: in web: connect: connection refused")
	want(t, "not attached", dialTask(t, n, "other", "127.0.0.1:9901"), "dial tcp 127.0.0.1:9901: in other: the interface is not attached")
	want(t, "a name", dialTask(t, n, "web", "localhost:9901"), `dial tcp localhost:9901: in web: ParseAddr("localhost"): unable to parse IP`)

	i := meshed()
	i.EgressPort = 9901
	intercept(t, n, i)
	want(t, "intercepted or not", dialTask(t, n, "web", "127.0.0.1:9901"), "web 127.0.0.1")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.DialTask(ctx, "vpc-1", "db", "tcp", "10.0.3.5:9901"); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits any more: %v", err)
	}
	if err := n.Detach(t.Context(), "vpc-1", "db"); err != nil {
		t.Fatal(err)
	}
	want(t, "gone", dialTask(t, n, "db", "127.0.0.1:9901"), "dial tcp 127.0.0.1:9901: in db: the interface is not attached")
}

func TestDialIntoATaskByUDP(t *testing.T) {
	n := newNetwork(t, Options{})
	apply(t, n, shop("vpc-1"))
	var server net.PacketConn
	err := inside(t, n, "vpc-1", "web", func() (err error) {
		server, err = net.ListenPacket("udp4", "127.0.0.1:8125")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	c, err := n.DialTask(t.Context(), "vpc-1", "web", "udp", "127.0.0.1:8125")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "hello")
	b := make([]byte, 16)
	if err := server.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	k, _, err := server.ReadFrom(b)
	want(t, "datagram", outcome(string(b[:k]), err), "hello")
}

// Whoever dials comes back to the namespace it was in, however many dial.
func TestDialingLeavesNoThreadBehind(t *testing.T) {
	n := newNetwork(t, Options{})
	apply(t, n, shop("vpc-1"))
	serve(t, n, "vpc-1", "web", "127.0.0.1:9901", "web")
	var own unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &own); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			want(t, "one of many", dialTask(t, n, "web", "127.0.0.1:9901"), "web 127.0.0.1")
			var here unix.Stat_t
			if err := unix.Stat("/proc/thread-self/ns/net", &here); err != nil || here.Ino != own.Ino {
				t.Errorf("in namespace %d, want %d (%v)", here.Ino, own.Ino, err)
			}
		})
	}
	wg.Wait()
}

// BenchmarkDialTask is what it costs to look into one sidecar, the answer not
// included.
func BenchmarkDialTask(b *testing.B) {
	n := newNetwork(b, Options{})
	apply(b, n, shop("vpc-1"))
	serve(b, n, "vpc-1", "web", "127.0.0.1:9901", "web")
	for b.Loop() {
		c, err := n.DialTask(b.Context(), "vpc-1", "web", "tcp", "127.0.0.1:9901")
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

// BenchmarkIntercept is what an interception adds to the start of a task.
func BenchmarkIntercept(b *testing.B) {
	n := newNetwork(b, Options{})
	apply(b, n, crowd(1))
	if _, err := n.Attach(b.Context(), "vpc-1", "eni-0"); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := n.Intercept(b.Context(), "vpc-1", "eni-0", meshed()); err != nil {
			b.Fatal(err)
		}
	}
}
