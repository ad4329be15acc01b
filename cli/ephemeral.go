package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/slipway-dev/slipway/node/sandbox"
)

// startEphemeral starts an engine whose state is gone when it stops, and prints
// what points clients and slipway itself at it: for eval, or as JSON.
func (a *app) startEphemeral(ctx context.Context, change func(*settings)) error {
	home, err := os.MkdirTemp("", "slipway-") // mode 0700
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	a.home = home
	began := time.Now()
	_, err = a.startEngine(func(s *settings) {
		s.API = "127.0.0.1:0"
		change(s)
		s.Ephemeral = true
		if s.PortOffset == 0 && s.HostAddress == "" {
			s.PortOffset = freeOffset()
		}
	})
	if err != nil {
		return errors.Join(err, sandbox.Purge(home))
	}
	c, err := a.access()
	if err != nil {
		return err
	}
	vars := append([]variable{{"SLIPWAY_HOME", home}}, environment(ctx, c)...)
	if a.json {
		out := map[string]any{"home": home, "endpoint": c.Endpoint, "account": c.Account, "region": c.Region, "startSeconds": time.Since(began).Seconds(), "environment": variables(vars)}
		return a.print(out)
	}
	fmt.Fprintf(a.err, "engine at %s after %s; it ends, and %s with it, by: slipway engine stop\n", c.Endpoint, time.Since(began).Round(time.Millisecond), home)
	a.export(vars)
	return nil
}

// freeOffset is an offset that leaves the ports 80 and 443 of load balancers free,
// below the ports that the kernel gives away; 0 when there seems to be none.
func freeOffset() int {
	for range 100 {
		offset := 20_000 + rand.IntN(100)*100
		if free(offset+80) && free(offset+443) {
			return offset
		}
	}
	return 0
}

func free(port int) bool {
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	return err == nil && l.Close() == nil
}
