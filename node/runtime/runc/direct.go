package runc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/node/sandbox"
)

// execDirect has the launcher join the container.
func (d *Driver) execDirect(ctx context.Context, id string, p *specs.Process, e runtime.Exec) (int, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	s := &streams{}
	defer s.close()
	call := sandbox.Exec{ID: id, Process: body, Terminal: e.TTY}
	var code int
	if e.TTY {
		code, err = d.cfg.Launcher.Exec(ctx, call, [3]*os.File{}, func(master *os.File) { s.terminal(ctx, master, e) })
	} else {
		var stdio [3]*os.File
		if stdio, err = s.open(e); err != nil {
			return 0, fmt.Errorf("exec in %s: %w", id, err)
		}
		code, err = d.cfg.Launcher.Exec(ctx, call, stdio, nil)
		s.given()
	}
	if err != nil {
		return 0, execError(err)
	}
	s.drain()
	return code, nil
}

// execError words what kept a process from running as runc does.
func execError(err error) error {
	if text := err.Error(); strings.Contains(text, notStarted) {
		return errors.New("OCI runtime exec failed: exec failed: " + text[strings.Index(text, notStarted):])
	}
	return err
}

// notStarted begins the reason why a process does not run, as in runc.
const notStarted = "unable to start container process: "

// streams carry a process's input and output.
type streams struct {
	theirs []*os.File // ends for the process
	ours   []*os.File
	out    sync.WaitGroup // until all output is read
}

// open makes the process's three descriptors.
func (s *streams) open(e runtime.Exec) (stdio [3]*os.File, err error) {
	if stdio[0], err = s.input(e.Stdin); err != nil {
		return stdio, err
	}
	if stdio[1], err = s.output(e.Stdout); err != nil {
		return stdio, err
	}
	if stdio[2] = stdio[1]; e.Stderr != e.Stdout {
		stdio[2], err = s.output(e.Stderr)
	}
	return stdio, err
}

func (s *streams) null() (*os.File, error) {
	f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err == nil {
		s.theirs = append(s.theirs, f)
	}
	return f, err
}

func (s *streams) input(from io.Reader) (*os.File, error) {
	if from == nil {
		return s.null()
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.theirs = append(s.theirs, r)
	go func() {
		_, _ = io.Copy(w, from) // ends with the process, or at its next input
		_ = w.Close()
	}()
	return r, nil
}

func (s *streams) output(to io.Writer) (*os.File, error) {
	if to == nil {
		return s.null()
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.theirs, s.ours = append(s.theirs, w), append(s.ours, r)
	s.out.Go(func() { _, _ = io.Copy(to, r) })
	return w, nil
}

// terminal carries a terminal's input and output.
func (s *streams) terminal(ctx context.Context, master *os.File, e runtime.Exec) {
	s.ours = append(s.ours, master)
	go resize(ctx, master, e.Resize)
	if e.Stdin != nil {
		go func() { _, _ = io.Copy(master, e.Stdin) }() // ends when master is closed
	}
	s.out.Go(func() {
		to := e.Stdout
		if to == nil {
			to = io.Discard
		}
		_, _ = io.Copy(to, master) // ends with EIO when the last process has closed it
	})
}

// given closes the process's ends, which it has now.
func (s *streams) given() {
	for _, f := range s.theirs {
		f.Close()
	}
	s.theirs = nil
}

// drain waits until all output is read, but not for long when something that
// the process has left behind holds it open.
func (s *streams) drain() {
	done := make(chan struct{})
	go func() { s.out.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(waitForOutput):
	}
}

func (s *streams) close() {
	s.given()
	for _, f := range s.ours {
		f.Close()
	}
	s.out.Wait()
}
