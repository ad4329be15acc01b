package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/engineapi"
)

func (a *app) meshRotateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rotate [TASK]", Short: "Replace the certificates of the mesh's tasks now, long before their time", Args: cobra.MaximumNArgs(1),
		Long: "Replace certificates as it happens by itself after two thirds of their life: requests go on, over connections that are made and those that will be.",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := a.meshPlatform()
		if err != nil {
			return err
		}
		began, in := time.Now(), engineapi.Rotation{Mesh: p.names.Mesh()}
		if len(args) > 0 {
			in.Task = lastPart(args[0])
		}
		var out engineapi.Rotated
		if err := p.askMeshOf(cmd.Context(), engineapi.RotatePath, in, &out); err != nil {
			return err
		}
		if a.json {
			return a.print(out)
		}
		p.step(fmt.Sprintf("%d certificates are replaced", out.Certificates), began)
		return nil
	}
	return cmd
}
