package blob

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

// The form of a blob's file: its key, sealed by the keyring and bound to the
// blob's id, then the contents in segments, each encrypted with AES-256-GCM. A
// segment's nonce is its number and whether it is the last one, so segments
// cannot be moved, dropped or cut off; the key is used for this file alone.
const (
	keySize   = 32
	sealed    = 133 // bytes of a sealed key, see kernel/seal
	segment   = 64 << 10
	tag       = 16
	nonceSize = 12
)

func newCipher(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the length of the key is ours
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the right block size
	}
	return gcm
}

func nonce(number int64, last bool) []byte {
	n := make([]byte, nonceSize)
	binary.BigEndian.PutUint64(n, uint64(number))
	if last {
		n[nonceSize-1] = 1
	}
	return n
}

// bound is the name that a blob's key is sealed under.
func bound(id string) string { return "s3/" + id }
