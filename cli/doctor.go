package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/node/sandbox"
)

// finding is one thing doctor looked at, and its JSON.
type finding struct {
	Name     string `json:"name"`
	State    string `json:"state"` // ok, warning, failed, note
	Required bool   `json:"required"`
	Detail   string `json:"detail"`
	Fix      string `json:"fix,omitempty"` // what mends it
}

func good(name, detail string, args ...any) finding {
	return finding{Name: name, State: "ok", Detail: fmt.Sprintf(detail, args...)}
}

// bad is a finding that should be mended; when required, it fails doctor.
func bad(name string, required bool, fix, detail string, args ...any) finding {
	f := finding{Name: name, State: "warning", Required: required, Fix: fix, Detail: fmt.Sprintf(detail, args...)}
	if required {
		f.State = "failed"
	}
	return f
}

func (a *app) doctorCommand() *cobra.Command {
	var coverage, verbose bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look for what keeps the platform from running, and say how to mend it", Args: cobra.NoArgs,
		Long: "Look at the machine, the state directory and the engine. Each finding that is not right comes with the line that mends it;\n" +
			"the exit code is 1 when one of them keeps the platform from running. --coverage lists instead which AWS operations the engine implements.",
	}
	cmd.Flags().BoolVar(&coverage, "coverage", false, "list the AWS operations that are implemented")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "with --coverage: every operation")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if coverage {
			return a.coverage(cmd.Context(), verbose)
		}
		return a.showFindings(a.findings(cmd.Context()))
	}
	return cmd
}

// findings looks at everything.
func (a *app) findings(ctx context.Context) []finding {
	var out []finding
	for _, f := range sandbox.Check() {
		if f.OK {
			out = append(out, good(f.Name, "%s", f.Detail))
		} else {
			out = append(out, bad(f.Name, f.Required, f.Fix, "%s", f.Detail))
		}
	}
	out = append(out, a.checkDisk(), checkClock())
	out = append(out, a.checkState()...)
	engine, health := a.checkEngine(ctx)
	out = append(out, engine...)
	out = append(out, a.checkPorts(ctx, health != nil)...)
	return append(out, a.checkAccess(health))
}

func (a *app) showFindings(list []finding) error {
	broken := 0
	for _, f := range list {
		if f.State == "failed" {
			broken++
		}
	}
	if a.json {
		if err := a.print(map[string]any{"ok": broken == 0, "findings": list}); err != nil {
			return err
		}
	} else {
		for _, f := range list {
			mark := map[string]string{"ok": a.green("✓"), "warning": a.yellow("!"), "failed": a.red("✗"), "note": a.faint("i")}[f.State]
			fmt.Fprintf(a.out, "%s %-12s %s\n", mark, f.Name, f.Detail)
			if f.Fix != "" {
				fmt.Fprintf(a.out, "  %-12s → %s\n", "", a.bold(f.Fix))
			}
		}
	}
	if broken > 0 {
		return &codedError{exitFailed, &quietError{}}
	}
	return nil
}

// checkAccess says who may call what.
func (a *app) checkAccess(health *engineHealth) finding {
	f := finding{Name: "permissions", State: "note", Detail: "requests are authenticated by their signature; IAM policies are enforced for S3, SSM, AssumeRole, the mesh and what tasks read at their start, not yet for other services: there every known key may do everything"}
	if health != nil && health.AnyAuth {
		f.State, f.Detail = "warning", "SLIPWAY_AUTH=any: requests are not authenticated, any credentials act as root"
		f.Fix = "unset SLIPWAY_AUTH; slipway engine stop; slipway engine start"
	}
	return f
}
