package pattern

import (
	"strings"
	"testing"
)

const event = `{"source":"aws.ecs","detail":{"status":"RUNNING","count":3,"ratio":3.50,"on":true,"none":null,"ip":"10.0.3.7",
	"tags":["a","b"],"containers":[{"name":"app","exit":1},{"name":"envoy","exit":0}],"empty":[]}}`

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern string
		want    bool
	}{
		{`{"source":["aws.ecs"]}`, true},
		{`{"source":["aws.ecr","aws.ecs"]}`, true},
		{`{"source":["aws.ecr"]}`, false},
		{`{"source":["aws.ecs"],"detail":{"status":["STOPPED"]}}`, false},
		{`{"detail":{"count":[3.0]}}`, true},
		{`{"detail":{"count":["3"]}}`, false},
		{`{"detail":{"ratio":[35e-1]}}`, true},
		{`{"detail":{"on":[true],"none":[null]}}`, true},
		{`{"detail":{"tags":["b"]}}`, true},
		{`{"detail":{"tags":["c"]}}`, false},
		{`{"source":[{"prefix":"aws."}]}`, true},
		{`{"source":[{"prefix":{"equals-ignore-case":"AWS."}}]}`, true},
		{`{"source":[{"suffix":"ecs"}]}`, true},
		{`{"source":[{"suffix":{"equals-ignore-case":"ECS"}}]}`, true},
		{`{"source":[{"equals-ignore-case":"AWS.ECS"}]}`, true},
		{`{"source":[{"wildcard":"a*.*s"}]}`, true},
		{`{"source":[{"wildcard":"aws\\*ecs"}]}`, false},
		{`{"source":[{"wildcard":"a*x*s"}]}`, false},
		{`{"source":[{"wildcard":"aws.ecs*s"}]}`, false},
		{`{"source":[{"anything-but":"aws.ecr"}]}`, true},
		{`{"source":[{"anything-but":["aws.ecr","aws.ecs"]}]}`, false},
		{`{"source":[{"anything-but":{"prefix":"aws."}}]}`, false},
		{`{"source":[{"anything-but":{"suffix":["ecr","ec2"]}}]}`, true},
		{`{"source":[{"anything-but":{"wildcard":"*.ecs"}}]}`, false},
		{`{"source":[{"anything-but":{"equals-ignore-case":"AWS.ecs"}}]}`, false},
		{`{"detail":{"count":[{"anything-but":[4,5]}]}}`, true},
		{`{"detail":{"absent":[{"anything-but":"x"}]}}`, false},
		{`{"detail":{"count":[{"numeric":["=",3]}]}}`, true},
		{`{"detail":{"count":[{"numeric":[">",0,"<=",3]}]}}`, true},
		{`{"detail":{"count":[{"numeric":[">=",0,"<",3]}]}}`, false},
		{`{"detail":{"status":[{"numeric":[">",0]}]}}`, false},
		{`{"detail":{"ip":[{"cidr":"10.0.0.0/16"}]}}`, true},
		{`{"detail":{"ip":[{"cidr":"10.1.0.0/16"}]}}`, false},
		{`{"detail":{"status":[{"exists":true}]}}`, true},
		{`{"detail":{"absent":[{"exists":false}]}}`, true},
		{`{"detail":{"absent":{"more":[{"exists":false}]}}}`, true},
		{`{"detail":{"status":[{"exists":false}]}}`, false},
		{`{"detail":[{"exists":true}]}`, false},
		{`{"detail":{"empty":[{"exists":false}]}}`, true},
		{`{"detail":{"containers":{"name":["app"],"exit":[{"numeric":[">",0]}]}}}`, true},
		{`{"detail":{"containers":{"name":["envoy"],"exit":[{"numeric":[">",0]}]}}}`, false},
		{`{"$or":[{"source":["aws.ecr"]},{"detail":{"count":[3]}}]}`, true},
		{`{"source":["aws.ecs"],"$or":[{"source":["aws.ecr"]},{"detail":{"count":[4]}}]}`, false},
		{`{"detail":{"$or":[{"status":["X"]},{"tags":["a"]}]}}`, true},
		{`{"detail":{"status":["STOPPED",{"prefix":"RUN"}]}}`, true},
	} {
		p, err := Parse(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
		} else if got := p.Match([]byte(event)); got != c.want {
			t.Errorf("%s: %v", c.pattern, got)
		}
	}
}

func TestPatternsThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		``: "JSON", `[]`: "not an object", `{}`: "empty patterns", `{"a":"b"}`: "an object or an array", `{"a":[]}`: "empty arrays", `{"a":{}}`: "not empty",
		`{"a":[["b"]]}`: "match value", `{"a":[{}]}`: "only one key", `{"a":[{"prefix":1}]}`: "string", `{"a":[{"size":1}]}`: "size",
		`{"a":[{"exists":"x"}]}`: "exists", `{"a":[{"numeric":[">"]}]}`: "array", `{"a":[{"numeric":["~",1]}]}`: "operator", `{"a":[{"numeric":["<",1,">",0]}]}`: "operator",
		`{"a":[{"numeric":[">","1"]}]}`: "number", `{"a":[{"cidr":"10.0.0.0"}]}`: "CIDR", `{"a":[{"wildcard":"a**"}]}`: "consecutive", `{"a":[{"wildcard":"a\\b"}]}`: "escape",
		`{"a":[{"anything-but":[]}]}`: "empty", `{"a":[{"anything-but":true}]}`: "strings and numbers", `{"$or":[{"a":["b"]}]}`: "at least 2", `{"a":["b"]} x`: "JSON",
		`{"a":[1e999]}`: "range", strings.Repeat(`{"a":`, 60) + `["b"]` + strings.Repeat("}", 60): "deeper", `{"a":["` + strings.Repeat("x", 5000) + `"]}`: "longer",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`{"source":[{"anything-but":{"prefix":"x"}}]}`, event)
	f.Add(`{"$or":[{"a":[{"numeric":[">",0,"<",5]}]},{"b":[{"wildcard":"a*"}]}]}`, `{"a":3,"b":["ab"]}`)
	f.Fuzz(func(_ *testing.T, text, event string) {
		if p, err := Parse(text); err == nil {
			p.Match([]byte(event))
		}
	})
}
