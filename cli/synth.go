package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/synth"
)

func (a *app) synthCommand() *cobra.Command {
	var out string
	var stdout bool
	cmd := &cobra.Command{
		Use: "synth", Short: "Render the manifest as a CloudFormation template in a cloud assembly", Args: cobra.NoArgs,
		Long: "Render the manifest as a CloudFormation template. The folder written is a cloud assembly: the CDK CLI deploys it (cdk.json names this command as the app).",
		RunE: func(*cobra.Command, []string) error {
			inv, err := synth.InvocationOf(os.Getenv)
			if err != nil {
				return err
			}
			if a.environment == "" {
				a.environment = inv.Environment
			}
			m, err := a.manifest()
			if err != nil {
				return err
			}
			t, err := synth.Render(m)
			if err != nil {
				return err
			}
			if stdout {
				_, err := a.out.Write(t.JSON())
				return err
			}
			if out == "" {
				out = inv.Output
			}
			if err := synth.WriteAssembly(out, m, t); err != nil {
				return err
			}
			switch {
			case a.json:
				return a.print(map[string]any{"stack": m.StackName(), "output": out, "resources": len(t.Resources)})
			case a.terminal:
				fmt.Fprintf(a.out, "%s: %d resources in %s\n", m.StackName(), len(t.Resources), out)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "folder to write (default "+synth.DefaultOutput+")")
	cmd.Flags().BoolVar(&stdout, "stdout", false, "print the template instead")
	return cmd
}
