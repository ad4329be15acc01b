package ecr_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/slipway-dev/slipway/api/ecrapi"
)

func (w *world) auth() crane.Option {
	return crane.WithAuth(&authn.Basic{Username: "AWS", Password: w.password()})
}

func image(t testing.TB) v1.Image {
	t.Helper()
	img, err := random.Image(2000, 3)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func digestOf(t testing.TB, i interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := i.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

func TestCranePushesAndPulls(t *testing.T) {
	w := newWorld(t)
	w.create("web")
	w.create("copy")
	img, ref := image(t), w.host+"/web:v1"
	if err := crane.Push(img, ref, w.auth()); err != nil {
		t.Fatal(err)
	}
	w.restart() // the token and the image outlive the process
	got, err := crane.Pull(ref, w.auth())
	if err != nil || digestOf(t, got) != digestOf(t, img) {
		t.Fatal(err)
	}
	layers, err := got.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		rc, err := l.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, rc); err != nil { // verifies the digest
			t.Error(err)
		}
	}
	if err := crane.Copy(ref, w.host+"/copy:v2", w.auth()); err != nil { // mounts
		t.Error(err)
	}
	if err := crane.Tag(ref, "v2", w.auth()); err != nil {
		t.Error(err)
	}
	tags, err := crane.ListTags(w.host+"/web", w.auth())
	if err != nil || !slices.Equal(tags, []string{"v1", "v2"}) {
		t.Errorf("%v %v", tags, err)
	}
	repos, err := crane.Catalog(w.host, w.auth())
	if err != nil || !slices.Equal(repos, []string{"copy", "web"}) {
		t.Errorf("%v %v", repos, err)
	}
	out, err := w.s.DescribeImages(w.ctx, &ecrapi.DescribeImagesInput{RepositoryName: new("web")})
	if err != nil || len(out.ImageDetails) != 1 || !slices.Equal(out.ImageDetails[0].ImageTags, []string{"v1", "v2"}) ||
		*out.ImageDetails[0].ImageSizeInBytes < 6000 || out.ImageDetails[0].LastRecordedPullTime == nil {
		t.Errorf("%+v %v", out, err)
	}
	_, err = w.s.DeleteRepository(w.ctx, &ecrapi.DeleteRepositoryInput{RepositoryName: new("web")})
	if code(err) != "RepositoryNotEmptyException" {
		t.Error(err)
	}
	if _, err = w.s.DeleteRepository(w.ctx, &ecrapi.DeleteRepositoryInput{RepositoryName: new("web"), Force: new(true)}); err != nil {
		t.Error(err)
	}
	if err := w.s.Collect(); err != nil { // what the copy mounted stays
		t.Fatal(err)
	}
	if got, err = crane.Pull(w.host+"/copy:v2", w.auth()); err != nil || digestOf(t, got) != digestOf(t, img) {
		t.Error(err)
	}
}

