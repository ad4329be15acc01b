// Command probe looks at the network from inside a task. Its first argument
// says how; it prints a line for each address and exits with 0 when it got
// through to all.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Println("usage: probe dial|hear|resolve|proxy ADDRESS...")
		os.Exit(2)
	}
	looks := map[string]func(context.Context, string) (string, error){"dial": dial, "hear": hear, "resolve": resolve, "proxy": proxy}
	code := 0
	for _, to := range os.Args[2:] {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		out, err := looks[os.Args[1]](ctx, to)
		cancel()
		if err != nil {
			out, code = "failed: "+err.Error(), 1
		}
		fmt.Println(out)
	}
	if os.Args[1] == "proxy" && code == 0 {
		select {}
	}
	os.Exit(code)
}

func dial(ctx context.Context, to string) (string, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp4", to)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return "connected to " + c.RemoteAddr().String(), nil
}

// hear also waits for the other side to say something.
func hear(ctx context.Context, to string) (string, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp4", to)
	if err != nil {
		return "", err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	_ = c.SetReadDeadline(deadline)
	b := make([]byte, 100)
	n, err := c.Read(b)
	return "heard " + string(b[:n]), err
}

func resolve(ctx context.Context, name string) (string, error) {
	ips, err := net.DefaultResolver.LookupIP(ctx, "ip4", name)
	return fmt.Sprint("resolved ", ips), err
}

// proxy answers every connection to an address from now on with where it was
// going to.
func proxy(_ context.Context, at string) (string, error) {
	l, err := net.Listen("tcp4", at)
	if err != nil {
		return "", err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "%s took %s", at, original(c.(*net.TCPConn)))
			c.Close()
		}
	}()
	return "proxy at " + at, nil
}

func original(c *net.TCPConn) (to string) {
	const soOriginalDst = 80
	raw, err := c.SyscallConn()
	if err != nil {
		return err.Error()
	}
	_ = raw.Control(func(fd uintptr) {
		a, err := syscall.GetsockoptIPv6Mreq(int(fd), syscall.SOL_IP, soOriginalDst) // an option that a sockaddr_in fits
		if err != nil {
			to = err.Error()
			return
		}
		b := a.Multiaddr
		to = fmt.Sprintf("%d.%d.%d.%d:%d", b[4], b[5], b[6], b[7], int(b[2])<<8|int(b[3]))
	})
	return to
}
