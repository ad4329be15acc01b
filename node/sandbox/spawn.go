package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// stageChild is a process in new namespaces. Its descriptors: 3 rpc, 4 gate,
// 5 lock (if any).
type stageChild struct {
	cmd  *exec.Cmd
	rpc  *os.File // our end
	gate *os.File // what it may read after its ids are mapped
}

// spawnStage makes a process in new namespaces that goes on to be then, with its
// ids mapped. out is its stdout and stderr.
func spawnStage(then, arg string, out *os.File, files ...*os.File) (*stageChild, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	gateR, gateW, err := os.Pipe()
	if err != nil {
		ours.Close()
		return nil, err
	}
	defer gateR.Close()
	c := &stageChild{cmd: exec.Command(self), rpc: ours, gate: gateW}
	fail := func(err error) (*stageChild, error) {
		ours.Close()
		gateW.Close()
		return nil, err
	}
	c.cmd.Args = []string{"slipway-" + then, arg}
	c.cmd.Env = append(env(roleStage), thenEnv+"="+then)
	c.cmd.Dir = "/"
	c.cmd.Stdout, c.cmd.Stderr = out, out
	c.cmd.ExtraFiles = append([]*os.File{theirs, gateR}, files...)
	flags := unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	rootless := os.Geteuid() != 0
	if rootless {
		flags |= unix.CLONE_NEWUSER
	}
	// A session of its own: a ^C at the terminal reaches the parent only.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: uintptr(flags), Setsid: true}
	if err := c.cmd.Start(); err != nil {
		return fail(fmt.Errorf("new namespaces: %w", err))
	}
	if rootless {
		if err := mapIDs(c.cmd.Process.Pid); err != nil {
			return fail(c.abort(err))
		}
	}
	if _, err := gateW.Write([]byte{'!'}); err != nil {
		return fail(c.abort(err))
	}
	return c, nil
}

// abort ends a half-made child and returns why.
func (c *stageChild) abort(why error) error {
	c.gate.Close()
	c.rpc.Close()
	_ = c.cmd.Process.Kill() // it may have ended by itself
	_ = c.cmd.Wait()         // with an error, of course
	return why
}

// thenEnv carries the role that follows the stage.
const thenEnv = "SLIPWAY_SANDBOX_THEN"

// stageMain waits until the parent has mapped our ids, then executes the program
// again: only an exec as uid 0 gives the full set of capabilities in the new
// user namespace.
func stageMain() error {
	var b [1]byte
	for {
		n, err := unix.Read(4, b[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return errors.New("the parent ended before the sandbox was made")
		}
		break
	}
	then := os.Getenv(thenEnv)
	if err := os.Unsetenv(thenEnv); err != nil {
		return err
	}
	return unix.Exec(self, os.Args, env(then))
}
