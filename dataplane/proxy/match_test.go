package proxy

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// few is texts that often begin, end or equal each other.
var few = rapid.StringMatching(`[aAb1./-]{0,4}`)

// matchReference says what a condition means, in the plainest words.
func matchReference(c Condition, values []string) bool {
	held := slices.ContainsFunc(values, func(v string) bool {
		begins := func(p string) bool { return strings.HasPrefix(v, p) }
		ends := func(p string) bool { return strings.HasSuffix(v, p) }
		n, err := strconv.ParseInt(v, 10, 64)
		return c.Present || slices.Contains(c.Exact, v) || slices.ContainsFunc(c.Prefix, begins) || slices.ContainsFunc(c.Suffix, ends) ||
			c.Range != nil && err == nil && c.Range.From <= n && n < c.Range.To ||
			slices.ContainsFunc(c.Regex, func(re string) bool {
				return regexp.MustCompile(`^(?:`+re+`)$`).FindString(v) == v && regexp.MustCompile(`^(?:`+re+`)$`).MatchString(v)
			})
	})
	return held != c.Not
}

// Every field, matched in every way, means what the reference says.
func TestConditionsMeanWhatTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(few, 0, 2)
		c := Condition{
			Field: rapid.SampledFrom([]Field{PathPattern, HTTPHeader, QueryParameter, Method, Scheme, Port, HostHeader}).Draw(t, "field"),
			Exact: list.Draw(t, "exact"), Prefix: list.Draw(t, "prefix"), Suffix: list.Draw(t, "suffix"),
			Regex: rapid.SliceOfN(rapid.SampledFrom([]string{`a|b`, `a.*`, `.*b`, `[0-9]+`, `/a?`, ``}), 0, 2).Draw(t, "regex"),
			Not:   rapid.Bool().Draw(t, "not"), Present: rapid.IntRange(0, 4).Draw(t, "present") == 0,
		}
		if rapid.Bool().Draw(t, "range") {
			c.Range = &Range{rapid.Int64Range(-2, 12).Draw(t, "from"), rapid.Int64Range(-2, 12).Draw(t, "to")}
		}
		r := &request{}
		var values []string
		switch one := few.Draw(t, "value"); c.Field { //nolint:exhaustive // those drawn above
		case PathPattern:
			r.path, values = []byte(one), []string{one}
		case Method:
			r.method, values = []byte(one), []string{one}
		case Scheme:
			r.scheme, values = one, []string{one}
		case Port:
			r.port = rapid.Uint16Range(0, 15).Draw(t, "port")
			values = []string{strconv.Itoa(int(r.port))}
		case HostHeader:
			r.host, values = []byte(one+":80"), []string{one, one + ":80"}
			if rapid.Bool().Draw(t, "bare") {
				r.host, values = []byte(one), []string{one}
			}
		case HTTPHeader:
			c.Name = "X-Kind"
			values = list.Draw(t, "values")
			for _, v := range values {
				r.fields = append(r.fields, field{name: []byte("x-kind"), value: []byte(v)}, field{name: []byte("x-other"), value: []byte(one)})
			}
		case QueryParameter:
			c.Name = "k y"
			q := url.Values{}
			values = list.Draw(t, "values")
			q["k y"], q["K Y"] = values, []string{one}
			r.query = []byte(strings.ReplaceAll(q.Encode(), "+", "%20"))
		}
		m, err := compileCondition(c)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := m.match(r), matchReference(c, values); got != want {
			t.Fatalf("%+v on %q: %t", c, values, got)
		}
	})
}

func TestFaultyExpressions(t *testing.T) {
	for _, re := range []string{"a)(b", "(", "[", "a{2,1}"} {
		if _, err := compileCondition(Condition{Field: PathPattern, Regex: []string{re}}); err == nil {
			t.Errorf("%s was accepted", re)
		}
	}
}

// The names of a chain are found as the reference finds them: whole, then by
// the longest wildcard.
func TestNamesAreFound(t *testing.T) {
	part := rapid.StringMatching(`[ab]{1,2}(\.[ab]{1,2}){0,2}`)
	name := rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"", "*.", ""}).Draw(t, "before") + part.Draw(t, "name")
	})
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.OneOf(name, rapid.Map(part, func(s string) string { return s + ".*" }), rapid.Just("*")), 1, 6).Draw(t, "names")
		ch := &chain{key: Chain{Redirected: true}}
		for _, n := range all {
			ch.all = append(ch.all, &virtual{cfg: Listener{ID: n, Names: []string{n}}})
		}
		found := newNames(ch)
		host := part.Draw(t, "host")
		want := "" // the best name so far
		better := func(n string) bool {
			rank := func(n string) int {
				switch {
				case n == "":
					return 0
				case n == "*":
					return 1
				case strings.HasSuffix(n, "*"):
					return 1000 + len(n)
				case strings.HasPrefix(n, "*"):
					return 2000 + len(n)
				}
				return 3000
			}
			return rank(n) > rank(want)
		}
		for _, n := range all {
			fits := n == host || n == "*" || strings.HasPrefix(n, "*") && strings.HasSuffix(host, n[1:]) && len(host) >= len(n) ||
				strings.HasSuffix(n, "*") && strings.HasPrefix(host, n[:len(n)-1]) && len(host) >= len(n)
			if fits && better(n) {
				want = n
			}
		}
		for _, h := range []string{host, host + ":8080", strings.ToUpper(host)} {
			got := ""
			if v := found.find([]byte(h)); v != nil {
				got = v.cfg.ID
			}
			if got != want {
				t.Fatalf("%s among %v: %q, want %q", h, all, got, want)
			}
		}
	})
}

// The chain that is chosen is the most specific of those that fit.
func TestChainsAreChosen(t *testing.T) {
	nets := []netip.Prefix{{}, netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}
	rapid.Check(t, func(t *rapid.T) {
		b := &binding{}
		for _, key := range rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Chain {
			return Chain{true, rapid.SampledFrom([]uint16{0, 80, 8080}).Draw(t, "port"), rapid.SampledFrom(nets).Draw(t, "net"), rapid.Bool().Draw(t, "plain")}
		}), 1, 8, rapid.ID[Chain]).Draw(t, "chains") {
			if err := b.add(&virtual{cfg: Listener{Chain: key, Names: []string{"*"}}}); err != nil {
				t.Fatal(err)
			}
		}
		b.finish()
		dst := netip.AddrPortFrom(rapid.SampledFrom([]netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("10.2.2.3"), netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("fd00::1")}).Draw(t, "addr"),
			rapid.SampledFrom([]uint16{80, 8080, 1}).Draw(t, "to"))
		hello := rapid.Bool().Draw(t, "hello")
		rank := func(k Chain) int {
			n := 2 * (k.Net.Bits() + 2)
			if k.Port != 0 {
				n += 1000
			}
			if k.Plain {
				n++
			}
			return n
		}
		want := 0
		for _, ch := range b.chains {
			k := ch.key
			if (k.Port == 0 || k.Port == dst.Port()) && (!k.Net.IsValid() || k.Net.Contains(dst.Addr())) && (!k.Plain || !hello) {
				want = max(want, rank(k))
			}
		}
		got := 0
		if ch := b.choose(dst, func() bool { return hello }); ch != nil {
			got = rank(ch.key)
		}
		if got != want {
			t.Fatalf("to %s, hello %t: %d, want %d", dst, hello, got, want)
		}
	})
}
