package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) meshCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use: "mesh", Short: "Show which services talk to each other, how well, and the certificates they do it with", Args: cobra.NoArgs,
		Long: "Show the calls between services as their sidecars count them: how many a second, the share that was answered without a 5xx, how long they\n" +
			"took, whether both sides proved who they are, and what was tried again or refused. Below stand the tasks, with the age of the certificate and\n" +
			"whether the sidecar has taken the present configuration. On a terminal the view is refreshed until ^C.",
		Example: "  slipway mesh\n  slipway mesh --json | jq '.edges[] | select(.mtls == false)'\n  slipway mesh verify\n  slipway mesh shift payment --to payment-v2 --weight 100 --steps 5,25,50",
	}
	cmd.Flags().BoolVar(&once, "once", false, "print once, on a terminal too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p, err := a.meshPlatform()
		if err != nil {
			return err
		}
		var m meter
		read := func(ctx context.Context) (meshReport, error) {
			state, err := p.meshState(ctx)
			if err != nil {
				return meshReport{}, err
			}
			return m.report(time.Now(), state), nil
		}
		if a.live() && !once {
			return watching(cmd.Context(), p, read, p.meshRows)
		}
		if _, err := read(cmd.Context()); err != nil { // rates are differences
			return err
		}
		if err := wait(cmd.Context(), time.Second); err != nil {
			return err
		}
		r, err := read(cmd.Context())
		if err != nil {
			return err
		}
		if a.json {
			return a.print(r)
		}
		return a.printRows(p.meshRows(r, time.Now()))
	}
	cmd.AddCommand(a.meshShiftCommand(), a.meshVerifyCommand(), a.meshRotateCommand())
	return cmd
}
