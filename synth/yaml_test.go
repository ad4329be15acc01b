package synth

import (
	"encoding/json"
	"strings"
	"testing"
)

// The lengths are those of what yaml 2 writes with the CDK's settings (schema yaml-1.1, lineWidth 0), as cdk synth prints it.
func TestYAMLLength(t *testing.T) {
	for _, c := range []struct{ json, yaml string }{
		{`{"A":1}`, "A: 1\n"},
		{`{"A":{"B":[]},"C":{}}`, "A:\n  B: []\nC: {}\n"},
		{`{"A":["x",{"B":true,"C":["y"]},["z"]]}`, "A:\n  - x\n  - B: true\n    C:\n      - \"y\"\n  - - z\n"},
		{`{"A":"10","B":"yes","C":"a: b","D":"a:b","E":"","F":"*","G":"1.5","H":"-"}`, "A: \"10\"\nB: \"yes\"\nC: \"a: b\"\nD: a:b\nE: \"\"\nF: \"*\"\nG: \"1.5\"\nH: \"-\"\n"},
		{`{"A":"2010-09-09","B":"::/0","C":"10.0.0.0/16","D":"12:30","E":null}`, "A: \"2010-09-09\"\nB: ::/0\nC: 10.0.0.0/16\nD: \"12:30\"\nE: null\n"},
		{`{"C":"a\nb"}`, "C: |-\n  a\n  b\n"},
		{`{"A":"[\"x\"]","B":"say \"x\""}`, "A: '[\"x\"]'\nB: say \"x\"\n"},
	} {
		dec := json.NewDecoder(strings.NewReader(c.json))
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if n := yamlLength(v, 0); n != len(c.yaml) {
			t.Errorf("%s: %d characters, want %d", c.json, n, len(c.yaml))
		}
	}
}
