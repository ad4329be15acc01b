package cli

import "testing"

func TestPortsOfACommandLine(t *testing.T) {
	for word, want := range map[string]portPair{"8080": {8080, 8080}, "9000:8080": {9000, 8080}, "0:8080": {0, 8080}, "65535": {65535, 65535}} {
		if got, err := parsePorts(word); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", word, got, err, want)
		}
	}
	for _, word := range []string{"", ":", "0", "8080:", ":8080", "8080:0", "65536", "-1", "80 ", "a:b", "1:2:3"} {
		if got, err := parsePorts(word); err == nil {
			t.Errorf("%q is taken for %+v", word, got)
		}
	}
}
