package awsapi

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// Page cuts one page out of a whole sorted list.
//
// items are in the order of the answer and key tells them apart. token is the
// client's paging token or nil; max is what the client asked for, 0 for no
// wish; limit is the most the service gives, and what it gives unasked. next is
// the token for the following page, nil after the last one.
//
// A token names the last item given, so items that come or go between two calls
// neither repeat nor hide others. When that item is gone, the page goes on
// with the first greater key, which is right for lists sorted by key. A token
// that Page did not make yields ErrInvalidToken.
func Page[T any](items []T, key func(T) string, token *string, max, limit int) (page []T, next *string, err error) {
	start := 0
	if token != nil && *token != "" {
		last, ok := openToken(*token)
		if !ok {
			return nil, nil, ErrInvalidToken
		}
		start = after(items, key, last)
	}
	size := limit
	if max > 0 && max < size {
		size = max
	}
	end := len(items)
	if size > 0 && start+size < end {
		end = start + size
		next = new(sealToken(key(items[end-1])))
	}
	return items[start:end:end], next, nil
}

// after is the index of the item that follows the one with the key last.
func after[T any](items []T, key func(T) string, last string) int {
	for i, it := range items {
		if key(it) == last {
			return i + 1
		}
	}
	for i, it := range items {
		if key(it) > last {
			return i
		}
	}
	return len(items)
}

// tokenSum guards against foreign tokens and typing errors, not against
// forgery: what a token can say, a caller may ask for anyway.
func tokenSum(key string) string {
	sum := sha256.Sum256([]byte("slipway page token\x00" + key))
	return string(sum[:6])
}

func sealToken(key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(tokenSum(key) + key))
}

func openToken(token string) (key string, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < 6 {
		return "", false
	}
	sum, key := string(raw[:6]), string(raw[6:])
	return strings.Clone(key), sum == tokenSum(key)
}
