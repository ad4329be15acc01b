package cli

import (
	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/ecsapi"
)

func (a *app) restartCommand() *cobra.Command {
	var noWait bool
	cmd := &cobra.Command{
		Use: "restart SERVICE", Short: "Replace the tasks of a service, without losing a request", Args: cobra.ExactArgs(1),
		Long:              "Force a new deployment of the service: its tasks are replaced by new ones of the same revision, as a deployment would.",
		Example:           "  slipway restart payment",
		ValidArgsFunction: a.completeServices,
	}
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait until the new tasks serve")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, chosen, err := a.platformWith(args)
		if err != nil {
			return err
		}
		return p.updateService(cmd.Context(), chosen[0], &ecsapi.UpdateServiceInput{ForceNewDeployment: new(true)}, "restarted", noWait)
	}
	return cmd
}
