package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/node/sandbox"
)

func (a *app) downCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "down", Short: "Delete the platform's stack", Args: cobra.NoArgs,
		Long: "Delete the platform's stack and everything in it. With --all the engine is stopped as well and its state directory removed: nothing is left on the machine.",
	}
	cmd.Flags().BoolVar(&all, "all", false, "stop the engine too and remove its state directory")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		st, err := sandbox.StatusOf(a.home)
		if err != nil {
			return err
		}
		if st.Running {
			if err := a.deleteStack(cmd); err != nil && !all {
				return err
			} else if err != nil {
				fmt.Fprintf(a.err, "%s: the stack could not be deleted in order, so the engine is stopped with it: %v\n", a.yellow("warning"), err)
			}
		}
		if !all {
			return a.removed(false)
		}
		began := time.Now()
		if err := a.stopEngine(); err != nil {
			return err
		}
		if err := sandbox.Purge(a.home); err != nil {
			return err
		}
		a.step("engine stopped, "+a.home+" removed", began)
		return a.removed(true)
	}
	return cmd
}

// removed is the JSON of down.
func (a *app) removed(engine bool) error {
	if !a.json {
		return nil
	}
	return a.print(map[string]bool{"stackDeleted": true, "engineRemoved": engine})
}

func (a *app) deleteStack(cmd *cobra.Command) error {
	p, err := a.platform()
	if err != nil {
		return err
	}
	err = (&deployment{platform: p}).remove(cmd.Context())
	if coded, ok := errors.AsType[*codedError](err); ok && coded.code == exitNoEngine {
		return &codedError{exitNoEngine, fmt.Errorf("delete stack %s: %w", p.manifest.StackName(), err)}
	}
	return err
}
