// Command program is what the conformance suite runs in containers. It obeys
// the variables of simulated containers, so that one suite fits all drivers,
// and has verbs that look at the world a container sees.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/node/runtime/reaper"
)

func main() {
	verbs := map[string]func(args []string) error{
		"run": run, "echo": echo, "cat": cat, "touch": touch, "id": id, "env": env, "pwd": pwd, "alloc": alloc,
		"burn": burn, "limit": limit, "exit": exit, "copy": copyInput, "orphan": orphan, "pid": pid, "stat": stat, "sleep": sleep, "count": count, "sight": sight, "tell": tell, "device": device, "leak": leak, "init": initProcess,
	}
	name := "run"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	verb, ok := verbs[name]
	if !ok {
		fail(fmt.Errorf("unknown verb %q", name))
	}
	var args []string
	if len(os.Args) > 2 {
		args = os.Args[2:]
	}
	if err := verb(args); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(99)
}

// run waits for a signal or for what SLIPWAY_SIM_EXIT says.
func run([]string) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGQUIT)
	fmt.Println("running")
	fmt.Fprintln(os.Stderr, "to stderr")
	timer := make(<-chan time.Time)
	code := 0
	if v := os.Getenv("SLIPWAY_SIM_EXIT"); v != "" {
		d, c := step(v)
		timer, code = time.After(d), c
	}
	for {
		select {
		case <-timer:
			fmt.Println("last words")
			os.Exit(code)
		case s := <-stop:
			switch v := os.Getenv("SLIPWAY_SIM_STOP"); v {
			case "ignore":
			case "":
				os.Exit(128 + int(s.(syscall.Signal)))
			default:
				d, c := step(v)
				time.Sleep(d)
				os.Exit(c)
			}
		}
	}
}

func step(v string) (time.Duration, int) {
	a, b, _ := strings.Cut(v, ":")
	d, err := time.ParseDuration(a)
	if err != nil {
		fail(err)
	}
	n, err := strconv.Atoi(b)
	if err != nil {
		fail(err)
	}
	return d, n
}

func echo(args []string) error { fmt.Println(strings.Join(args, " ")); return nil }

func cat(args []string) error {
	for _, a := range args {
		b, err := os.ReadFile(a)
		if err != nil {
			return err
		}
		os.Stdout.Write(b)
	}
	return nil
}

func touch(args []string) error { return os.WriteFile(args[0], []byte("x"), 0o644) }

func stat(args []string) error {
	var st syscall.Stat_t
	if err := syscall.Stat(args[0], &st); err != nil {
		return err
	}
	fmt.Printf("%o %d:%d\n", st.Mode&0o7777, st.Uid, st.Gid)
	return nil
}

func id([]string) error {
	groups, err := os.Getgroups()
	fmt.Println(os.Getuid(), os.Getgid(), groups)
	return err
}

func env([]string) error {
	fmt.Println(strings.Join(os.Environ(), "\n"))
	return nil
}

func pwd([]string) error {
	d, err := os.Getwd()
	fmt.Println(d)
	return err
}

func pid([]string) error { fmt.Println(os.Getpid()); return nil }

// alloc fills memory until it has so many MiB.
func alloc(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	var held [][]byte
	for range n {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = byte(i)
		}
		held = append(held, b)
	}
	fmt.Println("holds", len(held))
	select {}
}

// burn keeps a processor busy.
func burn([]string) error {
	for i := 0; ; i++ {
		_ = i * i
	}
}

func limit([]string) error {
	var l syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	fmt.Println(l.Cur, l.Max)
	return err
}

func exit(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	os.Exit(n)
	return nil
}

func copyInput([]string) error { _, err := io.Copy(os.Stdout, os.Stdin); return err }

func sleep(args []string) error {
	d, err := time.ParseDuration(args[0])
	time.Sleep(d)
	return err
}

// sight tells what the process is and sees, without what differs between any two.
func sight([]string) error {
	for _, file := range []string{"limits", "cgroup", "mountinfo", "oom_score_adj", "uid_map"} {
		b, err := os.ReadFile("/proc/self/" + file)
		if err != nil {
			return err
		}
		fmt.Printf("%s:\n%s", file, b)
	}
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "Umask", "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters", "SigBlk", "SigIgn":
			fmt.Print(line)
		}
	}
	for _, ns := range []string{"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "user", "uts"} {
		link, err := os.Readlink("/proc/self/ns/" + ns)
		if err != nil {
			return err
		}
		fmt.Println(link)
	}
	dir, err := os.Getwd()
	fmt.Println(dir, os.Getenv("HOME"), os.Getenv("PATH"))
	return err
}

// tell tells what another verb does, and what leak does, and stays.
func tell(args []string) error {
	if err := sight(args[1:]); err != nil {
		return err
	}
	if err := leak(nil); err != nil {
		return err
	}
	fmt.Println("told")
	return sleep([]string{"1h"})
}

// device makes a device that containers may not have and tries to use it.
func device(args []string) error {
	const fuse = 10<<8 | 229
	if err := syscall.Mknod(args[0], syscall.S_IFCHR|0o666, fuse); err != nil {
		return err
	}
	_, err := os.Open(args[0])
	if errors.Is(err, os.ErrPermission) {
		fmt.Println("refused")
		return nil
	}
	return fmt.Errorf("not refused: %w", err)
}

// leak lists the descriptors that the process was born with.
func leak([]string) error {
	for fd := 3; fd < 1024; fd++ {
		link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if err == nil && !strings.HasPrefix(link, "anon_inode:") { // the runtime's own poller
			fmt.Println(fd, link)
		}
	}
	return nil
}

// count prints so many long lines, and one that has no end.
func count(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	for i := range n {
		fmt.Printf("line %d %s\n", i, strings.Repeat("x", 80))
	}
	fmt.Print("without end")
	return nil
}

func initProcess(args []string) error { reaper.Main(args); return nil }

// orphan leaves a grandchild behind, and says how many zombies there are once
// it has ended.
func orphan(args []string) error {
	if len(args) > 0 { // the child: its own child outlives it
		return exec.Command("/proc/self/exe", "sleep", "20ms").Start()
	}
	if err := exec.Command("/proc/self/exe", "orphan", "child").Run(); err != nil {
		return err
	}
	zombies := 0
	for range 100 {
		time.Sleep(5 * time.Millisecond)
		dirs, err := os.ReadDir("/proc")
		if err != nil {
			return err
		}
		zombies, others := 0, 0
		for _, d := range dirs {
			b, err := os.ReadFile("/proc/" + d.Name() + "/stat")
			_, rest, ok := strings.Cut(string(b), ") ")
			switch {
			case err != nil || !ok || d.Name()[0] > '9': // self
			case rest[0] == 'Z':
				zombies++
			default:
				others++
			}
		}
		if zombies == 0 && others <= 2 {
			fmt.Println("all reaped")
			return nil
		}
	}
	fmt.Println(zombies, "zombies")
	return nil
}
