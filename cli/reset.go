package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// reset and cleared are the body and the answer of /_slipway/reset, as package
// engine has them.
type reset struct {
	Account string `json:"account,omitempty"`
	Region  string `json:"region,omitempty"`
}

type cleared struct {
	Rows         int     `json:"rows"`
	Tasks        int     `json:"tasks"`
	Milliseconds float64 `json:"milliseconds"`
	Stopping     float64 `json:"stopping"`
}

func (a *app) resetCommand() *cobra.Command {
	var what reset
	cmd := &cobra.Command{
		Use: "reset", Short: "Remove all that an account has, at once: for the next test of a suite", Args: cobra.NoArgs,
		Long: "Remove all that an account has, at once and without the order that deleting it would take. Tasks that run are killed first.\n" +
			"Test suites do the same by POST /_slipway/reset, whose body may be {\"account\": \"111111111111\", \"region\": \"eu-west-1\"}; it is signed as other requests are, unless the engine takes any credentials.",
	}
	cmd.Flags().StringVar(&what.Account, "account", "", "account id (default: the engine's)")
	cmd.Flags().StringVar(&what.Region, "region", "", "remove only what is in this region; users, roles and other things without one stay (default: all regions)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		var out cleared
		err = c.Post(cmd.Context(), "/_slipway/reset", what, &out)
		if _, answered := errors.AsType[*awsapi.Error](err); err != nil && !answered && cmd.Context().Err() == nil {
			return &codedError{exitNoEngine, fmt.Errorf("the engine at %s does not answer (%w); see: slipway engine status", c.Endpoint, err)}
		}
		switch {
		case err != nil:
			return err
		case a.json:
			return a.print(out)
		case what.Account == "":
			what.Account = c.Account
		}
		where := "account " + what.Account
		if what.Region != "" {
			where += " in " + what.Region
		}
		fmt.Fprintf(a.out, "%s has nothing any more: %d rows removed in %s", where, out.Rows, duration(out.Milliseconds))
		if out.Tasks > 0 {
			fmt.Fprintf(a.out, ", of which %d tasks took %s to end", out.Tasks, duration(out.Stopping))
		}
		fmt.Fprintln(a.out)
		return nil
	}
	return cmd
}

func duration(milliseconds float64) time.Duration {
	return time.Duration(milliseconds * float64(time.Millisecond)).Round(100 * time.Microsecond)
}
