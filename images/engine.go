package images

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// Engine is an image of the engine itself, of this machine's architecture, from nothing: the
// programs with the libraries that they need, by their names in the image. It runs in a
// privileged container, since it makes namespaces, and keeps its state in the volume
// /var/lib/slipway. Its API listens at port 4566 of every address of the container.
func Engine(version string, programs map[string]string) (v1.Image, error) {
	files := map[string]string{}
	for name, program := range programs {
		files[name] = program
		if err := libraries(program, files); err != nil {
			return nil, err
		}
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, dir := range []string{"tmp", "var", "var/lib", "var/lib/slipway", "proc", "sys", "dev", "etc"} {
		if err := w.WriteHeader(&tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o755, Format: tar.FormatUSTAR}); err != nil {
			return nil, err
		}
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b, err := os.ReadFile(files[name])
		if err != nil {
			return nil, fmt.Errorf("engine image: %w", err)
		}
		if err := w.WriteHeader(&tar.Header{Name: name[1:], Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(b)), Format: tar.FormatUSTAR}); err != nil {
			return nil, err
		}
		if _, err := w.Write(b); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := newLayer(archive.Bytes())
	if err != nil {
		return nil, err
	}
	image, err := mutate.Append(empty.Image, mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: "slipway image"}})
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config = v1.Config{
		Entrypoint: []string{"/usr/bin/slipway"}, Cmd: []string{"engine", "run", "--api", "0.0.0.0:4566", "--address", "0.0.0.0"},
		Env:          []string{"PATH=/usr/bin:/usr/sbin", "SLIPWAY_HOME=/var/lib/slipway", "HOME=/tmp"},
		ExposedPorts: map[string]struct{}{"4566/tcp": {}, "80/tcp": {}}, Volumes: map[string]struct{}{"/var/lib/slipway": {}},
		Labels: map[string]string{"org.opencontainers.image.title": "slipway", "org.opencontainers.image.version": version, "org.opencontainers.image.licenses": "Apache-2.0"},
	}
	return mutate.ConfigFile(image, file)
}

// libraries adds the loader and the shared libraries of a program, and theirs, under
// the names that the loader looks for.
func libraries(program string, files map[string]string) error {
	f, err := elf.Open(program)
	if err != nil {
		return fmt.Errorf("engine image: %s: %w", program, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		b := make([]byte, p.Filesz)
		if _, err := p.ReadAt(b, 0); err != nil {
			return fmt.Errorf("engine image: loader of %s: %w", program, err)
		}
		loader := string(bytes.TrimRight(b, "\x00"))
		files[loader] = loader
	}
	needed, err := f.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("engine image: libraries of %s: %w", program, err)
	}
	for _, name := range needed {
		at, err := findLibrary(name)
		if err != nil {
			return fmt.Errorf("engine image: %s: %w", program, err)
		}
		in := path.Join("/usr/lib", name) // where every loader looks last
		if files[in] != "" {
			continue
		}
		files[in] = at
		if err := libraries(at, files); err != nil {
			return err
		}
	}
	return nil
}

func findLibrary(name string) (string, error) {
	for _, pattern := range []string{"/lib/*-linux-gnu", "/usr/lib/*-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"} {
		found, _ := filepath.Glob(filepath.Join(pattern, name))
		if len(found) > 0 {
			return filepath.EvalSymlinks(found[0])
		}
	}
	return "", fmt.Errorf("library %s is not found", name)
}
