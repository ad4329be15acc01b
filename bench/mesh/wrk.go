package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// round is one measurement of one contender.
type round struct {
	rate     float64 // answers a second
	p50, p99 time.Duration
	errors   int     // of connections, and answers other than 200
	own      float64 // the contender's processor time an answer, in microseconds
	rest     float64 // that of client and backend
}

var (
	rateLine    = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	countLine   = regexp.MustCompile(`(\d+) requests in`)
	percentLine = regexp.MustCompile(`\s+(50|99)%\s+([0-9.]+)(us|ms|s)`)
	socketLine  = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	statusLine  = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

// wrk measures a contender once: as many requests as it takes, over connections
// that are kept.
func wrk(ctx context.Context, c *contender, backend *process, seconds, conns int) (r round, err error) {
	own, rest := cpuTime(c.processes...), cpuTime(backend)
	cmd := exec.CommandContext(ctx, "wrk", "-t1", "-c"+strconv.Itoa(conns), "-d"+strconv.Itoa(seconds)+"s", "--latency", "-H", "Host: "+paymentHost, "http://"+c.addr+"/order/health")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return r, fmt.Errorf("wrk: %w: %s", err, out)
	}
	text := string(out)
	rate, count := rateLine.FindStringSubmatch(text), countLine.FindStringSubmatch(text)
	if rate == nil || count == nil {
		return r, fmt.Errorf("wrk printed no rate: %s", text)
	}
	r.rate, _ = strconv.ParseFloat(rate[1], 64)
	for _, m := range percentLine.FindAllStringSubmatch(text, -1) {
		took, err := time.ParseDuration(m[2] + m[3])
		if err != nil {
			return r, fmt.Errorf("wrk: %w", err)
		}
		if m[1] == "50" {
			r.p50 = took
		} else {
			r.p99 = took
		}
	}
	for _, line := range []*regexp.Regexp{socketLine, statusLine} {
		if m := line.FindStringSubmatch(text); m != nil {
			for _, n := range m[1:] {
				k, _ := strconv.Atoi(n)
				r.errors += k
			}
		}
	}
	n, _ := strconv.ParseFloat(count[1], 64)
	client := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	r.own = micros(cpuTime(c.processes...)-own) / n
	r.rest = micros(cpuTime(backend)-rest+client) / n
	return r, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
