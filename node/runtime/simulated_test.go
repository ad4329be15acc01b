package runtime_test

import (
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/node/runtime/runtimetest"
)

func TestSimulatedConforms(t *testing.T) {
	runtimetest.Run(t, func(*testing.T) runtimetest.Subject {
		return runtimetest.Subject{
			Driver: runtime.NewSimulated(),
			Image:  runtime.Image{Digest: "sha256:0", Config: ocispec.ImageConfig{Entrypoint: []string{"/app"}, Cmd: []string{"run"}}},
		}
	})
}
