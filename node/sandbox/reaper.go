package sandbox

import (
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// reaper collects every child of PID 1, its own and orphans. Nothing else in
// init may wait for children: os/exec would race with it.
type reaper struct {
	mu      sync.Mutex
	waiting map[int]chan syscall.WaitStatus
	// adopting counts those who will want a child that is not theirs by birth
	// and whose pid they do not know yet; early keeps statuses for them.
	adopting int
	early    map[int]syscall.WaitStatus
}

func newReaper() *reaper {
	return &reaper{waiting: map[int]chan syscall.WaitStatus{}, early: map[int]syscall.WaitStatus{}}
}

func (r *reaper) run() {
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, unix.SIGCHLD)
	for {
		for r.collect() {
		}
		<-sig
	}
}

// collect reaps one child, if there is one that has ended.
func (r *reaper) collect() bool {
	// The lock makes spawn's registration come before the child is reaped.
	r.mu.Lock()
	defer r.mu.Unlock()
	var ws syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
	if err == syscall.EINTR {
		return true
	}
	if err != nil || pid <= 0 {
		return false
	}
	if ch := r.waiting[pid]; ch != nil {
		delete(r.waiting, pid)
		ch <- ws
	} else if r.adopting > 0 {
		r.early[pid] = ws
	}
	return true
}

// spawn starts a program; its status arrives on the channel. Files are its
// descriptors from 0 on.
func (r *reaper) spawn(path string, argv, env []string, dir string, files ...*os.File) (pid int, done <-chan syscall.WaitStatus, err error) {
	fds := make([]uintptr, len(files))
	for i, f := range files {
		fds[i] = f.Fd()
	}
	attr := &syscall.ProcAttr{Env: env, Dir: dir, Files: fds, Sys: &syscall.SysProcAttr{Setsid: true}}
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err = syscall.ForkExec(path, argv, attr)
	if err != nil {
		return 0, nil, err
	}
	ch := make(chan syscall.WaitStatus, 1)
	r.waiting[pid] = ch
	return pid, ch, nil
}

// expect keeps the statuses of unknown children until the returned function is
// called with the pid of the wanted one, or 0 for none.
func (r *reaper) expect() (adopt func(pid int) <-chan syscall.WaitStatus) {
	r.mu.Lock()
	r.adopting++
	r.mu.Unlock()
	return func(pid int) <-chan syscall.WaitStatus {
		r.mu.Lock()
		defer r.mu.Unlock()
		ch := make(chan syscall.WaitStatus, 1)
		if ws, ok := r.early[pid]; ok {
			delete(r.early, pid)
			ch <- ws
		} else if pid != 0 {
			r.waiting[pid] = ch
		}
		if r.adopting--; r.adopting == 0 {
			clear(r.early) // nobody asks for them any more
		}
		return ch
	}
}

// status is a wait status as Container shows it.
func status(ws syscall.WaitStatus) (code, sig int) {
	if ws.Signaled() {
		return 128 + int(ws.Signal()), int(ws.Signal())
	}
	return ws.ExitStatus(), 0
}

// open returns a pidfd of a child that has not been reaped, or ESRCH.
func (r *reaper) open(pid int) (int, error) {
	r.mu.Lock() // collect reaps under it
	defer r.mu.Unlock()
	if r.waiting[pid] == nil {
		return noFD, unix.ESRCH
	}
	return unix.PidfdOpen(pid, 0)
}

// kill ends a child, if it has not been reaped.
func (r *reaper) kill(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting[pid] != nil {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}
