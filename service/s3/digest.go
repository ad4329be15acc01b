package s3

import (
	"crypto/md5" //nolint:gosec // an ETag is one
	"encoding/hex"
	"fmt"
	"io"

	"github.com/slipway-dev/slipway/kernel/awsapi/checksum"
)

// digest reads pieces, which the caller holds, for their ETag and a checksum.
func (s *Service) digest(pieces []Piece, algorithm string) (etag, sum string, err error) {
	h, _ := checksum.New(algorithm)
	d := md5.New() //nolint:gosec // an ETag is one
	c := &contents{blobs: s.blobs, pieces: pieces, release: func() {}}
	defer c.Close()
	if _, err := io.Copy(io.MultiWriter(d, h), c); err != nil {
		return "", "", fmt.Errorf("read an object to be copied: %w", err)
	}
	return hex.EncodeToString(d.Sum(nil)), checksum.Value(h), nil
}
