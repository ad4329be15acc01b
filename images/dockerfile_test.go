package images_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/slipway-dev/slipway/images"
	"github.com/slipway-dev/slipway/manifest"
)

// docker stands in for the command: it records its calls and saves an image made beforehand.
func docker(t *testing.T, build string) (calls func() string) {
	t.Helper()
	dir := t.TempDir()
	image, err := random.Image(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(filepath.Join(dir, "image.tar"), name.MustParseReference("x:y"), image); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho \"$@\" >> " + dir + "/calls\ncase $1 in\nbuild) " + build + " ;;\nsave) cp " + dir + "/image.tar \"$3\" ;;\nesac\n"
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return func() string {
		data, err := os.ReadFile(filepath.Join(dir, "calls"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}

func dockerfiles(t *testing.T) (string, []manifest.Service) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "api/Dockerfile"), "FROM scratch\n")
	return dir, []manifest.Service{{Name: "api", Dockerfile: "api/Dockerfile", Context: "api"}}
}

func TestADockerfileIsBuiltByDockerAndKeptInMemory(t *testing.T) {
	calls := docker(t, "true")
	dir, list := dockerfiles(t)
	built, err := images.New(images.Config{Dir: dir, Architecture: "arm64"}).Build(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(built[0].Content); err != nil { // the archive is gone by now
		t.Error(err)
	}
	said := calls()
	for _, want := range []string{
		"build -q --platform linux/arm64 -t slipway.local/api:", "-f " + dir + "/api/Dockerfile " + dir + "/api\n", "save -o ", "rmi slipway.local/api:",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("docker was not called with %q:\n%s", want, said)
		}
	}
}

func TestADockerfileThatFailsShowsItsOutput(t *testing.T) {
	docker(t, "echo 'no such instruction: FORM' >&2; exit 1")
	dir, list := dockerfiles(t)
	_, err := images.New(images.Config{Dir: dir}).Build(t.Context(), list)
	if err == nil || !strings.Contains(err.Error(), "build api: docker build: exit status 1\nno such instruction: FORM") {
		t.Error(err)
	}
}
