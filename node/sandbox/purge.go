package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// sweep removes a tree with files of subordinate ids: a helper in a user
// namespace is root to them.
func sweep(dir string) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	c, err := spawnStage(roleSweep, dir, null)
	if err != nil {
		return fmt.Errorf("remove %s: %w", dir, explain(err))
	}
	c.gate.Close()
	c.rpc.Close()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("remove %s as root of a user namespace: %w", dir, err)
	}
	return nil
}

func sweepMain() error {
	return removeTree(os.Args[1])
}

// Purge removes a state directory with everything in it, files of subordinate
// ids included. Errors: ErrRunning.
func Purge(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	if s, err := StatusOf(dir); err != nil || s.Running || held(dir) {
		return fmt.Errorf("sandbox: purge: %w", errors.Join(err, runningError(s, dir)))
	}
	if err := removeState(dir); err != nil {
		return fmt.Errorf("sandbox: purge: %w", err)
	}
	return nil
}

// removeState removes a state directory of which nothing is in use.
func removeState(dir string) error {
	err := removeTree(dir)
	if err != nil && os.Geteuid() != 0 {
		err = sweep(dir)
	}
	return err
}
