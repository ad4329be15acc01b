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
	if err := removeTree(dir); err != nil {
		if os.Geteuid() == 0 {
			return fmt.Errorf("sandbox: purge: %w", err)
		}
		if err := sweep(dir); err != nil {
			return fmt.Errorf("sandbox: purge: %w", err)
		}
	}
	return nil
}
