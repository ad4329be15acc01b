package manifest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-dev/slipway/manifest"
)

func TestSourcesThatAreNotThere(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "cmd", "api"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := "version: 1\nname: shop\nservices:\n  api:\n    build: cmd/api\n    port: 8080\n  pay:\n    build: cmd/paymant\n    port: 8081\n"
	m, err := manifest.Parse(filepath.Join(dir, "slipway.yaml"), []byte(text), manifest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(dir, "slipway.yaml") + ":8:12: services.pay.build: cmd/paymant is no folder next to the manifest; name the folder of a Go package, such as ./cmd/api"
	if err := m.Sources(); err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}
