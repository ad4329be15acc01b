package image_test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/node/runtime/image"
	"github.com/slipway-dev/slipway/node/runtime/runtimetest"
)

func open(t *testing.T, dir string) *image.Store {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("these tests mount file systems and need root: sudo go test ./node/...")
	}
	s, err := image.Open(image.Config{Dir: dir, Keep: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func file(path, data string) runtimetest.File {
	return runtimetest.File{Header: tar.Header{Name: path, Mode: 0o644}, Data: []byte(data)}
}

// counter counts requests by method and kind of path.
type counter struct {
	blobs, manifests atomic.Int64
	spoil            func(*http.Response)
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.Contains(r.URL.Path, "/blobs/"):
		c.blobs.Add(1)
	case strings.Contains(r.URL.Path, "/manifests/"):
		c.manifests.Add(1)
	}
	if c.spoil != nil {
		c.spoil(res)
	}
	return res, nil
}

// mounted mounts an image and returns the folder.
func mounted(t *testing.T, s *image.Store, img runtime.Image, id string) string {
	t.Helper()
	root := t.TempDir()
	for range 2 {
		if err := s.Mount(t.Context(), img, id, root); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for range 2 {
			if err := s.Unmount(t.Context(), id, root); err != nil && t.Context().Err() == nil {
				t.Error(err)
			}
		}
	})
	return root
}

