package images

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/manifest"
)

// batch is a set of Go programs that one go command builds: same module, programs of different names.
type batch struct {
	module   string         // folder of the go.mod
	programs map[int]string // index of the service -> package path relative to module
	names    map[string]bool
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// batches groups services for as few go commands as possible, which share compilations and keep within one -p.
func batches(dir string, services []manifest.Service) []batch {
	var out []batch
next:
	for i := range services {
		if services[i].Build == "" {
			continue
		}
		folder := filepath.Join(dir, services[i].Build)
		module := moduleOf(folder)
		rel, err := filepath.Rel(module, folder)
		if err != nil {
			rel = services[i].Build
		}
		name := filepath.Base(rel)
		alone := rel == "." || majorVersion.MatchString(name) // the program's name is not its folder's
		for _, b := range out {
			if !alone && b.module == module && !b.names[name] && !b.names["."] {
				b.programs[i], b.names[name] = rel, true
				continue next
			}
		}
		if alone {
			name = "."
		}
		out = append(out, batch{module: module, programs: map[int]string{i: rel}, names: map[string]bool{name: true}})
	}
	return out
}

// moduleOf finds the folder of the go.mod that a package belongs to.
func moduleOf(folder string) string {
	for at, _ := filepath.Abs(folder); ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return folder
		}
	}
}

// compile builds the programs of a batch and packs each into an image.
func (b *Builder) compile(ctx context.Context, services []manifest.Service, batch batch, built []*Image, fails *failures) {
	began := time.Now()
	fail := &BuildError{Tool: "go build"}
	for _, i := range slices.Sorted(maps.Keys(batch.programs)) {
		fail.Services = append(fail.Services, services[i].Name)
	}
	folder, err := os.MkdirTemp("", "slipway-build-")
	if err != nil {
		fail.Err = err
		fails.add(fail)
		return
	}
	defer os.RemoveAll(folder)
	if output, err := b.goBuild(ctx, batch, folder); err != nil {
		fail.Err, fail.Output = err, tail(output)
		fails.add(fail)
		return
	}
	var group sync.WaitGroup
	for i, rel := range batch.programs {
		group.Go(func() {
			program := filepath.Join(folder, filepath.Base(rel))
			if batch.names["."] {
				program = filepath.Join(folder, "app")
			}
			image, err := b.pack(ctx, &services[i], program, began)
			if err != nil {
				fails.add(&BuildError{Services: []string{services[i].Name}, Tool: "pack", Err: err})
				return
			}
			b.Log.Debug("image built", "service", image.Service, "digest", image.Digest, "bytes", image.Size, "took", image.Took)
			built[i] = image
		})
	}
	group.Wait()
}

// goBuild runs the go command. The flags make the program the same on every machine: no paths, no version control stamp, no build id.
func (b *Builder) goBuild(ctx context.Context, batch batch, folder string) ([]byte, error) {
	tool, err := exec.LookPath("go")
	if err != nil {
		return nil, errors.New("the go command is not there; install Go (https://go.dev/dl) or give the service an image or a dockerfile")
	}
	target := folder + string(filepath.Separator)
	if batch.names["."] {
		target = filepath.Join(folder, "app")
	}
	args := []string{"build", "-p", strconv.Itoa(b.Jobs), "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", target}
	for _, rel := range batch.programs {
		args = append(args, "./"+filepath.ToSlash(rel))
	}
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Dir = batch.module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+b.Architecture)
	cmd.WaitDelay = 5 * time.Second
	return cmd.CombinedOutput()
}

// pack reads a program and puts it into an image.
func (b *Builder) pack(ctx context.Context, s *manifest.Service, program string, began time.Time) (*Image, error) {
	info, err := os.Stat(program)
	if err != nil || info.Mode()&0o100 == 0 { // the go command builds a library silently into nothing
		return nil, fmt.Errorf("%s is not a program: it needs package main with func main", strings.TrimSpace(s.Build))
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	image, err := b.assemble(ctx, s.Base, content)
	if err != nil {
		return nil, err
	}
	return describe(s.Name, image, began)
}
