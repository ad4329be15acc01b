// Command probe looks at the network from inside a task. Its first argument
// says how; it prints a line for each address and exits with 0 when it got
// through to all.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "talk" {
		talk()
		return
	}
	if len(os.Args) < 3 {
		fmt.Println("usage: probe talk | dial|hear|resolve|proxy ADDRESS...")
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

// talk says how large its terminal is, answers lines, and leaves at "bye".
func talk() {
	size := func() string {
		var s struct{ Rows, Columns, X, Y uint16 }
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, 1, syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&s))); errno != 0 {
			return "no terminal"
		}
		return fmt.Sprint(s.Rows, "x", s.Columns)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() {
		case "bye":
			return
		case "size":
			fmt.Println("size", size())
		case "flood":
			for i := range 20_000 {
				fmt.Printf("line %d of the flood\n", i)
			}
		default:
			fmt.Println("heard", lines.Text())
		}
	}
	fmt.Println("end of input")
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
