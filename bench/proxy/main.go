// Command proxy measures the load balancer's HTTP/1.1 path against nginx and
// haproxy: the same backend (1 KB answers), the same client (wrk, 64
// connections), taken in turns within one run, everything on the same cores.
// The figure is the ratio of requests per second to the better of the two,
// the median of the rounds' own ratios, so that a noisy machine disturbs all
// alike.
//
//	go run ./bench/proxy [-seconds 3] [-rounds 3] [-profile cpu.out]
//
// nginx, haproxy and wrk are taken from the path; one that is missing is
// named and left out. All traffic stays on the loopback interface.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	role := flag.String("role", "", "internal: backend or proxy")
	listen := flag.String("listen", "", "internal")
	seconds := flag.Int("seconds", 3, "length of one measurement")
	rounds := flag.Int("rounds", 3, "measurements of each proxy")
	conns := flag.Int("conns", 64, "client connections")
	profile := flag.String("profile", "", "write a CPU profile of our proxy here")
	flag.Parse()
	var err error
	switch *role {
	case "backend":
		err = backend(*listen)
	case "proxy":
		err = ours(*listen, *profile)
	default:
		err = run(*seconds, *rounds, *conns, *profile)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/proxy:", err)
		os.Exit(1)
	}
}

const (
	backendAddr = "127.0.0.1:19100"
	oursAddr    = "127.0.0.1:19101"
	nginxAddr   = "127.0.0.1:19102"
	haproxyAddr = "127.0.0.1:19103"
)

type contender struct {
	name, addr string
	argv       []string
	rates      []float64
	cpu        []float64 // its processor time per request, in microseconds
	rest       []float64 // that of client and backend
	cmd        *exec.Cmd
}

func run(seconds, rounds, conns int, profile string) error {
	dir, err := os.MkdirTemp("", "bench-proxy")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if _, err := exec.LookPath("wrk"); err != nil {
		return fmt.Errorf("wrk is needed (Debian: apt-get install wrk nginx-light haproxy): %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	contenders, err := lineup(dir, self, profile)
	if err != nil {
		return err
	}
	running, stop, err := start(append([]*contender{{name: "backend", addr: backendAddr, argv: []string{self, "-role=backend", "-listen=" + backendAddr}}}, contenders...))
	defer stop()
	if err != nil {
		return err
	}
	backendPid := running[0].Process.Pid
	for round := range rounds {
		for i := range contenders {
			c := contenders[(i+round)%len(contenders)]
			before, other := cpuTime(c.cmd.Process.Pid), cpuTime(backendPid)
			rate, client, err := wrk("http://"+c.addr+"/payment/health", seconds, conns)
			if err != nil {
				return fmt.Errorf("measure %s: %w", c.name, err)
			}
			used := cpuTime(c.cmd.Process.Pid) - before
			c.rates = append(c.rates, rate)
			other = cpuTime(backendPid) - other + client
			c.rest = append(c.rest, float64(other.Microseconds())/(rate*float64(seconds)))
			c.cpu = append(c.cpu, float64(used.Microseconds())/(rate*float64(seconds)))
		}
	}
	report(contenders, rounds)
	return nil
}

// lineup is ours and whichever of the others is installed.
func lineup(dir, self, profile string) ([]*contender, error) {
	all := []*contender{
		{name: "slipway", addr: oursAddr, argv: []string{self, "-role=proxy", "-listen=" + oursAddr, "-profile=" + profile}},
	}
	write := func(name, text string) (string, error) {
		path := filepath.Join(dir, name)
		return path, os.WriteFile(path, []byte(text), 0o600)
	}
	if bin, err := exec.LookPath("nginx"); err == nil {
		path, err := write("nginx.conf", fmt.Sprintf(nginxConf, dir, dir, backendAddr, nginxAddr))
		if err != nil {
			return nil, err
		}
		all = append(all, &contender{name: "nginx", addr: nginxAddr, argv: []string{bin, "-c", path, "-e", filepath.Join(dir, "nginx.log")}})
	} else {
		fmt.Println("nginx is not installed: left out")
	}
	if bin, err := exec.LookPath("haproxy"); err == nil {
		path, err := write("haproxy.cfg", fmt.Sprintf(haproxyConf, haproxyAddr, backendAddr))
		if err != nil {
			return nil, err
		}
		all = append(all, &contender{name: "haproxy", addr: haproxyAddr, argv: []string{bin, "-db", "-q", "-f", path}})
	} else {
		fmt.Println("haproxy is not installed: left out")
	}
	return all, nil
}

const nginxConf = `daemon off;
worker_processes auto;
pid %s/nginx.pid;
error_log %s/nginx.log crit;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  upstream b { server %s; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen %s reuseport;
    location /payment/ {
      proxy_pass http://b;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}
`

const haproxyConf = `global
  maxconn 4096
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend f
  bind %s
  acl payment path_beg /payment/
  use_backend b if payment
backend b
  balance roundrobin
  http-request set-header X-Forwarded-Proto http
  server s %s
`

func start(all []*contender) (running []*exec.Cmd, stop func(), err error) {
	stop = func() {
		for _, c := range running {
			_ = c.Process.Signal(os.Interrupt)
		}
		for _, c := range running {
			_ = c.Wait()
		}
	}
	for _, c := range all {
		cmd := exec.Command(c.argv[0], c.argv[1:]...)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			return running, stop, fmt.Errorf("start %s: %w", c.name, err)
		}
		c.cmd = cmd
		running = append(running, cmd)
	}
	for _, c := range all {
		if err := waitFor(c.addr, 5*time.Second); err != nil {
			return running, stop, fmt.Errorf("%s does not answer: %w", c.name, err)
		}
	}
	return running, stop, nil
}

var rateLine = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)

// wrk measures requests per second, and the processor time it took itself.
func wrk(url string, seconds, conns int) (float64, time.Duration, error) {
	cmd := exec.Command("wrk", "-t1", "-c"+strconv.Itoa(conns), "-d"+strconv.Itoa(seconds)+"s", url)
	out, err := cmd.CombinedOutput()
	m := rateLine.FindSubmatch(out)
	if err != nil || m == nil {
		return 0, 0, fmt.Errorf("wrk: %w: %s", err, out)
	}
	if strings.Contains(string(out), "Non-2xx") {
		return 0, 0, fmt.Errorf("answers were not 200: %s", out)
	}
	rate, err := strconv.ParseFloat(string(m[1]), 64)
	return rate, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func report(all []*contender, rounds int) {
	for _, c := range all {
		fmt.Printf("%-8s %8.0f requests/s   CPU us/request: %5.1f own, %5.1f client and backend  %.0f\n", c.name, median(c.rates), median(c.cpu), median(c.rest), c.rates)
	}
	if len(all) < 2 {
		return
	}
	best := slices.MaxFunc(all[1:], func(a, b *contender) int { return cmp.Compare(median(a.rates), median(b.rates)) })
	var ratios, work []float64
	for i := range rounds {
		ratios = append(ratios, all[0].rates[i]/best.rates[i])
		work = append(work, (best.cpu[i]+best.rest[i])/(all[0].cpu[i]+all[0].rest[i]))
	}
	fmt.Printf("ratio to %s, the better one: %.2f (rounds %.2f)\n", best.name, median(ratios), ratios)
	fmt.Printf("ratio of requests per processor second of everything: %.2f (rounds %.2f)\n", median(work), work)
}
