package synth_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/slipway-dev/slipway/manifest"
	"github.com/slipway-dev/slipway/synth"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func reference(t testing.TB) *manifest.Manifest {
	t.Helper()
	m, err := manifest.Load("../slipway.yaml", manifest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m.Architecture = "amd64" // the golden template is the same on every machine
	return m
}

func TestReferencePlatformIsAsTheGoldenTemplate(t *testing.T) {
	template, err := synth.Render(reference(t))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/reference.template.json", template.JSON())
	t.Logf("%d resources, %d bytes", len(template.Resources), len(template.JSON()))
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run go test ./synth -update and read the difference", file)
	}
}
