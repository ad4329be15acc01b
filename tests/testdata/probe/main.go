// Command probe looks at the network from inside a task. Its argument says
// how; it prints one line and exits with 0 when it got through.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Println("usage: probe dial|hear|resolve ADDRESS")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var out string
	var err error
	switch os.Args[1] {
	case "dial":
		var c net.Conn
		if c, err = (&net.Dialer{}).DialContext(ctx, "tcp4", os.Args[2]); err == nil {
			out = "connected to " + c.RemoteAddr().String()
		}
	case "hear": // also waits for the other side to say something
		var c net.Conn
		if c, err = (&net.Dialer{}).DialContext(ctx, "tcp4", os.Args[2]); err == nil {
			deadline, _ := ctx.Deadline()
			_ = c.SetReadDeadline(deadline)
			b := make([]byte, 100)
			var n int
			n, err = c.Read(b)
			out = "heard " + string(b[:n])
		}
	case "resolve":
		var ips []net.IP
		if ips, err = net.DefaultResolver.LookupIP(ctx, "ip4", os.Args[2]); err == nil {
			out = fmt.Sprint("resolved ", ips)
		}
	}
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println(out)
}
