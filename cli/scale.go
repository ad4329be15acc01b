package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/manifest"
)

func (a *app) scaleCommand() *cobra.Command {
	var noWait bool
	var bounds scaleBounds
	cmd := &cobra.Command{
		Use: "scale SERVICE N", Short: "Set how many tasks of a service run", Args: cobra.ExactArgs(2),
		Long: "Set the desired number of tasks of a service and wait until they serve. The manifest is not changed: a deployment that changes the number goes back to it.\n" +
			"Auto scaling moves a number outside its bounds back into them, so such a number is refused unless --min or --max moves the bounds as well.",
		Example:           "  slipway scale payment 4\n  slipway scale payment 20 --max 20",
		ValidArgsFunction: a.completeServices,
	}
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait until the tasks run")
	cmd.Flags().Int32Var(&bounds.min, "min", -1, "fewest tasks that auto scaling leaves")
	cmd.Flags().Int32Var(&bounds.max, "max", -1, "most tasks that auto scaling starts")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n, err := strconv.ParseInt(args[1], 10, 32)
		if err != nil || n < 0 {
			return usage("%q is no number of tasks", args[1])
		}
		p, err := a.platform()
		if err != nil {
			return err
		}
		chosen, err := p.choose(args[:1])
		if err != nil {
			return err
		}
		if err := p.withinBounds(cmd.Context(), chosen[0], int32(n), bounds); err != nil {
			return err
		}
		return p.scale(cmd.Context(), chosen[0], int32(n), noWait)
	}
	return cmd
}

// scale sets the count and waits until the tasks serve.
func (p *platform) scale(ctx context.Context, s manifest.Service, n int32, noWait bool) error {
	return p.updateService(ctx, s, &ecsapi.UpdateServiceInput{DesiredCount: &n}, "scaled to "+strconv.Itoa(int(n)), noWait)
}

// scaleBounds are those that the command line names; -1: not named.
type scaleBounds struct{ min, max int32 }

// withinBounds checks a count against the bounds of auto scaling, if the
// service has it, and moves those that are named.
func (p *platform) withinBounds(ctx context.Context, s manifest.Service, n int32, named scaleBounds) error {
	began := time.Now()
	t, err := p.scalableTarget(ctx, s)
	if err != nil {
		return err
	}
	moves := named.min >= 0 || named.max >= 0
	if t == nil {
		if moves {
			return usage("%s has no auto scaling whose bounds --min and --max could move", s.Name)
		}
		return nil
	}
	least, most := val(t.MinCapacity), val(t.MaxCapacity)
	if named.min >= 0 {
		least = named.min
	}
	if named.max >= 0 {
		most = named.max
	}
	if n < least || n > most {
		return usage("auto scaling keeps %s between %d and %d tasks and would go back there from %d; move the bounds too: slipway scale %s %d %s",
			s.Name, least, most, n, s.Name, n, boundFlag(n, least))
	}
	if !moves {
		return nil
	}
	if err := p.moveBounds(ctx, s, least, most); err != nil {
		return err
	}
	p.step(fmt.Sprintf("%s scales between %d and %d tasks", s.Name, least, most), began)
	return nil
}

// boundFlag is the flag that lets a count in.
func boundFlag(n, least int32) string {
	if n < least {
		return fmt.Sprintf("--min %d", n)
	}
	return fmt.Sprintf("--max %d", n)
}
