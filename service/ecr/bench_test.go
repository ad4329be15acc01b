package ecr_test

import (
	"fmt"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/random"
)

// BenchmarkPush is an image of three layers of 8 MiB, fsynced.
func BenchmarkPush(b *testing.B) {
	w := newWorld(b)
	w.create("web")
	auth := w.auth()
	b.SetBytes(24 << 20)
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		img, err := random.Image(8<<20, 3)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := img.Digest(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := crane.Push(img, fmt.Sprintf("%s/web:v%d", w.host, i), auth); err != nil {
			b.Fatal(err)
		}
	}
}
