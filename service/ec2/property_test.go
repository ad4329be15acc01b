package ec2

import (
	"context"
	"maps"
	"net/netip"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/vpc"
)

// Whatever is made and removed in whatever order: addresses are unique, never
// reserved ones, and a freed address rests while others are free.
func TestAddressesAreNeverGivenTwice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, ctx := newService(t)
		id := s.testVPC(t, ctx, "10.0.0.0/16")
		sub := s.testSubnet(t, ctx, id, "10.0.0.16/28") // 11 addresses
		block := netip.MustParsePrefix("10.0.0.16/28")
		held := map[string]string{} // address -> interface
		var rested []string         // freed addresses, oldest first
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) {
				var i Interface
				err := s.store.Update(func(tx *store.Tx) (err error) {
					i, err = CreateInterface(tx, scope, InterfaceSpec{ID: awsapi.NewID(context.Background(), "eni-", 17), SubnetID: sub})
					return err
				})
				if len(held) == 11 {
					if err == nil || !strings.HasPrefix(err.Error(), "InsufficientFreeAddressesInSubnet") {
						rt.Fatalf("a full subnet gave %v", err)
					}
					return
				}
				if err != nil {
					rt.Fatal(err)
				}
				ip := netip.MustParseAddr(i.IP)
				offset := int(ip.As4()[3]) - 16
				switch {
				case held[i.IP] != "":
					rt.Fatalf("%s was given twice", ip)
				case !block.Contains(ip) || offset < 4 || offset > 14:
					rt.Fatalf("%s is reserved", ip)
				case len(rested) > 1 && len(held)+len(rested) < 11 && i.IP == rested[len(rested)-1]:
					rt.Fatalf("%s was given again at once", ip)
				}
				held[i.IP] = i.ID
			},
			"delete": func(rt *rapid.T) {
				if len(held) == 0 {
					return
				}
				ip := rapid.SampledFrom(slices.Sorted(maps.Keys(held))).Draw(rt, "ip")
				if err := s.store.Update(func(tx *store.Tx) error { return DeleteInterface(tx, scope, held[ip]) }); err != nil {
					rt.Fatal(err)
				}
				delete(held, ip)
				rested = append(rested, ip)
			},
			"": func(rt *rapid.T) {
				snap := s.store.Snapshot()
				row, _ := Subnets.Get(snap, scope.Key(sub))
				if free := row.Free(snap); free != 11-len(held) {
					rt.Fatalf("%d addresses are free, %d held", free, len(held))
				}
				// What is drawn by what changed is what would be drawn anew.
				v, _ := VPCs.Get(snap, scope.Key(id))
				drawn := s.draw(snap, v)
				if anew := New(Config{Store: s.store}).draw(snap, v); len(drawn.Interfaces) != len(held) || !slices.EqualFunc(drawn.Interfaces, anew.Interfaces, same) {
					rt.Fatalf("drawn %+v, anew %+v", drawn, anew)
				}
			},
		})
	})
}

func same(a, b vpc.Interface) bool { return reflect.DeepEqual(a, b) }

// path.Match has the same wildcards for names without slashes and brackets.
func TestWildcardsAreThoseOfPathMatch(t *testing.T) {
	letters := rapid.SampledFrom([]rune("ab*?"))
	rapid.Check(t, func(rt *rapid.T) {
		pattern := string(rapid.SliceOfN(letters, 0, 8).Draw(rt, "pattern"))
		s := string(rapid.SliceOfN(rapid.SampledFrom([]rune("ab")), 0, 10).Draw(rt, "s"))
		want, err := path.Match(pattern, s)
		if err != nil {
			rt.Skip("not a pattern")
		}
		if got := wildcard(pattern, s); got != want {
			rt.Fatalf("wildcard(%q, %q) = %v", pattern, s, got)
		}
	})
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{{`a\*b`, "a*b", true}, {`a\*b`, "axb", false}, {`\?`, "?", true}, {`\?`, "x", false}, {"*x*y*", "axbyc", true}, {"", "", true}} {
		if got := wildcard(c.pattern, c.s); got != c.want {
			t.Errorf("wildcard(%q, %q) = %v", c.pattern, c.s, got)
		}
	}
}
