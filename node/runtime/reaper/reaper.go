// Package reaper is the init process of containers that ask for one
// (linuxParameters.initProcessEnabled): process 1, which passes signals on to
// the container's own process, reaps what loses its parent, and ends as that
// process ends. The engine's binary is put into the container and runs Main.
package reaper

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// Exit codes of shells, for a program that is not there or cannot be run.
const (
	notExecutable = 126
	notFound      = 127
)

// Main runs args (after an optional "--") and never returns.
func Main(args []string) {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "init: no command")
		os.Exit(notFound)
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	path, err := exec.LookPath(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
		os.Exit(notFound)
	}
	// A session of its own, so that the terminal's signals come once.
	pid, err := syscall.ForkExec(path, args, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		fmt.Fprintf(os.Stderr, "init: %s: %v\n", path, err)
		os.Exit(notExecutable)
	}
	for s := range signals {
		switch s {
		case syscall.SIGCHLD:
			reap(pid)
		case syscall.SIGURG: // Go's own
		default:
			if n, ok := s.(syscall.Signal); ok {
				_ = syscall.Kill(pid, n) // it may have gone
			}
		}
	}
}

// reap takes in every dead process, and ends with the main one.
func reap(pid int) {
	for {
		var ws syscall.WaitStatus
		got, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil || got <= 0:
			return
		case got != pid:
		case ws.Signaled():
			os.Exit(128 + int(ws.Signal()))
		default:
			os.Exit(ws.ExitStatus())
		}
	}
}
