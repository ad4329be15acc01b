package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/tests/rig"
)

// synths measures slipway synth against the CDK, which synthesises the same
// platform written in JavaScript; each from the start of a process to its end,
// by turns. The CDK's own validation is off: it takes longer than all the rest.
func (b *bench) synths(ctx context.Context) error {
	modules := filepath.Join(rig.Root(), "tests", "testdata", "cdk")
	app := filepath.Join(modules, "platform.js")
	cli := filepath.Join(modules, "node_modules", ".bin", "cdk")
	if _, err := os.Stat(cli); err != nil {
		return errors.New("the CDK is not installed; install it with: make deps-test (npm ci in tests/testdata/cdk)")
	}
	dir := filepath.Join(b.Folder, "js")
	for _, s := range services {
		if err := os.MkdirAll(filepath.Join(dir, s), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, s, "Dockerfile"), []byte("FROM scratch\n"), 0o644); err != nil {
			return err
		}
	}
	// What the CDK would ask the API for, it keeps here.
	const zones = `{"availability-zones:account=000000000000:region=us-east-1":["us-east-1a","us-east-1b","us-east-1c"]}`
	if err := os.WriteFile(filepath.Join(dir, "cdk.context.json"), []byte(zones), 0o644); err != nil {
		return err
	}
	commands := []struct {
		dir  string
		argv []string
		took []time.Duration
	}{
		{b.Project, []string{b.Binary, "synth"}, nil},
		{dir, []string{cli, "synth", "--quiet", "--no-validation", "--no-notices", "--app", "CDK_DEFAULT_ACCOUNT=000000000000 CDK_DEFAULT_REGION=us-east-1 node " + app}, nil},
	}
	for range b.times(5) {
		for i := range commands {
			c := &commands[i]
			cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
			cmd.Dir = c.dir
			cmd.Env = append(b.Env(), "CI=1", "CDK_DISABLE_CLI_TELEMETRY=true", "CDK_VALIDATION=false", "NODE_NO_WARNINGS=1", "HOME="+b.Folder,
				"AWS_ACCOUNT_ID=000000000000", "CDK_DEFAULT_ACCOUNT=000000000000", "CDK_DEFAULT_REGION=us-east-1")
			began := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%v: %w\n%s", c.argv, err, out)
			}
			c.took = append(c.took, time.Since(began))
		}
	}
	median := func(i int) time.Duration {
		sorted := slices.Sorted(slices.Values(commands[i].took))
		return sorted[len(sorted)/2]
	}
	line("slipway synth", spread(commands[0].took), "under 50 ms")
	line("cdk synth of the same", fmt.Sprintf("%s, %.0f times as long", spread(commands[1].took), float64(median(1))/float64(median(0))), "")
	return nil
}
