package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/node/container"
)

// exec runs one more process in a container and answers with its exit code.
// Over the socket come its descriptors or goes its terminal; when the engine
// closes the socket's other end the process is killed.
func (p *pid1) exec(_ context.Context, e Exec, with int) (any, int, error) {
	if with == noFD {
		return nil, noFD, fmt.Errorf("exec in %s: no socket came with it", e.ID)
	}
	socket, err := newSocket(os.NewFile(uintptr(with), "exec"))
	if err != nil {
		return nil, noFD, fmt.Errorf("exec in %s: %w", e.ID, err)
	}
	defer socket.Close()
	done, pid, err := p.joinContainer(e, socket)
	if err != nil {
		return nil, noFD, fmt.Errorf("exec in %s: %w", e.ID, err)
	}
	hungUp := make(chan struct{})
	go func() {
		defer close(hungUp)
		_, _ = socket.Read(make([]byte, 1)) // nothing is ever sent: its end is the news
	}()
	select {
	case ws := <-done:
		code, _ := status(ws)
		return code, noFD, nil
	case <-hungUp:
		p.proc.kill(pid)
		code, _ := status(<-done)
		return code, noFD, nil
	}
}

// joinContainer starts the process.
func (p *pid1) joinContainer(e Exec, socket *net.UnixConn) (done <-chan syscall.WaitStatus, pid int, err error) {
	var process specs.Process
	if err := json.Unmarshal(e.Process, &process); err != nil {
		return nil, 0, err
	}
	process.Terminal = e.Terminal
	c, pidfd, err := p.open(e.ID)
	if err != nil {
		return nil, 0, err
	}
	defer unix.Close(pidfd)
	stdio, err := stdioOf(e, socket)
	if err != nil {
		return nil, 0, err
	}
	defer closeFDs(stdio[:]...)
	conn, err := socket.SyscallConn()
	if err != nil {
		return nil, 0, err
	}
	adopt := p.proc.expect()
	controlErr := conn.Control(func(fd uintptr) {
		pid, err = c.Join(pidfd, &process, stdio, int(fd))
	})
	return adopt(pid), pid, errors.Join(err, controlErr)
}

// open returns a running container and a pidfd of its first process.
func (p *pid1) open(id string) (*container.Container, int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.containers[id]
	switch {
	case c == nil || !c.Running || c.Pid == 0:
		return nil, noFD, ErrGone
	case c.direct == nil:
		return nil, noFD, fmt.Errorf("container of runc: %w", container.ErrUnsupported)
	}
	fd, err := p.proc.open(c.Pid)
	if errors.Is(err, unix.ESRCH) {
		err = ErrGone
	}
	return c.direct, fd, err
}

// stdioOf receives the three descriptors, which the engine has sent before.
func stdioOf(e Exec, socket *net.UnixConn) (fds [3]int, err error) {
	if e.Terminal {
		null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		return [3]int{null, null, null}, err
	}
	got, err := receive(socket)
	if err == nil && len(got) != 3 {
		closeFDs(got...)
		err = fmt.Errorf("%d descriptors came, not 3", len(got))
	}
	if err != nil {
		return fds, err
	}
	return [3]int(got), nil
}

func receive(socket *net.UnixConn) ([]int, error) {
	oob := make([]byte, unix.CmsgSpace(3*4))
	_, n, _, _, err := socket.ReadMsgUnix(make([]byte, 1), oob)
	if err != nil {
		return nil, err
	}
	return rights(oob[:n]), nil
}

func sendFiles(socket *net.UnixConn, files [3]*os.File) error {
	fds := make([]int, len(files))
	for i, f := range files {
		conn, err := f.SyscallConn() // Fd would make it blocking
		if err == nil {
			err = conn.Control(func(fd uintptr) { fds[i], err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
		}
		if err != nil {
			closeFDs(fds[:i]...)
			return err
		}
	}
	defer closeFDs(fds...)
	_, _, err := socket.WriteMsgUnix([]byte{0}, unix.UnixRights(fds...), nil)
	return err
}

// newSocket takes f over.
func newSocket(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, errors.New("not a unix socket")
	}
	return conn, nil
}

// Exec runs one more process in a container that was started directly, and
// returns its exit code, 128+n for signal n. stdio are its three descriptors;
// with e.Terminal they are not used, and terminal is given the other end of the
// one it has, to keep. When ctx ends the process is killed. Errors: ErrGone,
// container.ErrUnsupported (runc can), why it did not run.
func (h *Host) Exec(ctx context.Context, e Exec, stdio [3]*os.File, terminal func(*os.File)) (code int, err error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return 0, fmt.Errorf("sandbox: %w", err)
	}
	defer theirs.Close()
	socket, err := newSocket(ours)
	if err != nil {
		return 0, fmt.Errorf("sandbox: %w", err)
	}
	defer socket.Close()
	received := make(chan struct{})
	if e.Terminal {
		go func() {
			defer close(received)
			if fds, err := receive(socket); err == nil && len(fds) == 1 {
				terminal(os.NewFile(uintptr(fds[0]), "terminal"))
			}
		}()
	} else if err := sendFiles(socket, stdio); err != nil {
		return 0, fmt.Errorf("sandbox: %w", err)
	} else {
		close(received)
	}
	conn, err := theirs.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("sandbox: %w", err)
	}
	var callErr error
	if err := conn.Control(func(fd uintptr) { _, callErr = h.init.callWith(ctx, opExec, e, int(fd), &code) }); err != nil {
		return 0, fmt.Errorf("sandbox: %w", err)
	}
	if callErr != nil {
		return 0, fmt.Errorf("sandbox: %w", callErr)
	}
	<-received // it was sent before the process ran
	return code, nil
}
