package images_test

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/slipway-dev/slipway/images"
	"github.com/slipway-dev/slipway/manifest"
)

const hello = "package main\n\nfunc main() { println(%q) }\n"

// project writes a module with the given programs, by folder.
func project(t *testing.T, programs map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module example.com/shop\n\ngo 1.25\n")
	for folder, source := range programs {
		write(t, filepath.Join(dir, folder, "main.go"), source)
	}
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func program(word string) string { return strings.ReplaceAll(hello, "%q", `"`+word+`"`) }

func services(builds ...string) []manifest.Service {
	var out []manifest.Service
	for _, b := range builds {
		out = append(out, manifest.Service{Name: strings.ReplaceAll(b, "/", "-"), Build: b})
	}
	return out
}

func build(t *testing.T, dir string, list []manifest.Service) []images.Image {
	t.Helper()
	built, err := images.New(images.Config{Dir: dir, Jobs: 2}).Build(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func TestEqualSourcesGiveEqualImages(t *testing.T) {
	// two folders called server, so that one go command cannot hold both programs
	source := map[string]string{"shop/server": program("shop"), "stock/server": program("stock"), "mail": program("mail")}
	list := append(services("shop/server", "stock/server", "mail"), manifest.Service{Name: "web", Image: "nginx"})
	first, second := build(t, project(t, source), list), build(t, project(t, source), list)
	if len(first) != 3 {
		t.Fatalf("%d images, want those of the three services that are built here", len(first))
	}
	for i, one := range first {
		if one.Service != list[i].Name {
			t.Errorf("image %d is of %s, want %s", i, one.Service, list[i].Name)
		}
		if one.Digest != second[i].Digest || one.Tag != one.Digest.Hex[:16] {
			t.Errorf("%s: %s and %s from equal sources in two folders", one.Service, one.Digest, second[i].Digest)
		}
		if err := validate.Image(one.Content); err != nil {
			t.Errorf("%s: %v", one.Service, err)
		}
	}
	if first[0].Digest == first[1].Digest {
		t.Error("different programs gave one image")
	}
}

func TestAnImageHoldsTheProgramAlone(t *testing.T) {
	one := build(t, project(t, map[string]string{"api": program("api")}), services("api"))[0]
	layers, err := one.Content.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	archive, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	r := tar.NewReader(archive)
	header, err := r.Next()
	if err != nil || header.Name != "app" || header.Mode != 0o755 || !header.ModTime.IsZero() && header.ModTime.Unix() != 0 {
		t.Errorf("%+v %v", header, err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Error("there is more in it")
	}
	config, err := one.Content.ConfigFile()
	if err != nil || config.Config.Entrypoint[0] != images.Program || config.Config.User != "65532:65532" || config.OS != "linux" {
		t.Errorf("%+v %v", config, err)
	}
}

func TestWhatCannotBeBuiltIsExplained(t *testing.T) {
	dir := project(t, map[string]string{
		"good": program("good"), "broken": "package main\n\nfunc main() { undefined() }\n", "library": "package library\n",
	})
	for _, c := range []struct{ folder, want string }{
		{"broken", "undefined: undefined"}, {"library", "is not a program"}, {"absent", "absent"},
	} {
		_, err := images.New(images.Config{Dir: dir}).Build(t.Context(), services("good", c.folder))
		var failed *images.BuildError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.folder, err)
		}
	}
	_, err := images.New(images.Config{Dir: dir}).Build(t.Context(), []manifest.Service{{Name: "x", Dockerfile: "none/Dockerfile", Context: "."}})
	if err == nil || !strings.Contains(err.Error(), "none/Dockerfile") {
		t.Errorf("absent dockerfile: %v", err)
	}
}

func TestWithoutToolsADockerfileSaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "Dockerfile"), "FROM scratch\n")
	t.Setenv("PATH", dir)
	_, err := images.New(images.Config{Dir: dir}).Build(t.Context(), []manifest.Service{{Name: "x", Dockerfile: "Dockerfile", Context: "."}})
	if err == nil || !strings.Contains(err.Error(), "docker, podman or buildah") {
		t.Error(err)
	}
}

// guarded is a registry that wants a password and counts the uploads.
func guarded(t *testing.T) (address string, uploads *atomic.Int32) {
	t.Helper()
	inner, uploads := registry.New(registry.Logger(log.New(io.Discard, "", 0))), &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "AWS" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodPost || r.Method == http.MethodPut {
			uploads.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), uploads
}

func TestWhatTheRegistryHasIsNotPushedAgain(t *testing.T) {
	address, uploads := guarded(t)
	to := func(service string) images.Destination {
		return images.Destination{Repository: address + "/" + service + "-service-dev", User: "AWS", Password: "secret"}
	}
	dir := project(t, map[string]string{"api": program("one"), "mail": program("mail")})
	first := build(t, dir, services("api", "mail"))
	push := func(list []images.Image, skipped ...bool) {
		t.Helper()
		pushed, err := images.PushAll(t.Context(), list, to)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range pushed {
			if p.Skipped != skipped[i] {
				t.Errorf("%s skipped: %v, want %v", p.Service, p.Skipped, skipped[i])
			}
		}
	}
	push(first, false, false)
	sent := uploads.Load()
	push(first, true, true)
	if uploads.Load() != sent {
		t.Errorf("%d uploads for nothing", uploads.Load()-sent)
	}
	write(t, filepath.Join(dir, "api/main.go"), program("two"))
	second := build(t, dir, services("api", "mail"))
	push(second, false, true)

	for tag, want := range map[string]v1.Hash{first[0].Tag: first[0].Digest, second[0].Tag: second[0].Digest, "latest": second[0].Digest} {
		if got := digest(t, to("api"), tag); got != want {
			t.Errorf("api:%s is %s, want %s", tag, got, want)
		}
	}
}

func digest(t *testing.T, to images.Destination, tag string) v1.Hash {
	t.Helper()
	ref, err := name.ParseReference(to.Repository + ":" + tag)
	if err != nil {
		t.Fatal(err)
	}
	there, err := remote.Head(ref, remote.WithAuth(basic{}))
	if err != nil {
		t.Fatal(err)
	}
	return there.Digest
}

func TestAPushThatFailsSaysWhere(t *testing.T) {
	address, _ := guarded(t)
	list := build(t, project(t, map[string]string{"api": program("one")}), services("api"))
	for _, to := range []images.Destination{
		{Repository: address + "/api", User: "AWS", Password: "wrong"}, {Repository: "not a repository"}, {Repository: "localhost:1/api"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := images.Push(ctx, list[0], to)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "push api") {
			t.Errorf("%s: %v", to.Repository, err)
		}
	}
}
