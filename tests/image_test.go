package tests

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/slipway-dev/slipway/api/ecrapi"
)

// registryAuth is what docker login would keep.
func (w world) registryAuth() authn.Authenticator {
	w.Helper()
	out := call[ecrapi.GetAuthorizationTokenInput, ecrapi.GetAuthorizationTokenOutput](w, "ecr", "GetAuthorizationToken", &ecrapi.GetAuthorizationTokenInput{})
	b, err := base64.StdEncoding.DecodeString(val(out.AuthorizationData[0].AuthorizationToken))
	if err != nil {
		w.Fatal(err)
	}
	user, password, _ := strings.Cut(string(b), ":")
	return &authn.Basic{Username: user, Password: password}
}

// registry is host:port of the registry, as clients name it.
func (w world) registry() string {
	return strings.Replace(w.API, "127.0.0.1", "localhost", 1)
}

func (w world) ref(text string) name.Reference {
	w.Helper()
	ref, err := name.ParseReference(w.registry()+"/"+text, name.Insecure)
	if err != nil {
		w.Fatal(err)
	}
	return ref
}

// variant writes a docker archive of a service's newest image with one more
// environment variable: another image, which tells by which way it has come.
func (w world) variant(service, env string) string {
	w.Helper()
	auth := remote.WithAuth(w.registryAuth())
	tags, err := remote.List(w.ref(service+"-service-dev").Context(), auth)
	if err != nil || len(tags) == 0 {
		w.Fatalf("tags of %s: %v %v", service, tags, err)
	}
	img, err := remote.Image(w.ref(service+"-service-dev:"+tags[0]), auth)
	if err != nil {
		w.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		w.Fatal(err)
	}
	config := *file.Config.DeepCopy()
	config.Env = append(config.Env, env)
	if img, err = mutate.Config(img, config); err != nil {
		w.Fatal(err)
	}
	path := filepath.Join(w.TempDir(), "image.tar")
	tag, err := name.NewTag("story:latest")
	if err != nil {
		w.Fatal(err)
	}
	if err := tarball.WriteToFile(path, tag, img); err != nil {
		w.Fatal(err)
	}
	return path
}

// pushProbe builds the probe, pushes it to a repository of its own and returns
// the image's name.
func (w world) pushProbe() string {
	w.Helper()
	program := filepath.Join(w.TempDir(), "probe")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-o", program, "./testdata/probe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Fatalf("build the probe: %v\n%s", err, out)
	}
	img, err := imageOf(program)
	if err != nil {
		w.Fatal(err)
	}
	const repository = "probe"
	if _, err := try[ecrapi.CreateRepositoryInput, ecrapi.CreateRepositoryOutput](w, "ecr", "CreateRepository",
		&ecrapi.CreateRepositoryInput{RepositoryName: new(repository)}); err != nil && !strings.Contains(err.Error(), "already exists") {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		call[ecrapi.DeleteRepositoryInput, ecrapi.DeleteRepositoryOutput](w, "ecr", "DeleteRepository",
			&ecrapi.DeleteRepositoryInput{RepositoryName: new(repository), Force: new(true)})
	})
	ref := w.ref(repository + ":latest")
	if err := remote.Write(ref, img, remote.WithAuth(w.registryAuth())); err != nil {
		w.Fatal(err)
	}
	return ref.Name()
}

// imageOf is an image that holds one program, at /app.
func imageOf(program string) (v1.Image, error) {
	b, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	tw := tar.NewWriter(&layer)
	if err := tw.WriteHeader(&tar.Header{Name: "app", Mode: 0o755, Size: int64(len(b))}); err != nil {
		return nil, err
	}
	if _, err := tw.Write(b); err != nil {
		return nil, err
	}
	if err := tw.Close(); err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, staticLayer(layer.Bytes()))
	if err != nil {
		return nil, err
	}
	return mutate.Config(img, v1.Config{Entrypoint: []string{"/app"}, User: "65532:65532"})
}

func staticLayer(content []byte) v1.Layer {
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
	if err != nil {
		panic(err) // reading memory does not fail
	}
	return layer
}
