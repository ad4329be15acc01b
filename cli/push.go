package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/images"
	"github.com/slipway-dev/slipway/manifest"
	"github.com/slipway-dev/slipway/synth"
)

func (a *app) pushCommand() *cobra.Command {
	return &cobra.Command{
		Use: "push [SERVICE...]", Short: "Build images and push them, without deploying",
		Long: "Build the images of the services and push them to the platform's registry, each under the tag of its content and as latest. " +
			"Repositories are made if there are none yet. Tasks keep the images they have.",
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, chosen, err := a.platformWith(args)
			if err != nil {
				return err
			}
			if err := p.buildable(args, chosen); err != nil {
				return err
			}
			if err := p.manifest.Sources(); err != nil {
				return err
			}
			repositories, err := p.repositories(cmd.Context(), chosen)
			if err != nil {
				return err
			}
			began := time.Now()
			built, err := a.build(cmd.Context(), p.manifest, chosen)
			if err != nil {
				return err
			}
			a.step(imageCount(len(built))+" built", began)
			began = time.Now()
			fresh, err := a.push(cmd.Context(), p.client, repositories, built)
			if err != nil {
				return err
			}
			a.step(imageCount(fresh)+" pushed", began)
			return a.showImages(built, fresh)
		},
	}
}

// repositories are the addresses of the repositories that images are pushed
// to, by service. They may be anybody's, Terraform's say; if one is missing,
// the stack makes them, so that images can be pushed before the CDK CLI deploys
// the rest.
func (p *platform) repositories(ctx context.Context, services []manifest.Service) (map[string]string, error) {
	found := map[string]string{}
	for _, s := range services {
		if !s.Built() {
			continue
		}
		out, err := call[ecrapi.DescribeRepositoriesInput, ecrapi.DescribeRepositoriesOutput](ctx, p.client, "ecr", "DescribeRepositories",
			&ecrapi.DescribeRepositoriesInput{RepositoryNames: []string{p.names.Repository(s.Name)}})
		if isCode(err, "RepositoryNotFoundException") {
			return p.made(ctx)
		}
		if err != nil {
			return nil, err
		}
		found[s.Name] = val(out.Repositories[0].RepositoryUri)
	}
	return found, nil
}

// made makes the repositories of the stack and returns their addresses.
func (p *platform) made(ctx context.Context) (map[string]string, error) {
	d, err := p.app.deployment(p.manifest, p.client)
	if err != nil {
		return nil, err
	}
	if err := d.foundation(ctx); err != nil {
		return nil, err
	}
	return p.pushedTo(ctx)
}

// pushedTo is what the stack says of its repositories, by service.
func (p *platform) pushedTo(ctx context.Context) (map[string]string, error) {
	outputs, err := stackOutputs(ctx, p.client, p.manifest.StackName())
	if err != nil {
		return nil, err
	}
	to := map[string]string{}
	for _, s := range p.manifest.Services {
		to[s.Name] = outputs[synth.RepositoryOutput(s.Name)]
	}
	return to, nil
}

// buildable refuses services that were named but are not built here.
func (p *platform) buildable(named []string, chosen []manifest.Service) error {
	if len(named) == 0 {
		return nil
	}
	for _, s := range chosen {
		if !s.Built() {
			return usage("%s is not built here: its image is %s", s.Name, s.Image)
		}
	}
	return nil
}

type imageReport struct {
	Service string `json:"service"`
	Tag     string `json:"tag"`
	Digest  string `json:"digest"`
	Size    int64  `json:"size"` // bytes of its compressed layers
}

func (a *app) showImages(built []images.Image, fresh int) error {
	list := []imageReport{}
	for _, i := range built {
		list = append(list, imageReport{i.Service, i.Tag, i.Digest.String(), i.Size})
	}
	if a.json {
		return a.print(map[string]any{"images": list, "pushed": fresh})
	}
	for _, i := range list {
		fmt.Fprintf(a.out, "  %s  %s  %s\n", a.bold(i.Service), i.Tag, a.faint(fmt.Sprintf("%.1f MB", float64(i.Size)/1e6)))
	}
	return nil
}

// imageCount counts images in words: 1 image, 2 images.
func imageCount(n int) string {
	if n == 1 {
		return "1 image"
	}
	return fmt.Sprintf("%d images", n)
}
