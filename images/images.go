// Package images turns a manifest's services into container images and pushes them. It is client-side: the registry it pushes to is the
// engine's or Amazon's, told apart only by address and password.
//
// A Go package becomes an image without Docker: one static program at /app on an empty (or given) base, built reproducibly, so that equal
// sources give equal digests on every machine and an unchanged service is never pushed or deployed again. A Dockerfile is built by docker,
// podman or buildah, whichever is there.
//
// Invariants: images come back in the order of the services; a push writes blobs before the manifest and the content's tag before latest,
// so a tag never names something incomplete.
package images

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/slipway-dev/slipway/manifest"
)

// Config says how images are built.
type Config struct {
	Dir          string       // folder of the manifest; services' paths start from it
	Architecture string       // amd64 or arm64; default: this machine's
	Jobs         int          // compilations at once (go build -p); default: the number of processors
	Cache        string       // folder that keeps the layers of base images; empty: no cache
	Log          *slog.Logger // default: discarded
}

// Builder builds images. Safe for concurrent use.
type Builder struct {
	Config
	bases bases
}

// Image is one service's image, ready to be pushed.
type Image struct {
	Service string
	Content v1.Image
	Digest  v1.Hash
	Tag     string        // names this content: the first 16 hexadecimal digits of the digest; the value of the service's image parameter
	Size    int64         // bytes of its compressed layers
	Took    time.Duration // time the build took; shared by services that were built together
}

// New prepares a builder.
func New(c Config) *Builder {
	if c.Architecture == "" {
		c.Architecture = runtime.GOARCH
	}
	if c.Jobs == 0 {
		c.Jobs = runtime.GOMAXPROCS(0)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Dir == "" {
		c.Dir = "."
	}
	return &Builder{Config: c}
}

// Build builds the images of the services that are built here, leaving out those with a finished image. Every service is tried; the error
// joins what failed, each a *BuildError.
func (b *Builder) Build(ctx context.Context, services []manifest.Service) ([]Image, error) {
	var (
		built = make([]*Image, len(services))
		fails failures
		group sync.WaitGroup
	)
	group.Go(func() { // one after the other: each may use Jobs processors
		for _, batch := range batches(b.Dir, services) {
			b.compile(ctx, services, batch, built, &fails)
		}
	})
	for i := range services {
		if services[i].Dockerfile != "" {
			group.Go(func() { b.docker(ctx, &services[i], &built[i], &fails) })
		}
	}
	group.Wait()
	if err := fails.join(); err != nil {
		return nil, err
	}
	var out []Image
	for _, image := range built {
		if image != nil {
			out = append(out, *image)
		}
	}
	return out, nil
}

// describe fills in what a finished image says of itself.
func describe(service string, content v1.Image, began time.Time) (*Image, error) {
	digest, err := content.Digest()
	if err != nil {
		return nil, fmt.Errorf("digest image of %s: %w", service, err)
	}
	m, err := content.Manifest()
	if err != nil {
		return nil, fmt.Errorf("read image of %s: %w", service, err)
	}
	size := int64(0)
	for _, layer := range m.Layers {
		size += layer.Size
	}
	return &Image{Service: service, Content: content, Digest: digest, Tag: digest.Hex[:16], Size: size, Took: time.Since(began)}, nil
}