func read(t *testing.T, root, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if errors.Is(err, os.ErrNotExist) {
		return "-"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLayersAndWhiteouts(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	ref := runtimetest.Registry(t) + "/a:1"
	runtimetest.Push(t, ref, runtimetest.Image(t, func(c *v1.Config) { c.Env = []string{"A=1"}; c.StopSignal = "SIGINT" },
		runtimetest.Layer(t, file("keep", "1"), file("gone", "1"), file("dir/old", "1"), file("change", "1")),
		runtimetest.Layer(t, file(".wh.gone", ""), file("dir/.wh..wh..opq", ""), file("dir/new", "2"), file("change", "2")),
	))
	img, err := s.Pull(t.Context(), ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	if img.Ref != ref || !strings.HasPrefix(img.Digest, "sha256:") || img.Config.Env[0] != "A=1" || img.Config.StopSignal != "SIGINT" || img.Size == 0 {
		t.Errorf("%+v", img)
	}
	root := mounted(t, s, img, "c1")
	for path, want := range map[string]string{"keep": "1", "gone": "-", "dir/old": "-", "dir/new": "2", "change": "2"} {
		if got := read(t, root, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "keep"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := read(t, mounted(t, s, img, "c2"), "keep"); got != "1" {
		t.Errorf("another container sees %q", got)
	}
}

func TestPullFetchesWhatIsMissing(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	host := runtimetest.Registry(t)
	below := runtimetest.Layer(t, file("below", "1"))
	runtimetest.Push(t, host+"/a:1", runtimetest.Image(t, nil, below, runtimetest.Layer(t, file("above", "1"))))
	via := &counter{}
	pull := func(ref string) runtime.Image {
		t.Helper()
		img, err := s.Pull(t.Context(), host+ref, via)
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	first := pull("/a:1")
	if n := via.blobs.Load(); n != 3 { // configuration and two layers
		t.Errorf("%d blobs fetched", n)
	}
	if again := pull("/a:1"); again.Digest != first.Digest || via.blobs.Load() != 3 || via.manifests.Load() != 2 {
		t.Errorf("a second pull: %d blobs, %d manifests", via.blobs.Load(), via.manifests.Load())
	}
	runtimetest.Push(t, host+"/a:1", runtimetest.Image(t, nil, below, runtimetest.Layer(t, file("above", "2"))))
	moved := pull("/a:1")
	if moved.Digest == first.Digest || via.blobs.Load() != 5 {
		t.Errorf("a moved tag: %d blobs fetched", via.blobs.Load())
	}
	if got := read(t, mounted(t, s, moved, "c"), "above"); got != "2" {
		t.Errorf("above is %q", got)
	}
	if byDigest := pull("/a@" + first.Digest); byDigest.Digest != first.Digest || via.blobs.Load() != 5 {
		t.Errorf("by digest: %+v, %d blobs", byDigest, via.blobs.Load())
	}
}

func TestPullsShareTheirWork(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	host := runtimetest.Registry(t)
	below := runtimetest.Layer(t, file("below", strings.Repeat("x", 1<<20)))
	for i := range 4 {
		runtimetest.Push(t, fmt.Sprintf("%s/a:%d", host, i), runtimetest.Image(t, nil, below, runtimetest.Layer(t, file("above", fmt.Sprint(i)))))
	}
	via := &counter{}
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			img, err := s.Pull(t.Context(), fmt.Sprintf("%s/a:%d", host, i%4), via)
			if err != nil {
				t.Error(err)
				return
			}
			if got := read(t, mounted(t, s, img, fmt.Sprintf("c%d", i)), "above"); got != fmt.Sprint(i%4) {
				t.Errorf("above is %q", got)
			}
		})
	}
	wg.Wait()
	if n := via.blobs.Load(); n != 9 { // one shared layer, four others, four configurations
		t.Errorf("%d blobs fetched", n)
	}
}

func TestIndexAndCompressions(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	host := runtimetest.Registry(t)
	path := filepath.Join(t.TempDir(), "layer.tar")
	layer := runtimetest.Layer(t, file("f", "zstd"))
	raw, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	zstd, err := tarball.LayerFromFile(path, tarball.WithCompression(compression.ZStd), tarball.WithMediaType(types.OCILayerZStd))
	if err != nil {
		t.Fatal(err)
	}
	mine := runtimetest.Image(t, nil, zstd)
	mine = mutate.ConfigMediaType(mutate.MediaType(mine, types.OCIManifestSchema1), types.OCIConfigJSON)
	config, err := mine.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: runtimetest.Image(t, nil, layer), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "s390x"}}},
		mutate.IndexAddendum{Add: mine, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: config.Architecture}}},
	)
	push := func(ref string, index v1.ImageIndex) {
		tag, err := name.ParseReference(host + ref)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.WriteIndex(tag, index); err != nil {
			t.Fatal(err)
		}
	}
	push("/a:1", index)
	img, err := s.Pull(t.Context(), host+"/a:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, mounted(t, s, img, "c"), "f"); got != "zstd" {
		t.Errorf("f is %q", got)
	}
	push("/a:2", mutate.RemoveManifests(index, func(d v1.Descriptor) bool { return d.Platform.Architecture != "s390x" }))
	_, err = s.Pull(t.Context(), host+"/a:2", nil)
	if want := "pull image manifest has been retried 1 time(s): image Manifest does not contain descriptor matching platform 'linux/" + config.Architecture + "'"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestPullErrors(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	host := runtimetest.Registry(t)
	runtimetest.Push(t, host+"/a:1", runtimetest.Image(t, nil, runtimetest.Layer(t, file("f", "1"))))
	status := func(code int) *counter { return &counter{spoil: func(r *http.Response) { r.StatusCode = code }} }
	for name, c := range map[string]struct {
		ref  string
		via  http.RoundTripper
		want string
	}{
		"no tag":        {host + "/a:2", nil, "pull image manifest has been retried 1 time(s): failed to resolve ref " + host + "/a:2: " + host + "/a:2: not found"},
		"no repository": {host + "/b:1", nil, "pull image manifest has been retried 1 time(s): failed to resolve ref " + host + "/b:1: " + host + "/b:1: not found"},
		"no reference":  {"A B", nil, "pull image manifest has been retried 1 time(s): invalid reference format"},
		"forbidden":     {host + "/a:1", status(403), "pull access denied, repository does not exist or may require authorization"},
		"unavailable":   {host + "/a:1", status(503), "pull image manifest has been retried 3 time(s): failed to resolve ref"},
		"no connection": {"127.0.0.1:1/a:1", nil, "There is a connection issue between the task and the registry. Check your task network configuration."},
		"another body": {host + "/a:1", &counter{spoil: func(r *http.Response) {
			if strings.Contains(r.Request.URL.Path, "/blobs/") {
				r.Body = io.NopCloser(io.MultiReader(strings.NewReader("x"), io.LimitReader(r.Body, r.ContentLength-1)))
			}
		}}, "failed to copy"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Pull(t.Context(), c.ref, c.via)
			if _, ok := errors.AsType[*image.PullError](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}

func TestCollect(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	host := runtimetest.Registry(t)
	below := runtimetest.Layer(t, file("below", "1"))
	var images []runtime.Image
	for i := range 2 {
		ref := fmt.Sprintf("%s/a:%d", host, i)
		runtimetest.Push(t, ref, runtimetest.Image(t, nil, below, runtimetest.Layer(t, file("above", fmt.Sprint(i)))))
		img, err := s.Pull(t.Context(), ref, nil)
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, img)
	}
	mounted(t, s, images[0], "c")
	collect := func(at time.Duration) int {
		t.Helper()
		n, err := s.Collect(t.Context(), time.Now().Add(at))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := collect(0); n != 0 {
		t.Errorf("%d young images deleted", n)
	}
	if n := collect(2 * time.Hour); n != 1 {
		t.Errorf("%d images deleted, want the unused one", n)
	}
	if got := snapshotCount(t, dir); got != 3 { // below, above, the container's
		t.Errorf("%d snapshots left", got)
	}
	if _, err := s.Pull(t.Context(), host+"/a:1", nil); err != nil {
		t.Errorf("pull of a deleted image: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	defer s.Close()
	via := &counter{}
	if _, err := s.Pull(t.Context(), host+"/a:0", via); err != nil || via.blobs.Load() != 0 {
		t.Errorf("after a restart: %v, %d blobs fetched", err, via.blobs.Load())
	}
	if ids, err := s.Mounted(t.Context()); err != nil || len(ids) != 1 || ids[0] != "c" {
		t.Errorf("mounted: %v %v", ids, err)
	}
	if err := s.Unmount(t.Context(), "c", filepath.Join(dir, "nowhere")); err != nil {
		t.Error(err)
	}
	if n := collect(2 * time.Hour); n != 2 {
		t.Errorf("%d images deleted, want both", n)
	}
	if got := snapshotCount(t, dir); got != 0 {
		t.Errorf("%d snapshots left", got)
	}
	if blobs, _ := filepath.Glob(filepath.Join(dir, "content/blobs/sha256/*")); len(blobs) > 0 {
		t.Errorf("blobs left: %v", blobs)
	}
}

func snapshotCount(t *testing.T, dir string) int {
	t.Helper()
	entries, err := filepath.Glob(filepath.Join(dir, "snapshots/snapshots/[0-9]*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// After a crash of the machine nothing that was not synced is trusted.
func TestUnsyncedImagesAreDropped(t *testing.T) {
	dir := t.TempDir()
	ref := runtimetest.Registry(t) + "/a:1"
	runtimetest.Push(t, ref, runtimetest.Image(t, nil, runtimetest.Layer(t, file("f", "1"))))
	for _, c := range []struct {
		name          string
		crash, reboot bool
		fetched       int64
	}{
		{"first", false, false, 2},
		{"closed", false, true, 0},
		{"engine killed", true, false, 0},
		{"engine killed, then the machine went down", true, true, 2},
	} {
		if c.reboot {
			if err := os.WriteFile(filepath.Join(dir, "boot"), []byte("another\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, dir)
		via := &counter{}
		if _, err := s.Pull(t.Context(), ref, via); err != nil || via.blobs.Load() != c.fetched {
			t.Errorf("%s: %v, %d blobs fetched, want %d", c.name, err, via.blobs.Load(), c.fetched)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if c.name == "closed" || c.crash { // the next one finds it as after a kill
			if err := os.Remove(filepath.Join(dir, "synced")); err != nil {
				t.Fatal(err)
			}
		}
	}
}
