package engine

import (
	"archive/tar"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func TestAppMeshsEnvoyIsKnownByItsNames(t *testing.T) {
	for ref, want := range map[string]bool{
		"public.ecr.aws/appmesh/aws-appmesh-envoy:v1.29.12.1-prod":                 true,
		"public.ecr.aws/appmesh/aws-appmesh-envoy":                                 true,
		"840364872350.dkr.ecr.us-west-2.amazonaws.com/aws-appmesh-envoy:v1.2-prod": true,
		"772975370895.dkr.ecr.me-south-1.amazonaws.com/aws-appmesh-envoy@sha256:0": true,
		"docker.io/appmesh/aws-appmesh-envoy":                                      false,
		"public.ecr.aws/nginx/nginx":                                               false,
		"840364872350.dkr.ecr.us-west-2.amazonaws.com/web":                         false,
		"aws-appmesh-envoy": false,
	} {
		if got := isSidecar(ref); got != want {
			t.Errorf("%s: %v", ref, got)
		}
	}
}

// TestTheBuiltInImageIsPulled pulls the sidecar as the engine does, and finds
// the program in it as it was.
func TestTheBuiltInImageIsPulled(t *testing.T) {
	program := filepath.Join(t.TempDir(), "slipway-proxy")
	t.Setenv("SLIPWAY_PROXY", program)
	ref, err := name.ParseReference(sidecarRef, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	pull := func(via http.RoundTripper) (map[string]string, error) {
		image, err := remote.Image(ref, remote.WithTransport(via), remote.WithRetryBackoff(remote.Backoff{Steps: 1}))
		if err != nil {
			return nil, err
		}
		config, err := image.ConfigFile()
		if err != nil {
			return nil, err
		}
		if config.Config.User != "1337:1337" {
			t.Errorf("user %q", config.Config.User)
		}
		layers, err := image.Layers()
		if err != nil {
			return nil, err
		}
		body, err := layers[0].Uncompressed()
		if err != nil {
			return nil, err
		}
		defer body.Close()
		files := map[string]string{}
		for r := tar.NewReader(body); ; {
			h, err := r.Next()
			if err == io.EOF {
				return files, nil
			}
			if err != nil {
				return nil, err
			}
			text, _ := io.ReadAll(r)
			files[h.Name] = h.Linkname + string(text)
		}
	}
	if _, err := pull(&sidecar{}); err == nil {
		t.Error("an image without a program was pulled")
	}
	if err := os.WriteFile(program, []byte("the program"), 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := pull(&sidecar{})
	if err != nil {
		t.Fatal(err)
	}
	if files["bin/slipway-proxy"] != "the program" || files["bin/sh"] != "slipway-proxy" || files["etc/passwd"] == "" {
		t.Errorf("the image holds %v", files)
	}
}
