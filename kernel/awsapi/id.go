package awsapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"
)

// idempotency is the state behind a token: how many ids were derived for each
// prefix so far.
type idempotency struct {
	token string
	mu    sync.Mutex
	drawn map[string]int
}

// WithToken makes the ids that NewID draws under the returned context a
// function of token: CloudFormation repeats a Create after a crash under the
// same token, gets the same ids and so finds its own rows.
func WithToken(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, tokenKey, &idempotency{token: token, drawn: map[string]int{}})
}

// Token is the token of WithToken, or empty.
func Token(ctx context.Context) string {
	if s, ok := ctx.Value(tokenKey).(*idempotency); ok {
		return s.token
	}
	return ""
}

// NewID draws an id: prefix, then hexDigits lower-case hexadecimal digits (at
// most 64). "vpc-" and 17 give "vpc-0a1b2c3d4e5f67890".
//
// Under a token the first call for a prefix always gives the same id, the
// second another that is the same each time, and so on. So draw ids in a fixed
// order and outside store.Update, which may run its function twice.
func NewID(ctx context.Context, prefix string, hexDigits int) string {
	var sum [32]byte
	if s, ok := ctx.Value(tokenKey).(*idempotency); ok && s.token != "" {
		s.mu.Lock()
		s.drawn[prefix]++
		n := s.drawn[prefix]
		s.mu.Unlock()
		sum = sha256.Sum256([]byte(s.token + "\x00" + prefix + "\x00" + strconv.Itoa(n)))
	} else {
		_, _ = rand.Read(sum[:]) // never fails: crypto/rand ends the process instead
	}
	return prefix + hex.EncodeToString(sum[:])[:hexDigits]
}
