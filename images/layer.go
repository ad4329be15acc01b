package images

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
)

// layer is a layer in memory, compressed once: the library's own tarball layer compresses again for each of digest, size and upload.
type layer struct {
	packed         []byte
	digest, diffID v1.Hash
}

var _ v1.Layer = (*layer)(nil)

// newLayer compresses a tar archive, fast rather than small: the way is short.
func newLayer(archive []byte) (*layer, error) {
	var out bytes.Buffer
	out.Grow(len(archive) / 2)
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(archive); err != nil {
		return nil, fmt.Errorf("compress layer: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress layer: %w", err)
	}
	return &layer{packed: out.Bytes(), digest: hash(out.Bytes()), diffID: hash(archive)}, nil
}

func hash(data []byte) v1.Hash {
	sum := sha256.Sum256(data)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

// Digest is the hash of the compressed bytes.
func (l *layer) Digest() (v1.Hash, error) { return l.digest, nil }

// DiffID is the hash of the archive itself.
func (l *layer) DiffID() (v1.Hash, error) { return l.diffID, nil }

// Compressed reads the bytes that a registry stores.
func (l *layer) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(l.packed)), nil
}

// Uncompressed reads the archive. Pushing never asks for it, so it is not kept beside the compressed bytes.
func (l *layer) Uncompressed() (io.ReadCloser, error) {
	return gzip.NewReader(bytes.NewReader(l.packed))
}

// Size is the number of compressed bytes.
func (l *layer) Size() (int64, error) { return int64(len(l.packed)), nil }

// MediaType is that of an OCI layer.
func (l *layer) MediaType() (types.MediaType, error) { return types.OCILayer, nil }
