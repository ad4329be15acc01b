// Package checksum has the checksums that requests of AWS carry for their
// bodies, and that S3 keeps with an object: which there are, in which header
// they travel, and how those of parts become that of the whole.
//
// Source: Amazon S3 user guide, Checking object integrity.
package checksum

import (
	"crypto/md5"  //nolint:gosec // AWS's choice
	"crypto/sha1" //nolint:gosec // AWS's choice
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Names are the algorithms that are computed here, as the API names them.
// XXHASH3 and XXHASH128 are not.
var Names = []string{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64"}

// nvme is the polynomial of CRC-64/NVME, reflected.
const nvme = 0x9a6c9329ac4bc9b5

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	crcNVME    = crc64.MakeTable(nvme)
)

// New starts a checksum; false when the algorithm is none of Names.
func New(name string) (hash.Hash, bool) {
	switch name {
	case "CRC32":
		return crc32.NewIEEE(), true
	case "CRC32C":
		return crc32.New(castagnoli), true
	case "CRC64NVME":
		return crc64.New(crcNVME), true
	case "SHA1":
		return sha1.New(), true //nolint:gosec // AWS's choice
	case "SHA256":
		return sha256.New(), true
	case "SHA512":
		return sha512.New(), true
	case "MD5":
		return md5.New(), true //nolint:gosec // AWS's choice
	case "XXHASH64":
		return xxhash.New(), true
	}
	return nil, false
}

// Value is a finished checksum as it travels: its bytes, big-endian, in base64.
func Value(h hash.Hash) string { return base64.StdEncoding.EncodeToString(h.Sum(nil)) }

// Valid says whether s can be a value of the algorithm.
func Valid(name, s string) bool {
	h, ok := New(name)
	raw, err := base64.StdEncoding.DecodeString(s)
	return ok && err == nil && len(raw) == h.Size()
}

// Header is the header that carries a value: X-Amz-Checksum-Crc32.
func Header(name string) string {
	return http.CanonicalHeaderKey("x-amz-checksum-" + strings.ToLower(name))
}

// OfHeader is the algorithm whose values the header carries; false when it is
// no checksum's header.
func OfHeader(header string) (name string, ok bool) {
	name, ok = strings.CutPrefix(strings.ToLower(header), "x-amz-checksum-")
	name = strings.ToUpper(name)
	return name, ok && slices.Contains(Names, name)
}
