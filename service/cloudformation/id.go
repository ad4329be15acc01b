package cloudformation

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/slipway-dev/slipway/kernel/arn"
)

// newID is a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return uuid(b)
}

// hashID is a UUID derived from parts: the same parts give the same id after a crash.
func hashID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return uuid([16]byte(sum[:16]))
}

func uuid(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func digest(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:16])
}

// fingerprint tells parameter lists apart.
func fingerprint(ps []Parameter) string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.Key + "\x00" + p.Value + "\x00" + p.Resolved + "\x00")
	}
	return digest(b.String())
}

func stackARN(scope arn.Scope, name, id string) string {
	return scope.ARN("cloudformation", "stack/"+name+"/"+id)
}

func changeSetARN(scope arn.Scope, name, id string) string {
	return scope.ARN("cloudformation", "changeSet/"+name+"/"+id)
}
