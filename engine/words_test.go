package engine

import (
	"slices"
	"testing"
)

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		"":                        nil,
		"/bin/sh":                 {"/bin/sh"},
		"  ls  -l /tmp ":          {"ls", "-l", "/tmp"},
		`sh -c "echo 'a b' \"c"`:  {"sh", "-c", `echo 'a b' "c`},
		`echo 'a "b" \n' c\ d ''`: {"echo", `a "b" \n`, "c d", ""},
	} {
		if got := words(line); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