func TestAnIndexAndItsReferrers(t *testing.T) {
	w := newWorld(t)
	w.create("multi")
	idx, err := random.Index(500, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(w.host + "/multi:all")
	if err != nil {
		t.Fatal(err)
	}
	auth := remote.WithAuth(&authn.Basic{Username: "AWS", Password: w.password()})
	if err := remote.WriteIndex(ref, idx, auth); err != nil {
		t.Fatal(err)
	}
	subject, err := remote.Get(ref, auth)
	if err != nil {
		t.Fatal(err)
	}
	sbom := mutate.Subject(image(t), subject.Descriptor).(v1.Image)
	if err := remote.Write(ref.Context().Digest(digestOf(t, sbom)), sbom, auth); err != nil {
		t.Fatal(err)
	}
	refs, err := remote.Referrers(ref.Context().Digest(subject.Digest.String()), auth)
	if err != nil {
		t.Fatal(err)
	}
	m, err := refs.IndexManifest()
	if err != nil || len(m.Manifests) != 1 || m.Manifests[0].Digest.String() != digestOf(t, sbom) {
		t.Errorf("%+v %v", m, err)
	}
	im, _ := idx.IndexManifest()
	child := im.Manifests[0].Digest.String()
	out, err := w.s.BatchDeleteImage(w.ctx, &ecrapi.BatchDeleteImageInput{RepositoryName: new("multi"), ImageIds: []ecrapi.ImageIdentifier{{ImageDigest: &child}}})
	if err != nil || len(out.Failures) != 1 || out.Failures[0].FailureCode != "ImageReferencedByManifestList" {
		t.Errorf("%+v %v", out, err)
	}
	out, err = w.s.BatchDeleteImage(w.ctx, &ecrapi.BatchDeleteImageInput{
		RepositoryName: new("multi"),
		ImageIds:       []ecrapi.ImageIdentifier{{ImageDigest: &child}, {ImageTag: new("all")}, {ImageTag: new("none")}, {}},
	})
	if err != nil || len(out.ImageIds) != 2 || len(out.Failures) != 2 {
		t.Errorf("%+v %v", out, err)
	}
}

func TestRegistryErrorsAreECRs(t *testing.T) {
	w := newWorld(t)
	w.create("locked", func(in *ecrapi.CreateRepositoryInput) { in.ImageTagMutability = "IMMUTABLE" })
	fails := func(err error, status int, diagnostic, message string) {
		t.Helper()
		e, ok := errors.AsType[*transport.Error](err)
		if !ok || e.StatusCode != status || len(e.Errors) != 1 || string(e.Errors[0].Code) != diagnostic || !strings.Contains(e.Errors[0].Message, message) {
			t.Errorf("got %v, want %d %s %s", err, status, diagnostic, message)
		}
	}
	fails(crane.Push(image(t), w.host+"/none:v1", w.auth()), 404, "NAME_UNKNOWN",
		"The repository with name 'none' does not exist in the registry with id '123456789012'")
	img := image(t)
	if err := crane.Push(img, w.host+"/locked:v1", w.auth()); err != nil {
		t.Fatal(err)
	}
	if err := crane.Push(img, w.host+"/locked:v1", w.auth()); err != nil {
		t.Errorf("the same image again: %v", err)
	}
	fails(crane.Push(image(t), w.host+"/locked:v1", w.auth()), 400, "TAG_INVALID",
		"The image tag 'v1' already exists in the 'locked' repository and cannot be overwritten because the tag is immutable.")
	fails(func() error { _, err := crane.Manifest(w.host+"/locked:none", w.auth()); return err }(), 404, "MANIFEST_UNKNOWN", "")
	_, err := crane.ListTags(w.host+"/999999999999.us-east-1/x", w.auth())
	fails(err, 403, "DENIED", "not authorized")

	res, err := http.Get(w.server.URL + "/v2/")
	if err != nil || res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(res.Header.Get("Www-Authenticate"), "Basic realm=") {
		t.Errorf("%v %v", res, err)
	}
	password := w.password()
	w.later(12*time.Hour + time.Second)
	_, err = crane.ListTags(w.host+"/locked", crane.WithAuth(&authn.Basic{Username: "AWS", Password: password}))
	fails(err, 403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
	_, err = crane.ListTags(w.host+"/locked", crane.WithAuth(&authn.Basic{Username: "AWS", Password: "x" + password}))
	if e, ok := errors.AsType[*transport.Error](err); !ok || e.StatusCode != http.StatusUnauthorized {
		t.Errorf("a forged token: %v", err)
	}
}

func TestPullsWithoutASocket(t *testing.T) {
	w := newWorld(t)
	w.create("web")
	img := image(t)
	if err := crane.Push(img, w.host+"/web:v1", w.auth()); err != nil {
		t.Fatal(err)
	}
	w.server.Close()
	for _, ref := range []string{"localhost:4566/web:v1", "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:v1"} {
		got, err := crane.Pull(ref, crane.WithTransport(w.s.Transport()), crane.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		if err := crane.Save(got, "web:v1", filepath.Join(t.TempDir(), "x.tar")); err != nil || digestOf(t, got) != digestOf(t, img) {
			t.Error(err)
		}
	}
}

// skopeo and docker are the clients people have; without them this test fails
// rather than pass without having tried.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("%s is not installed; install it with: apt-get install %s", program, program)
	}
}

func TestSkopeoCopiesBothWays(t *testing.T) {
	need(t, "skopeo")
	w := newWorld(t)
	w.create("web")
	w.create("docker")
	src := filepath.Join(t.TempDir(), "src")
	l, err := layout.Write(src, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AppendImage(image(t)); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("skopeo", args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("skopeo %s: %v\n%s", args[0], err, stderr.String())
		}
		return stdout.String()
	}
	creds, ref := "AWS:"+w.password(), "docker://"+w.host+"/web:v1"
	run("--insecure-policy", "copy", "--dest-tls-verify=false", "--dest-creds", creds, "oci:"+src, ref)
	run("--insecure-policy", "copy", "--src-tls-verify=false", "--src-creds", creds, ref, "dir:"+filepath.Join(t.TempDir(), "dst"))
	run("--insecure-policy", "copy", "--format=v2s2", "--dest-tls-verify=false", "--dest-creds", creds, "oci:"+src, "docker://"+w.host+"/docker:v1")
	var seen struct{ Digest string }
	if err := json.Unmarshal([]byte(run("inspect", "--no-tags", "--tls-verify=false", "--creds", creds, ref)), &seen); err != nil {
		t.Fatal(err)
	}
	out, err := w.s.ListImages(w.ctx, &ecrapi.ListImagesInput{RepositoryName: new("web")})
	if err != nil || len(out.ImageIds) != 1 || *out.ImageIds[0].ImageDigest != seen.Digest {
		t.Errorf("%+v %v", out, err)
	}
	run("delete", "--tls-verify=false", "--creds", creds, ref)
	if out, err = w.s.ListImages(w.ctx, &ecrapi.ListImagesInput{RepositoryName: new("web")}); err != nil || len(out.ImageIds) != 0 {
		t.Errorf("%+v %v", out, err)
	}
}

func TestDockerLogin(t *testing.T) {
	need(t, "docker")
	w := newWorld(t)
	login := func(password string) (string, error) {
		cmd := exec.Command("docker", "login", "--username", "AWS", "--password-stdin", w.host)
		cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+t.TempDir(), "DOCKER_HOST=unix:///nonexistent")
		cmd.Stdin = strings.NewReader(password)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := login(w.password()); err != nil || !strings.Contains(out, "Login Succeeded") {
		t.Errorf("%s %v", out, err)
	}
	if out, err := login("wrong"); err == nil {
		t.Errorf("a wrong password: %s", out)
	}
}
