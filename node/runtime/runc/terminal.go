package runc

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/node/runtime"
)

// runTerminal runs "runc exec --tty" on a terminal of ours. runc puts it into
// raw mode, connects it with the one inside the container, and passes sizes
// on.
func runTerminal(ctx context.Context, cmd *exec.Cmd, e runtime.Exec) error {
	master, slave, err := openTerminal()
	if err != nil {
		return fmt.Errorf("open terminal: %w", err)
	}
	defer master.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	slave.Close()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go resize(ctx, master, e.Resize)
	if e.Stdin != nil {
		go func() { _, _ = io.Copy(master, e.Stdin) }() // ends when master is closed
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		out := e.Stdout
		if out == nil {
			out = io.Discard
		}
		_, _ = io.Copy(out, master) // ends with EIO when the last slave is closed
	}()
	err = cmd.Wait()
	<-copied
	return err
}

func resize(ctx context.Context, master *os.File, sizes <-chan runtime.Size) {
	for {
		select {
		case <-ctx.Done():
			return
		case size, ok := <-sizes:
			if !ok {
				return
			}
			conn, err := master.SyscallConn()
			if err != nil {
				return
			}
			_ = conn.Control(func(fd uintptr) {
				_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Columns})
			})
		}
	}
}

// openTerminal makes a pair of pseudoterminals (pts(4)).
func openTerminal() (master, slave *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, err
	}
	return master, slave, nil
}
