package mesh

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// resource is one packed resource. It is never changed, and shared by all
// proxies that have it.
type resource struct {
	name    string
	version string // of its content
	body    *anypb.Any
}

func pack(name string, m proto.Message) *resource {
	body := xdsapi.Pack(m)
	return &resource{name, digest(body.Value), body}
}

// digest is a version: the same for the same content, wherever and whenever it
// was made.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// set is resources of one type by name.
type set map[string]*resource

// version is that of all together.
func (s set) version() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(s)) {
		h.Write([]byte(name))
		h.Write([]byte{0})
		h.Write([]byte(s[name].version))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// packed packs messages by name. With have, what is there already in the same
// version is taken from there, so that proxies of different nodes share it.
func packed[M proto.Message](have map[string]*resource, from map[string]M) set {
	out := make(set, len(from))
	for name, m := range from {
		r := pack(name, m)
		key := r.body.TypeUrl + "\x00" + name + "\x00" + r.version
		if old := have[key]; old != nil {
			r = old
		} else if have != nil {
			have[key] = r
		}
		out[name] = r
	}
	return out
}
