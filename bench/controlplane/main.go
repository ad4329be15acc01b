// Command controlplane measures how the control plane grows: the store on
// disk, the API, the loops of every service and the agent, as the engine
// joins them, with a runtime, a network and targets that are played.
//
//	go run ./bench/controlplane [-sizes 100,1000,10000] [-balanced 0] [-settle 45s] [-profile dir]
//
// For each size, a process of its own: services of ten tasks are created over
// the API until all are steady, then nothing is asked for, then one service
// grows and shrinks by one task, then a third of all tasks (one zone) is
// killed, then the process is killed and started again. -balanced gives so
// many percent of the services a target group.
//
// Time is what the clock says, CPU that of the process alone (the bench's own
// requests not counted, but what answering them costs).
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// each is how many tasks a service has.
const each = 10

// settle is the time before what it costs to do nothing is measured: tasks
// that nothing checks are looked at once more after 40 s.
var settle = flag.Duration("settle", 45*time.Second, "time to settle before idling is measured")

// limit bounds the whole run.
const limit = 30 * time.Minute

func main() {
	role := flag.String("serve", "", "internal: the address to serve at")
	dir := flag.String("dir", "", "internal: the state directory")
	sizes := flag.String("sizes", "100,1000,10000", "how many tasks, separated by commas")
	balanced := flag.Int("balanced", 0, "percent of the services that have a target group")
	profile := flag.String("profile", "", "write CPU and heap profiles of the largest size into this directory")
	addr := flag.String("addr", "127.0.0.1:19110", "where the API listens")
	flag.Parse()
	var err error
	if *role != "" {
		err = serve(*role, *dir)
	} else {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		ctx, cancel := context.WithTimeout(ctx, limit)
		err = run(ctx, *sizes, *balanced, *profile, *addr)
		cancel()
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/controlplane:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, sizes string, balanced int, profile, addr string) error {
	var all []figures
	for i, s := range strings.Split(sizes, ",") {
		tasks, err := strconv.Atoi(s)
		if err != nil || tasks < each {
			return fmt.Errorf("size %q: want a number of at least %d", s, each)
		}
		last := ""
		if i == strings.Count(sizes, ",") {
			last = profile
		}
		f, err := measure(ctx, tasks, balanced, last, addr)
		if err != nil {
			return fmt.Errorf("%d tasks: %w", tasks, err)
		}
		all = append(all, f)
	}
	report(all)
	return nil
}
