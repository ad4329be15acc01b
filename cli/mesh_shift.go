package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/manifest"
)

// shift is how calls to a service move from one version to another.
type shift struct {
	to, route string
	weight    int32
	steps     []int32 // before weight
	pause     time.Duration
	allowed   float64 // points by which the share of failures may rise
}

func (a *app) meshShiftCommand() *cobra.Command {
	var s shift
	cmd := &cobra.Command{
		Use: "shift SERVICE --to NODE|VERSION --weight N", Short: "Move calls to another version by weight, and back at once when they fail", Args: cobra.ExactArgs(1),
		Long: "Give a virtual node so many of every hundred calls to a service, in steps if --steps names some. What callers see is watched before and after\n" +
			"each step; when more of it fails than before, the old weights are put back at once. A call that had to be tried again counts as failed.\n" +
			"The manifest is not changed: a deployment that changes the route goes back to it.",
		Example:           "  slipway mesh shift payment --to payment-v2-node-dev --weight 5\n  slipway mesh shift payment --to v2 --weight 100 --steps 5,25,50 --pause 1m",
		ValidArgsFunction: a.completeServices,
	}
	f := cmd.Flags()
	f.StringVar(&s.to, "to", "", "virtual node, or the version in its name: v2 is payment-v2-node-dev")
	f.Int32Var(&s.weight, "weight", -1, "calls of every hundred that it gets in the end")
	f.Int32SliceVar(&s.steps, "steps", nil, "weights on the way, such as 5,25,50")
	f.DurationVar(&s.pause, "pause", 30*time.Second, "time each step is watched; 0: not at all")
	f.Float64Var(&s.allowed, "max-errors", 1, "points by which the percentage of failures may rise")
	f.StringVar(&s.route, "route", "", "route, where the service has several")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.check(); err != nil {
			return err
		}
		p, err := a.meshPlatform()
		if err != nil {
			return err
		}
		chosen, err := p.choose(args)
		if err != nil {
			return err
		}
		return p.shift(cmd.Context(), &chosen[0], s)
	}
	return cmd
}

func (s shift) check() error {
	all := append(slices.Clone(s.steps), s.weight)
	switch {
	case s.to == "":
		return usage("say which virtual node gets the calls: --to payment-v2")
	case s.weight < 0:
		return usage("say how many calls of every hundred it gets: --weight 10")
	case slices.ContainsFunc(all, func(w int32) bool { return w < 0 || w > 100 }):
		return usage("weights are between 0 and 100")
	case s.pause < 0 || s.allowed < 0:
		return usage("--pause and --max-errors cannot be negative")
	}
	return nil
}

// shifted is what became of a shift.
type shifted struct {
	Service   string      `json:"service"`
	Route     string      `json:"route"`
	TakenBack bool        `json:"takenBack"`
	Usual     outcome     `json:"before"`
	Steps     []shiftStep `json:"steps"`
	Targets   string      `json:"targets"` // where calls go now
}

type shiftStep struct {
	Weight int32 `json:"weight"`
	outcome
}

// shift moves calls step by step. Whatever goes wrong on the way, ^C included, puts the old weights back.
func (p *platform) shift(ctx context.Context, s *manifest.Service, how shift) error {
	route, err := p.routeOf(ctx, s, how.route)
	if err != nil {
		return err
	}
	node, err := p.nodeCalled(ctx, s, how.to)
	if err != nil {
		return err
	}
	before := targetsOf(route.Spec)
	w := p.newWatch(s, node, before, how)
	out := shifted{Service: s.Name, Route: val(route.RouteName), Targets: weightsText(before), Steps: []shiftStep{}}
	if out.Usual, err = w.usually(ctx); err != nil {
		return err
	}
	p.sayf("%s  %s  %s", p.bold(s.Name), weightsText(before), p.faint("before: "+out.Usual.String()))
	for _, weight := range append(slices.Clone(how.steps), how.weight) {
		targets, err := shares(before, node, weight)
		if err != nil {
			return err
		}
		began := time.Now()
		seen, err := p.tryWeights(ctx, route, targets, w)
		out.Steps = append(out.Steps, shiftStep{weight, seen})
		if err != nil {
			return p.unshift(ctx, route, before, out, err)
		}
		out.Targets = weightsText(targets)
		p.step(out.Targets+"  "+seen.String(), began)
	}
	if p.json {
		return p.print(out)
	}
	return nil
}

// tryWeights puts weights on a route and watches what comes of it.
func (p *platform) tryWeights(ctx context.Context, route *appmeshapi.RouteData, targets []appmeshapi.WeightedTarget, w *watch) (outcome, error) {
	if err := p.setWeights(ctx, route, targets); err != nil {
		return outcome{}, err
	}
	return w.step(ctx)
}

// unshift puts the old weights back, and says why; even when the command is being ended.
func (p *platform) unshift(ctx context.Context, route *appmeshapi.RouteData, before []appmeshapi.WeightedTarget, out shifted, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restartTimeout)
	defer cancel()
	if err := p.setWeights(ctx, route, before); err != nil {
		return fmt.Errorf("%w; and the old weights (%s) could not be put back: %w", why, weightsText(before), err)
	}
	out.TakenBack = true
	if p.json {
		return errors.Join(why, p.print(out))
	}
	fmt.Fprintf(p.err, "%s %s\n", p.red("✗"), "the old weights are back: "+weightsText(before))
	return why
}

// sayf prints a line for people.
func (a *app) sayf(format string, args ...any) {
	if !a.json {
		fmt.Fprintln(a.out, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}
