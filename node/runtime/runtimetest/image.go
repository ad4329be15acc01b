package runtimetest

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Program builds the suite's program, static, once for a test binary.
func Program(t testing.TB) []byte {
	t.Helper()
	b, err := buildProgram()
	if err != nil {
		t.Fatalf("build the test program: %v", err)
	}
	return b
}

var buildProgram = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "program")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "app")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", path, "github.com/slipway-dev/slipway/node/runtime/runtimetest/program")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// File is a file of an image.
type File struct {
	tar.Header
	Data []byte
}

// Layer packs files into a layer.
func Layer(t testing.TB, files ...File) v1.Layer {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		if f.Typeflag == 0 {
			f.Typeflag = tar.TypeReg
		}
		if f.Mode == 0 {
			f.Mode = 0o755
		}
		f.Size = int64(len(f.Data))
		if err := w.WriteHeader(&f.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

// Image puts layers together; configure may be nil.
func Image(t testing.TB, configure func(*v1.Config), layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", machine
	file.Config.Entrypoint = []string{"/app"}
	file.Config.Cmd = []string{"run"}
	if configure != nil {
		configure(&file.Config)
	}
	img, err = mutate.ConfigFile(img, file)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// ProgramImage has the program as /app, some accounts and a directory that is
// no root's.
func ProgramImage(t testing.TB) v1.Image {
	t.Helper()
	return Image(t, nil,
		Layer(t,
			File{Header: tar.Header{Name: "app"}, Data: Program(t)},
			File{Header: tar.Header{Name: "etc/passwd", Mode: 0o644}, Data: []byte("root:x:0:0::/root:/app\nalice:x:1001:1002::/home/alice:/app\n")},
			File{Header: tar.Header{Name: "etc/group", Mode: 0o644}, Data: []byte("root:x:0:\nstaff:x:50:alice\nusers:x:1002:\n")},
		),
		Layer(t,
			File{Header: tar.Header{Name: "data/", Typeflag: tar.TypeDir, Mode: 0o750, Uid: 1001, Gid: 1002}},
			File{Header: tar.Header{Name: "data/seed", Mode: 0o640, Uid: 1001, Gid: 1002}, Data: []byte("seed")},
		))
}

// Registry serves a registry on loopback and returns its host:port.
func Registry(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	go srv.Serve(l) //nolint:errcheck // ends with Close
	t.Cleanup(func() { srv.Close() })
	return l.Addr().String()
}

// Push puts an image into a registry.
func Push(t testing.TB, ref string, img v1.Image) {
	t.Helper()
	tag, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img); err != nil {
		t.Fatal(err)
	}
}
