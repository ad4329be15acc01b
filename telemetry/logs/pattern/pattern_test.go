package pattern

import (
	"errors"
	"strings"
	"testing"
)

const (
	trail = `{"eventType":"UpdateTrail","sourceIPAddress":"111.111.111.111","arrayKey":["value","another value"],
		"objectList":[{"name":"a","id":1},{"name":"b","id":2}],"SomeObject":null,"cluster.name":"c","ThisFlag":true,"n":3.5,"big":1e3,"text":"4"}`
	access = `127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534`
)

func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		pattern, message string
		want             bool
	}{
		{"", "anything", true},
		{"  ", "", true},

		{"ERROR", "[ERROR 400] BAD REQUEST", true},
		{"ERROR", "Exiting with ERRORCODE: -1", true},
		{"ERROR", "[error] lower case", false},
		{"ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", true},
		{"ERROR ARGUMENTS", "[ERROR 420] INVALID", false},
		{`"INTERNAL SERVER ERROR"`, "[ERROR 500] INTERNAL SERVER ERROR", true},
		{`"SERVER INTERNAL"`, "[ERROR 500] INTERNAL SERVER ERROR", false},
		{`"say \"hi\""`, `they say "hi"`, true},
		{`"C:\temp"`, `C:\temp`, true},
		{"ERROR -ARGUMENTS", "[ERROR 400] BAD REQUEST", true},
		{"ERROR -ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", false},
		{`-"two words"`, "has two words", false},
		{"?ERROR ?ARGUMENTS", "[INFO] ARGUMENTS", true},
		{"?ERROR ?ARGUMENTS", "[INFO] nothing", false},
		{"?ERROR INFO", "[INFO] nothing", true}, // ? is ignored beside other terms
		{"%AUTHORIZED%", "[ERROR 401] UNAUTHORIZED REQUEST", true},
		{"%^AUTHORIZED%", "[ERROR 401] UNAUTHORIZED REQUEST", false},
		{`%10\.10\.0\.[1-9]+%`, "from 10.10.0.12", true},
		{"-%[0-9]{3}%", "code 404", false},
		{"größe", "die größe zählt", true},

		{`{ $.eventType = "UpdateTrail" }`, trail, true},
		{`{$.eventType="UpdateTrail"}`, trail, true},
		{`{ $.eventType = UpdateTrail }`, trail, true},
		{`{ $.eventType = "Update*" }`, trail, true},
		{`{ $.eventType = "*Trail" && $.n > 3 }`, trail, true},
		{`{ $.eventType != "UpdateTrail" }`, trail, false},
		{`{ $.sourceIPAddress != 123.123.* }`, trail, true},
		{`{ $.sourceIPAddress = 111.111.* }`, trail, true},
		{`{ $.sourceIPAddress = %111\.111\.111\.1[0-9]{1,2}% }`, trail, true},
		{`{ $.arrayKey[0] = "value" }`, trail, true},
		{`{ $.arrayKey[1] = "value" }`, trail, false},
		{`{ $.arrayKey[9] = "value" }`, trail, false},
		{`{ $.arrayKey[*] = "another*" }`, trail, true},
		{`{ $.objectList[1].id = 2 }`, trail, true},
		{`{ $.objectList[*].name = "c" }`, trail, false},
		{`{ $['cluster.name'] = "c" }`, trail, true},
		{`{ $.SomeObject IS NULL }`, trail, true},
		{`{ $.SomeOtherObject IS NULL }`, trail, false},
		{`{ $.SomeOtherObject NOT EXISTS }`, trail, true},
		{`{ $.SomeObject not exists }`, trail, false},
		{`{ $.SomeObject EXISTS }`, trail, true},
		{`{ $.ThisFlag IS TRUE }`, trail, true},
		{`{ $.ThisFlag IS FALSE }`, trail, false},
		{`{ $.objectList IS TRUE }`, trail, false},
		{`{ $.n >= 3.5 && $.n < 4 && $.n <= 35e-1 }`, trail, true},
		{`{ $.big = 1000 }`, trail, true},
		{`{ $.text = 4 }`, trail, true},
		{`{ $.missing != "x" }`, trail, false},
		{`{ $.missing > 3 }`, trail, false},
		{`{ $.eventType > 3 }`, trail, false},
		{`{ $.n = 1 || $.n = 2 || $.n = 3.5 }`, trail, true},
		{`{ $.n = 3.5 || $.n = 1 && $.n = 2 }`, trail, true},
		{`{ ($.n = 3.5 || $.n = 1) && $.n = 2 }`, trail, false},
		{`{ $.eventType = "UpdateTrail" }`, "not json", false},
		{`{ $.a = 1 }`, `{"a":1} {"a":1}`, false},
		{`{ $[0] = 7 }`, `[7]`, true},
		{`{ $.[0] = 7 }`, `[7]`, true},

		{"[ip, server, username, timestamp, request, status_code, bytes]", access, true},
		{"[ip, server, username, timestamp, request, status_code]", access, false},
		{"[ip, server, username, timestamp, request, status_code, bytes > 1000]", access, true},
		{"[ip, server, username, timestamp, request=*.html*, status_code=4*, bytes]", access, true},
		{"[..., request=*.html*, status_code=4*, bytes]", access, true},
		{"[ip=127.0.0.1, ..., status_code=404 || status_code=410, bytes]", access, true},
		{"[ip, ..., (status_code=500 || status_code=410) && status_code!=9, bytes]", access, false},
		{`[ip=%127\.0\.0\.[1-9]%, ...]`, access, true},
		{"[ip, server, username != frank, ...]", access, false},
		{"[, , name=frank, ...]", access, true},
		{`[w1="quoted text", ...]`, `"quoted text" rest`, true},
		{"[w1=ERROR && w1!=%WARN%, w2]", "ERROR w2", true},
		{"[..., last=z]", "z", true},
		{"[a, ..., z]", "one", false},
		{"[a]", `"unclosed`, true},
	} {
		p, err := Parse(tc.pattern)
		if err != nil {
			t.Errorf("%s: %v", tc.pattern, err)
			continue
		}
		if got := p.Match(tc.message); got != tc.want {
			t.Errorf("%s on %s: %v", tc.pattern, tc.message, got)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, s := range []string{
		"order:1", "a-b", `"open`, "%open", "%%", "%a(b)%", "%something!%", "%größe%", "%[a%", "-", "?", "? a",
		"{", "{}", "{ $.a }", "{ $ = 1 }", "{ $.a = }", "{ $.a = 1", "{ $.a = 1 } x", "{ $.a > x }", `{ $.a < "1" }`,
		"{ ($.a = 1 }", "{ $.a[x] = 1 }", "{ $.a[-1] = 1 }", "{ $.a[ = 1 }", "{ $.a IS 3 }", "{ $.a NOT }", "{ a = 1 }", "{ $['a = 1 }",
		"{ $.a = %a% && $.b = %b% && $.c = %c% }", "{" + strings.Repeat("(", 60) + "$.a=1" + strings.Repeat(")", 60) + "}",
		"[", "[a", "[a=]", "[a,...,b,...]", "[a=1 || b=2]", "[a] x", "[(a=1]", "[a > x]",
	} {
		_, err := Parse(s)
		if err == nil {
			t.Errorf("%s was taken", s)
			continue
		}
		if _, ok := errors.AsType[*SyntaxError](err); !ok {
			t.Errorf("%s: %T", s, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"ERROR -x ?y", `{ $.a = "x*" && ($.b[0] > 3 || $['c'] IS NULL) }`, "[a, ..., b=4* && b!=%40[0-9]%]", `"a\"b"`} {
		f.Add(s, trail)
		f.Add(s, access)
	}
	f.Fuzz(func(t *testing.T, pattern, message string) {
		p, err := Parse(pattern)
		if err != nil {
			return
		}
		p.Match(message)
		if p.String() != pattern {
			t.Error("the source is lost")
		}
	})
}

func BenchmarkTerms(b *testing.B) {
	p, _ := Parse("ERROR -healthcheck")
	for b.Loop() {
		p.Match(access)
	}
}

func BenchmarkJSON(b *testing.B) {
	p, _ := Parse(`{ $.eventType = "UpdateTrail" && $.n > 3 }`)
	for b.Loop() {
		p.Match(trail)
	}
}
