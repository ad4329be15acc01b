package mesh

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/proto"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

var rewrite = flag.Bool("update", false, "rewrite what is expected in testdata")

// Each archive of testdata is a mesh, mesh.json, and what its proxies are given,
// in files named for them: "node order", "node order as envoy", "node payment
// at 15080=8080", "gateway in".
func TestConfigurations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := shop(t, string(archive.Files[0].Data))
			for i, f := range archive.Files[1:] {
				got := dump(t, m, keyOf(t, f.Name))
				if *rewrite {
					archive.Files[i+1].Data = []byte(got)
				} else if got != string(f.Data) {
					t.Errorf("%s: see the difference with: go test -run %s -update", f.Name, t.Name())
				}
			}
			if *rewrite {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// keyOf reads whose configuration a file has.
func keyOf(t *testing.T, name string) proxyKey {
	words := strings.Fields(name)
	k := proxyKey{gateway: words[0] == "gateway", name: words[1]}
	for i := 2; i+1 < len(words); i += 2 {
		switch words[i] {
		case "as":
			k.agent = agentOf(words[i+1] + " Go")
			if words[i+1] == "envoy" {
				k.agent = envoyAgent
			}
		case "at":
			k.ingress = words[i+1]
		default:
			t.Fatalf("file %q", name)
		}
	}
	return k
}

// dump is a configuration as text.
func dump(t *testing.T, m *Mesh, key proxyKey) string {
	t.Helper()
	b := newBook(m, 0, nil)
	c, ok := b.config(key)
	if !ok {
		t.Fatalf("there is no %v", key)
	}
	endpoints := set{}
	for name := range c.targets {
		endpoints[name] = b.assignment(c, name)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "identity: %s/%s %s\n", c.identity.namespace, c.identity.service, strings.Join(c.identity.dns, " "))
	section(t, &out, c.listeners, &xdsapi.Listener{})
	if len(c.named) > 0 && key.agent == grpcAgent {
		section(t, &out, c.named, &xdsapi.Listener{})
	}
	section(t, &out, c.routes, &xdsapi.RouteConfiguration{})
	section(t, &out, c.clusters, &xdsapi.Cluster{})
	section(t, &out, endpoints, &xdsapi.ClusterLoadAssignment{})
	return out.String()
}

func section(t *testing.T, out *strings.Builder, s set, m proto.Message) {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if err := xdsapi.Unpack(s[name].body, m); err != nil {
			t.Fatal(err)
		}
		text, err := xdsapi.JSON(m)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		out.WriteString(short(xdsapi.TypeURL(m)) + " ")
		lines(out, v, 0)
		out.WriteString("\n")
	}
}

// wide is how long what stands on one line may be.
const wide = 150

// lines writes JSON with short things on one line, and without the packages of
// types.
func lines(out *strings.Builder, v any, depth int) {
	var one bytes.Buffer
	e := json.NewEncoder(&one)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	text := strings.TrimSpace(one.String())
	if at := strings.Index(text, `"@type":"type.googleapis.com/`); at >= 0 {
		rest := text[at+len(`"@type":"`):]
		url := rest[:strings.IndexByte(rest, '"')]
		text = strings.ReplaceAll(text, url, short(url))
	}
	if len(text) <= wide-2*depth {
		out.WriteString(text)
		return
	}
	indent := "\n" + strings.Repeat("  ", depth+1)
	switch v := v.(type) {
	case map[string]any:
		out.WriteString("{")
		for i, k := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				out.WriteString(",")
			}
			fmt.Fprintf(out, "%s%q: ", indent, k)
			lines(out, v[k], depth+1)
		}
		out.WriteString(indent[:len(indent)-2] + "}")
	case []any:
		out.WriteString("[")
		for i := range v {
			if i > 0 {
				out.WriteString(",")
			}
			out.WriteString(indent)
			lines(out, v[i], depth+1)
		}
		out.WriteString(indent[:len(indent)-2] + "]")
	default:
		out.WriteString(text)
	}
}
