package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/slipway-dev/slipway/manifest"
)

// imageTools are the programs that can build a Dockerfile, best first, with the arguments that build a tag and save it as a docker archive.
var imageTools = []struct {
	name  string
	ready []string // succeeds when the tool can work: docker without its daemon cannot
	build []string
	save  func(tag, file string) []string
}{
	{"docker", []string{"version", "--format", "{{.Server.Version}}"}, []string{"build", "-q"}, func(tag, file string) []string {
		return []string{"save", "-o", file, tag}
	}},
	{"podman", []string{"version"}, []string{"build", "-q"}, func(tag, file string) []string {
		return []string{"save", "--format", "docker-archive", "-o", file, tag}
	}},
	{"buildah", []string{"version"}, []string{"build", "-q"}, func(tag, file string) []string {
		return []string{"push", tag, "docker-archive:" + file + ":" + tag}
	}},
}

var errNoTool = errors.New("a dockerfile needs a running docker, podman or buildah, and none is here; " +
	"start one, or build a Go service without it (build: <package>)")

// docker builds a service's Dockerfile and reads the result back, so that it is pushed like any other image.
func (b *Builder) docker(ctx context.Context, s *manifest.Service, built **Image, fails *failures) {
	began := time.Now()
	fail := func(tool string, output []byte, err error) {
		fails.add(&BuildError{Services: []string{s.Name}, Tool: tool, Output: tail(output), Err: err})
	}
	file := filepath.Join(b.Dir, s.Dockerfile)
	if _, err := os.Stat(file); err != nil {
		fail("read dockerfile", nil, err)
		return
	}
	for _, tool := range imageTools {
		if path, err := exec.LookPath(tool.name); err != nil || exec.CommandContext(ctx, path, tool.ready...).Run() != nil {
			continue
		}
		folder, err := os.MkdirTemp("", "slipway-image-")
		if err != nil {
			fail("build", nil, err)
			return
		}
		defer os.RemoveAll(folder)
		tag, archive := fmt.Sprintf("slipway.local/%s:%s", s.Name, filepath.Base(folder)), filepath.Join(folder, "image.tar")
		args := slices.Concat(tool.build, []string{"--platform", "linux/" + b.Architecture, "-t", tag, "-f", file, filepath.Join(b.Dir, s.Context)})
		if output, err := exec.CommandContext(ctx, tool.name, args...).CombinedOutput(); err != nil {
			fail(tool.name+" build", output, err)
			return
		}
		if output, err := exec.CommandContext(ctx, tool.name, tool.save(tag, archive)...).CombinedOutput(); err != nil {
			fail(tool.name+" save", output, err)
			return
		}
		forget := context.WithoutCancel(ctx)
		defer exec.CommandContext(forget, tool.name, "rmi", tag).Run() //nolint:errcheck // the tag is only ours; its layers stay as the tool's cache
		if *built, err = read(s.Name, archive, began); err != nil {
			fail(tool.name+" save", nil, err)
		}
		return
	}
	fail("build dockerfile", nil, errNoTool)
}

// read loads a docker archive into memory, since its folder goes away.
func read(service, archive string, began time.Time) (*Image, error) {
	image, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		return nil, err
	}
	content, err := keep(image)
	if err != nil {
		return nil, err
	}
	return describe(service, content, began)
}
