package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/engineapi"
)

func (a *app) meshVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify", Short: "Try to get past the sidecars, to prove that they keep strangers out", Args: cobra.NoArgs,
		Long: "The engine connects to every service from inside the VPC: without TLS, without a certificate, with one of another authority, with one of\n" +
			"another service, with one that has expired, all of which must be refused, and with a proper one, which must be let in. For each attempt the\n" +
			"sidecar's own counter must have moved. Exits with 1 unless all of it came true.",
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p, err := a.meshPlatform()
		if err != nil {
			return err
		}
		return p.verifyMesh(cmd.Context())
	}
	return cmd
}

func (p *platform) verifyMesh(ctx context.Context) error {
	began := time.Now()
	var out engineapi.MeshChecks
	if err := p.askMesh(ctx, engineapi.VerifyPath, &out); err != nil {
		return err
	}
	failed := 0
	for _, c := range out.Checks {
		if !c.OK {
			failed++
		}
	}
	if p.json {
		if err := p.print(map[string]any{"mesh": p.names.Mesh(), "checks": out.Checks, "failed": failed}); err != nil {
			return err
		}
	} else if len(out.Checks) > 0 {
		if err := p.printRows(p.checkRows(out.Checks)); err != nil {
			return err
		}
	}
	switch {
	case len(out.Checks) == 0:
		return fmt.Errorf("nothing was tried: no task of %s takes calls", p.names.Mesh())
	case failed > 0:
		return fmt.Errorf("%d of %d attempts did not end as they must", failed, len(out.Checks))
	}
	p.step(fmt.Sprintf("%d attempts ended as they must", len(out.Checks)), began)
	return nil
}

func (p *platform) checkRows(checks []engineapi.MeshCheck) []string {
	table := [][]string{p.faints("", "TARGET", "ATTEMPT", "EXPECTED", "GOT", "COUNTER", "BEFORE", "AFTER")}
	for _, c := range checks {
		mark, got := p.green("✓"), c.Got
		if !c.OK {
			mark, got = p.red("✗"), p.red(c.Got)
		}
		before, after := "", ""
		if c.Counter != "" {
			before, after = fmt.Sprint(c.Before), fmt.Sprint(c.After)
		}
		table = append(table, []string{mark, p.bold(p.member(c.Target)), c.Name, c.Expected, got, orDash(c.Counter), before, after})
	}
	return columns(table, 6, 7)
}
