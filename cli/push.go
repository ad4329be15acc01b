package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/images"
	"github.com/slipway-dev/slipway/manifest"
)

func (a *app) pushCommand() *cobra.Command {
	return &cobra.Command{
		Use: "push [SERVICE...]", Short: "Build images and push them, without deploying",
		Long: "Build the images of the services and push them to the platform's registry, each under the tag of its content and as latest. " +
			"Repositories are made if there are none yet. Tasks keep the images they have.",
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.platform()
			if err != nil {
				return err
			}
			chosen, err := p.choose(args)
			if err != nil {
				return err
			}
			if err := p.buildable(args, chosen); err != nil {
				return err
			}
			if err := p.manifest.Sources(); err != nil {
				return err
			}
			// The repositories are made if they are not there: so that images can
			// be pushed before the CDK CLI deploys the rest.
			d, err := a.deployment(p.manifest, p.client)
			if err != nil {
				return err
			}
			if err := d.foundation(cmd.Context()); err != nil {
				return err
			}
			began := time.Now()
			built, err := a.build(cmd.Context(), p.manifest, chosen)
			if err != nil {
				return err
			}
			a.step(imageCount(len(built))+" built", began)
			began = time.Now()
			fresh, err := a.push(cmd.Context(), p.client, p.manifest, built)
			if err != nil {
				return err
			}
			a.step(imageCount(fresh)+" pushed", began)
			return a.showImages(built, fresh)
		},
	}
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
