package images

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/cache"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Program is where the program stands in an image built from a Go package; it is the entry point.
const Program = "/app"

// user is the user such an image runs as: nobody in particular, and not root.
const user = "65532:65532"

// assemble puts a program on a base.
func (b *Builder) assemble(ctx context.Context, base string, program []byte) (v1.Image, error) {
	var archive bytes.Buffer
	archive.Grow(len(program) + 4096)
	w := tar.NewWriter(&archive)
	header := &tar.Header{Name: "app", Mode: 0o755, Size: int64(len(program)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
	if err := w.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	packed, err := newLayer(archive.Bytes())
	if err != nil {
		return nil, err
	}
	image, err := b.bases.get(ctx, b.Config, base)
	if err != nil {
		return nil, err
	}
	image, err = mutate.Append(image, mutate.Addendum{Layer: packed, History: v1.History{CreatedBy: "slipway"}})
	if err != nil {
		return nil, fmt.Errorf("add program: %w", err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", b.Architecture
	file.Config.Entrypoint, file.Config.Cmd, file.Config.WorkingDir = []string{Program}, nil, "/"
	if file.Config.User == "" {
		file.Config.User = user
	}
	if len(file.Config.Env) == 0 {
		file.Config.Env = []string{"PATH=/"}
	}
	return mutate.ConfigFile(image, file)
}

// bases are the base images in use, each fetched once.
type bases struct {
	mu     sync.Mutex
	images map[string]v1.Image
}

func (s *bases) get(ctx context.Context, c Config, base string) (v1.Image, error) {
	if base == "" {
		return mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := c.Architecture + " " + base
	if image := s.images[key]; image != nil {
		return image, nil
	}
	ref, err := name.ParseReference(base)
	if err != nil {
		return nil, fmt.Errorf("base image: %w", err)
	}
	image, err := remote.Image(
		ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithTransport(http.DefaultTransport),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: c.Architecture}),
	)
	if err != nil {
		return nil, fmt.Errorf("base image %s: %w", base, err)
	}
	if c.Cache != "" {
		image = cache.Image(image, cache.NewFilesystemCache(c.Cache))
	}
	if s.images == nil {
		s.images = map[string]v1.Image{}
	}
	s.images[key] = image
	return image, nil
}
