package images

import (
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// keep copies an image into memory as an OCI image with compressed layers, with the configuration it has.
func keep(image v1.Image) (v1.Image, error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, fmt.Errorf("read layers: %w", err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	out := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, one := range layers {
		copied, err := load(one)
		if err != nil {
			return nil, err
		}
		if out, err = mutate.AppendLayers(out, copied); err != nil {
			return nil, fmt.Errorf("copy layer: %w", err)
		}
	}
	config, err := out.ConfigFile()
	if err != nil {
		return nil, err
	}
	kept := file.DeepCopy()
	kept.RootFS = config.RootFS
	return mutate.ConfigFile(out, kept)
}

func load(one v1.Layer) (*layer, error) {
	r, err := one.Uncompressed()
	if err != nil {
		return nil, fmt.Errorf("read layer: %w", err)
	}
	defer r.Close()
	archive, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read layer: %w", err)
	}
	return newLayer(archive)
}
