// Package seal encrypts what is kept on disk, so that a copy of a file says
// nothing without the keys of this machine.
//
// A Keyring holds the master keys, in a file that its owner alone may read.
// What is sealed has a key of its own, drawn for it and wrapped by the newest
// master key: a master key can be replaced without touching what others sealed,
// and what a master key encrypts is small and random. Sealed bytes are bound
// to a name: under another name, or with any bit changed, they do not open.
//
// Invariants: a file is always the old one or the new one, whole; a master key
// that something may be sealed under is never dropped.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// Why something does not open.
var (
	ErrFormat = errors.New("not in the form of a sealed file")
	ErrKey    = errors.New("sealed under a master key that is not in the key file")
	ErrForged = errors.New("changed since it was sealed, or sealed under another name")
)

// The form of what is sealed, all parts in a row. Everything before the wrapped
// key, and the name, is authenticated with both ciphertexts.
//
//	magic 4 · version 1 · id of the master key 8 ·
//	nonce 12 · key of the contents, encrypted 32+16 ·
//	nonce 12 · contents, encrypted n+16
const (
	magic     = "SLPS"
	version   = 1
	idSize    = 8
	keySize   = 32
	nonceSize = 12
	tagSize   = 16

	headSize    = len(magic) + 1 + idSize
	wrappedSize = nonceSize + keySize + tagSize
	leastSize   = headSize + wrappedSize + nonceSize + tagSize
)

// Seal encrypts plain under the newest master key, bound to a name such as
// "pki/authority/shop".
func (k *Keyring) Seal(name string, plain []byte) []byte {
	master := k.newest()
	head := append([]byte(magic), version)
	head = append(head, master.id[:]...)
	var key [keySize]byte
	_, _ = rand.Read(key[:]) // never fails: crypto/rand ends the process instead
	bound := bind(head, name)
	out := encrypt(head, master.key, key[:], bound)
	return encrypt(out, key, plain, bound)
}

// Open decrypts what Seal made under the same name. The error is ErrFormat,
// ErrKey or ErrForged, with the name.
func (k *Keyring) Open(name string, sealed []byte) ([]byte, error) {
	id, err := masterOf(sealed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	master, ok := k.byID(id)
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, ErrKey)
	}
	bound := bind(sealed[:headSize], name)
	body := headSize + wrappedSize
	key, err := decrypt(master.key, sealed[headSize:body], bound)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, ErrForged)
	}
	plain, err := decrypt([keySize]byte(key), sealed[body:], bound)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, ErrForged)
	}
	return plain, nil
}

// Stale reports whether something is sealed under a master key that is not the
// newest, and is better sealed again.
func (k *Keyring) Stale(sealed []byte) bool {
	id, err := masterOf(sealed)
	return err == nil && id != k.newest().id
}

// masterOf reads which master key something is sealed under.
func masterOf(sealed []byte) (id [idSize]byte, err error) {
	if len(sealed) < leastSize || !bytes.HasPrefix(sealed, []byte(magic)) || sealed[len(magic)] != version {
		return id, ErrFormat
	}
	return [idSize]byte(sealed[len(magic)+1 : headSize]), nil
}

// bind is what is authenticated beside a ciphertext. The head has a fixed
// length, so nothing of it can be taken for the name.
func bind(head []byte, name string) []byte { return append(bytes.Clone(head), name...) }

// encrypt appends a new nonce and the ciphertext to dst.
func encrypt(dst []byte, key [keySize]byte, plain, bound []byte) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, nonceSize)...)
	_, _ = rand.Read(dst[at:])
	return gcm(key).Seal(dst, dst[at:], plain, bound)
}

func decrypt(key [keySize]byte, b, bound []byte) ([]byte, error) {
	return gcm(key).Open(nil, b[:nonceSize], b[nonceSize:], bound)
}

// gcm is AES-256-GCM. Keys have the right size, so nothing can fail.
func gcm(key [keySize]byte) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}
