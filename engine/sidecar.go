package engine

import (
	"archive/tar"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// sidecarRef is the name under which the built-in image is kept.
const sidecarRef = "builtin.slipway/aws-appmesh-envoy:latest"

// isSidecar reports whether an image is App Mesh's Envoy, by any of the names
// that AWS gave it: public.ecr.aws/appmesh/aws-appmesh-envoy and, in each
// region, <account>.dkr.ecr.<region>.amazonaws.com/aws-appmesh-envoy.
func isSidecar(ref string) bool {
	name, _, _ := strings.Cut(ref, "@")
	if at := strings.LastIndex(name, ":"); at > strings.LastIndex(name, "/") {
		name = name[:at]
	}
	host, path, _ := strings.Cut(name, "/")
	switch path {
	case "appmesh/aws-appmesh-envoy":
		return host == "public.ecr.aws"
	case "aws-appmesh-envoy", "aws-appmesh-envoy-prod":
		return strings.Contains(host, ".dkr.ecr.") && strings.Contains(host, ".amazonaws.com")
	}
	return false
}

// sidecar is the mesh's proxy as an image, made of the program that stands
// beside the engine's own. It is a registry that has nothing else.
type sidecar struct {
	once  sync.Once
	image v1.Image
	err   error
}

var _ http.RoundTripper = (*sidecar)(nil)

// sidecarProgram finds slipway-proxy: where SLIPWAY_PROXY says, else beside
// this program.
func sidecarProgram() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := cmp.Or(os.Getenv("SLIPWAY_PROXY"), filepath.Join(filepath.Dir(self), "slipway-proxy"))
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the sidecar's program is not at %s; build it with: make build, or name it in SLIPWAY_PROXY", path)
	}
	return path, nil
}

func (s *sidecar) open() (v1.Image, error) {
	s.once.Do(func() { s.image, s.err = sidecarImage() })
	return s.image, s.err
}

func sidecarImage() (v1.Image, error) {
	program, err := sidecarProgram()
	if err != nil {
		return nil, err
	}
	layer, err := newProgramLayer(program)
	if err != nil {
		return nil, err
	}
	image, err := mutate.Append(
		mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON),
		mutate.Addendum{Layer: layer, MediaType: types.OCIUncompressedLayer, History: v1.History{CreatedBy: "slipway"}},
	)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config = v1.Config{Entrypoint: []string{"/bin/slipway-proxy"}, User: "1337:1337", Env: []string{"PATH=/bin"}, WorkingDir: "/"}
	return mutate.ConfigFile(image, file)
}

// RoundTrip answers as a registry does (OCI distribution, pulling).
func (s *sidecar) RoundTrip(r *http.Request) (*http.Response, error) {
	image, err := s.open()
	if err != nil {
		return nil, err
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "aws-appmesh-envoy/")
	kind, id, _ := strings.Cut(path, "/")
	switch kind {
	case "":
		return reply(r, "application/json", io.NopCloser(strings.NewReader("{}")), 2, ""), nil
	case "manifests":
		body, err := image.RawManifest()
		if err != nil {
			return nil, err
		}
		return reply(r, string(types.OCIManifestSchema1), io.NopCloser(bytes.NewReader(body)), int64(len(body)), digestOf(body)), nil
	case "blobs":
		return blob(r, image, id)
	}
	return nil, fmt.Errorf("the built-in image has no %s", r.URL.Path)
}

func blob(r *http.Request, image v1.Image, id string) (*http.Response, error) {
	config, err := image.RawConfigFile()
	if err != nil {
		return nil, err
	}
	if id == digestOf(config) {
		return reply(r, "application/octet-stream", io.NopCloser(bytes.NewReader(config)), int64(len(config)), id), nil
	}
	hash, err := v1.NewHash(id)
	if err != nil {
		return nil, err
	}
	layer, err := image.LayerByDigest(hash)
	if err != nil {
		return nil, err
	}
	size, err := layer.Size()
	if err != nil {
		return nil, err
	}
	body, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	return reply(r, "application/octet-stream", body, size, id), nil
}

func reply(r *http.Request, kind string, body io.ReadCloser, size int64, digest string) *http.Response {
	h := http.Header{"Content-Type": {kind}, "Content-Length": {fmt.Sprint(size)}}
	if digest != "" {
		h.Set("Docker-Content-Digest", digest)
	}
	if r.Method == http.MethodHead {
		_ = body.Close()
		body = http.NoBody
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: body, ContentLength: size, Request: r,
	}
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// programLayer is a layer with the program and the names it goes by. It is
// not compressed and not kept: it is made of the file whenever it is read.
type programLayer struct {
	program string
	hash    v1.Hash
	size    int64
}

var _ v1.Layer = (*programLayer)(nil)

func newProgramLayer(program string) (*programLayer, error) {
	l := &programLayer{program: program}
	archive, err := l.archive()
	if err != nil {
		return nil, err
	}
	l.size = int64(len(archive))
	l.hash, err = v1.NewHash(digestOf(archive))
	return l, err
}

// archive is the layer's tar: no times, so that the same program always is
// the same layer.
func (l *programLayer) archive() ([]byte, error) {
	program, err := os.ReadFile(l.program)
	if err != nil {
		return nil, fmt.Errorf("read the sidecar's program: %w", err)
	}
	users := []byte("root:x:0:0::/:/bin/sh\nenvoy:x:1337:1337::/:/bin/sh\n")
	var out bytes.Buffer
	out.Grow(len(program) + 16<<10)
	w := tar.NewWriter(&out)
	var errs []error
	file := func(name string, mode int64, body []byte) {
		errs = append(errs, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(body)), Format: tar.FormatUSTAR}))
		_, err := w.Write(body)
		errs = append(errs, err)
	}
	folder := func(name string, mode int64) {
		errs = append(errs, w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode, Format: tar.FormatUSTAR}))
	}
	folder("bin/", 0o755)
	folder("etc/", 0o755)
	folder("tmp/", 0o1777)
	file("bin/slipway-proxy", 0o755, program)
	for _, name := range []string{"sh", "curl", "grep", "cat"} {
		errs = append(errs, w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "slipway-proxy", Mode: 0o777, Format: tar.FormatUSTAR}))
	}
	file("etc/passwd", 0o644, users)
	errs = append(errs, w.Close())
	return out.Bytes(), errors.Join(errs...)
}

// Digest is the hash of the archive.
func (l *programLayer) Digest() (v1.Hash, error) { return l.hash, nil }

// DiffID is the same: the archive is not compressed.
func (l *programLayer) DiffID() (v1.Hash, error) { return l.hash, nil }

// Compressed reads the archive as it is.
func (l *programLayer) Compressed() (io.ReadCloser, error) { return l.Uncompressed() }

// Uncompressed reads the archive.
func (l *programLayer) Uncompressed() (io.ReadCloser, error) {
	archive, err := l.archive()
	return io.NopCloser(bytes.NewReader(archive)), err
}

// Size is the archive's, in bytes.
func (l *programLayer) Size() (int64, error) { return l.size, nil }

// MediaType says that it is not compressed.
func (l *programLayer) MediaType() (types.MediaType, error) { return types.OCIUncompressedLayer, nil }
