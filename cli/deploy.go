package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/images"
	"github.com/slipway-dev/slipway/manifest"
	"github.com/slipway-dev/slipway/synth"
)

func (a *app) deployCommand() *cobra.Command {
	var noBuild bool
	cmd := &cobra.Command{
		Use: "deploy", Short: "Build the images, push them, and bring the stack to what the manifest says", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.deploy(cmd.Context(), c, noBuild)
		},
	}
	cmd.Flags().BoolVar(&noBuild, "no-build", false, "deploy the images that are in the registry")
	return cmd
}

func (a *app) upCommand() *cobra.Command {
	var noBuild bool
	cmd := &cobra.Command{
		Use: "up", Short: "Start the engine if it does not run, and deploy the platform", Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&noBuild, "no-build", false, "deploy the images that are in the registry")
	set, apply := engineFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		// What can be wrong is said before anything is started.
		if m, err := a.manifest(); err != nil {
			return err
		} else if err := a.sources(m, noBuild); err != nil {
			return err
		}
		began := time.Now()
		fresh, err := a.startEngine(func(s *settings) { apply(cmd, s, set) })
		if err != nil {
			return err
		}
		if fresh {
			a.step("engine started", began)
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		return a.deploy(cmd.Context(), c, noBuild)
	}
	return cmd
}

// step prints one thing done and the time it took.
func (a *app) step(what string, since time.Time) {
	if !a.json {
		fmt.Fprintf(a.out, "%s %s %s\n", a.green("✓"), what, a.faint(time.Since(since).Round(10*time.Millisecond).String()))
	}
}

// deploy builds, pushes and deploys, and ends with the addresses.
func (a *app) deploy(ctx context.Context, c *client, noBuild bool) error {
	m, err := a.manifest()
	if err != nil {
		return err
	}
	if err := a.sources(m, noBuild); err != nil {
		return err
	}
	stack, err := a.deployment(m, c)
	if err != nil {
		return err
	}
	// The images are built while the repositories are made.
	type built struct {
		images []images.Image
		err    error
	}
	building := make(chan built, 1)
	began := time.Now()
	go func() {
		if noBuild {
			building <- built{}
			return
		}
		out, err := a.build(ctx, m, m.Services)
		building <- built{out, err}
	}()
	if err := stack.foundation(ctx); err != nil {
		return errors.Join(err, (<-building).err)
	}
	b := <-building
	if b.err != nil {
		return b.err
	}
	if len(b.images) > 0 {
		a.step(imageCount(len(b.images))+" built", began)
		began = time.Now()
		to, err := stack.pushedTo(ctx)
		if err != nil {
			return err
		}
		pushed, err := a.push(ctx, c, to, b.images)
		if err != nil {
			return err
		}
		a.step(imageCount(pushed)+" pushed", began)
	}
	outputs, err := stack.whole(ctx, b.images)
	if err != nil {
		return err
	}
	return a.addresses(ctx, m, outputs)
}

// sources checks what the images are built from, if they are.
func (a *app) sources(m *manifest.Manifest, noBuild bool) error {
	if noBuild {
		return nil
	}
	return m.Sources()
}

// deployment of a manifest's platform.
func (a *app) deployment(m *manifest.Manifest, c *client) (*deployment, error) {
	t, err := synth.Render(m)
	if err != nil {
		return nil, err
	}
	return &deployment{platform: &platform{app: a, client: c, manifest: m, names: synth.NamesOf(m)}, template: t}, nil
}

// build builds the images of services of a manifest.
func (a *app) build(ctx context.Context, m *manifest.Manifest, services []manifest.Service) ([]images.Image, error) {
	b := images.New(images.Config{Dir: m.Dir, Architecture: m.Architecture, Cache: filepath.Join(a.home, "cache")})
	return b.Build(ctx, services)
}

// push sends the images to the repositories of their services and returns how
// many were not there yet.
func (a *app) push(ctx context.Context, c *client, repositories map[string]string, built []images.Image) (fresh int, err error) {
	password, err := registryPassword(ctx, c)
	if err != nil {
		return 0, err
	}
	pushed, err := images.PushAll(ctx, built, func(service string) images.Destination {
		return images.Destination{Repository: repositories[service], User: "AWS", Password: password}
	})
	for _, p := range pushed {
		if !p.Skipped {
			fresh++
		}
	}
	return fresh, err
}

func stackOutputs(ctx context.Context, c *client, stack string) (map[string]string, error) {
	out, err := call[cfnapi.DescribeStacksInput, cfnapi.DescribeStacksOutput](ctx, c, "cloudformation", "DescribeStacks",
		&cfnapi.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	for _, o := range out.Stacks[0].Outputs {
		m[val(o.OutputKey)] = val(o.OutputValue)
	}
	return m, nil
}

func registryPassword(ctx context.Context, c *client) (string, error) {
	out, err := call[ecrapi.GetAuthorizationTokenInput, ecrapi.GetAuthorizationTokenOutput](ctx, c, "ecr", "GetAuthorizationToken", &ecrapi.GetAuthorizationTokenInput{})
	if err != nil {
		return "", err
	}
	return passwordOf(val(out.AuthorizationData[0].AuthorizationToken))
}
