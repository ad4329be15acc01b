package proxy

import "testing"

func TestRewrite(t *testing.T) {
	for name, c := range map[string]struct {
		rewrite      Rewrite
		target, want string
	}{
		"nothing":              {Rewrite{}, "/a/b?c=d", "/a/b?c=d"},
		"path":                 {Rewrite{Path: "/x"}, "/a/b?c=d", "/x?c=d"},
		"prefix":               {Rewrite{Match: "/a/", Prefix: "/"}, "/a/b?c", "/b?c"},
		"prefix, another path": {Rewrite{Match: "/a/", Prefix: "/"}, "/b/a/", "/b/a/"},
		"prefix is all":        {Rewrite{Match: "/a", Prefix: "/"}, "/a", "/"},
		"slash is kept":        {Rewrite{Match: "/a/", Prefix: "b/"}, "/a/c", "/b/c"},
		"expression":           {Rewrite{Regex: `^/v(\d)/(.*)$`, Substitute: `/\2/v\1`}, "/v1/x?y", "/x/v1?y"},
		"expression, twice":    {Rewrite{Regex: `o`, Substitute: `0`}, "/foo", "/f00"},
		"dollars and slashes":  {Rewrite{Regex: `x`, Substitute: `$1\\`}, "/x", `/$1\`},
		"whole match":          {Rewrite{Regex: `b+`, Substitute: `[\0]`}, "/abbc", "/a[bb]c"},
		"empty query":          {Rewrite{Path: "/x"}, "/a?", "/x?"},
		"asterisk":             {Rewrite{Path: "/x"}, "*", "*"},
	} {
		t.Run(name, func(t *testing.T) {
			rw, err := newRewriter(c.rewrite)
			if err != nil {
				t.Fatal(err)
			}
			r := &request{}
			r.reset()
			if f := parseRequest([]byte("OPTIONS "+c.target+" HTTP/1.1\r\nHost: a\r\n\r\n"), r); f != nil {
				t.Fatal(f)
			}
			if got := (&route{to: rw}).appendTarget([]byte("OPTIONS "), r); string(got) != "OPTIONS "+c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
	for name, r := range map[string]Rewrite{
		"space": {Path: "/a b"}, "line": {Prefix: "/\r\nX: y"}, "query": {Path: "/a?b"}, "host": {Host: "a b"},
		"expression": {Regex: "("}, "group that is not there": {Regex: "a", Substitute: `\1`}, "backslash": {Regex: "a", Substitute: `\`},
	} {
		if _, err := newRewriter(r); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
