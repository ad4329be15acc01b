package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/node/sandbox"
)

// strike is what the engine's /_slipway/chaos takes, and struck its answer.
type (
	strike struct {
		Cluster string `json:"cluster,omitempty"`
		Service string `json:"service,omitempty"`
		Task    string `json:"task,omitempty"`
		All     bool   `json:"all,omitempty"`
		Zone    string `json:"zone,omitempty"`
		Restore bool   `json:"restore,omitempty"`
	}
	struck struct {
		Tasks []string `json:"tasks"`
	}
)

func (a *app) chaosCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "chaos", Short: "Break something, to see that the platform bears it",
		Example: "  slipway chaos spot payment\n  slipway chaos task order\n  slipway chaos zone us-east-1a\n  slipway chaos zone us-east-1a --restore\n  slipway chaos engine",
	}
	cmd.AddCommand(a.chaosSpot(), a.chaosTask(), a.chaosZone(), a.chaosEngine())
	return cmd
}

func (a *app) chaosSpot() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "spot SERVICE|TASK", Short: "Interrupt a Spot task with the two-minute warning", Args: cobra.ExactArgs(1),
		Long: "Warn a task on FARGATE_SPOT, as AWS does two minutes before it takes the capacity away. The service replaces it at once; it goes when others\n" +
			"serve in its place, at the end of the two minutes at the latest.",
		ValidArgsFunction: a.completeServices,
	}
	cmd.Flags().BoolVar(&all, "all", false, "every Spot task of the service")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.hit(cmd.Context(), "spot", args[0], strike{All: all}, "warned: it will be taken away within two minutes")
	}
	return cmd
}

func (a *app) chaosTask() *cobra.Command {
	return &cobra.Command{
		Use: "task SERVICE|TASK", Short: "Kill a task's processes", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.hit(cmd.Context(), "task", args[0], strike{}, "killed")
		},
	}
}

// hit strikes a task: of a service of the manifest, or the one with this id.
func (a *app) hit(ctx context.Context, kind, at string, s strike, what string) error {
	p, err := a.platform()
	if err != nil {
		return err
	}
	s.Cluster = p.names.Cluster()
	if chosen, err := p.choose([]string{at}); err == nil {
		s.Service = p.names.Service(chosen[0].Name)
	} else if s.Task = at; len(lastPart(at)) != 32 {
		return err // no service, and no id of a task either
	}
	out, err := p.client.strike(ctx, kind, s)
	if err != nil || a.json {
		return errors.Join(err, a.printStruck(out))
	}
	for _, t := range out.Tasks {
		fmt.Fprintf(a.out, "task %s %s\n", lastPart(t), what)
	}
	return nil
}

func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func (a *app) printStruck(s struck) error {
	if !a.json || s.Tasks == nil {
		return nil
	}
	return a.print(s)
}

func (c *client) strike(ctx context.Context, kind string, s strike) (out struck, err error) {
	err = c.Post(ctx, "/_slipway/chaos/"+kind, s, &out)
	return out, err
}

func (a *app) chaosZone() *cobra.Command {
	var restore bool
	cmd := &cobra.Command{
		Use: "zone ZONE", Short: "Take an availability zone out, or bring it back", Args: cobra.ExactArgs(1),
		Long: "Take an availability zone out as a power failure would: its tasks die without a signal before, and nothing is placed there until --restore.\n" +
			"What died is replaced in the other zones; services that are kept balanced move back when the zone is there again.",
	}
	cmd.Flags().BoolVar(&restore, "restore", false, "bring the zone back")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		out, err := c.strike(cmd.Context(), "zone", strike{Zone: args[0], Restore: restore})
		switch {
		case err != nil || a.json:
			return errors.Join(err, a.printStruck(out))
		case restore:
			fmt.Fprintf(a.out, "%s is back\n", args[0])
		default:
			fmt.Fprintf(a.out, "%s is lost, and %d tasks with it; bring it back with: slipway chaos zone %s --restore\n", args[0], len(out.Tasks), args[0])
		}
		return nil
	}
	return cmd
}

func (a *app) chaosEngine() *cobra.Command {
	return &cobra.Command{
		Use: "engine", Short: "Kill the engine process with SIGKILL; tasks and listeners stay", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := sandbox.StatusOf(a.home)
			if err != nil {
				return noEngine(err)
			}
			if !st.Running || st.EnginePid == 0 {
				return &codedError{exitNoEngine, fmt.Errorf("no engine runs on %s", a.home)}
			}
			c, err := a.access()
			if err != nil {
				return err
			}
			killed := time.Now()
			if err := syscall.Kill(st.EnginePid, syscall.SIGKILL); err != nil {
				return fmt.Errorf("kill the engine process %d: %w", st.EnginePid, err)
			}
			if err := a.answersAgain(cmd.Context(), c.Endpoint, st.EnginePid); err != nil {
				return err
			}
			took := time.Since(killed)
			if a.json {
				return a.print(map[string]any{"killed": st.EnginePid, "answersAfterSeconds": took.Seconds()})
			}
			fmt.Fprintf(a.out, "engine process %d killed; the next one answers after %s\n", st.EnginePid, took.Round(time.Millisecond))
			return nil
		},
	}
}

// answersAgain waits until another engine process than the one with this pid
// answers. The request itself waits in the listener that init has kept.
func (a *app) answersAgain(ctx context.Context, endpoint string, before int) error {
	ctx, cancel := context.WithTimeout(ctx, restartTimeout)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/_slipway/health", http.NoBody)
		if err != nil {
			return err
		}
		resp, err := (&http.Client{Transport: a.transport}).Do(req)
		if err == nil {
			resp.Body.Close()
			if st, err := sandbox.StatusOf(a.home); err == nil && st.EnginePid != before {
				return nil
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the engine did not come back within %s; see: slipway engine status", restartTimeout)
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}
