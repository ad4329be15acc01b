package manifest

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// The errors are the interface of a manifest that is wrong: each case of testdata/errors.txtar is followed by what the user is told.
func TestErrorsSayWhatIsWrongAndWhatIsAllowed(t *testing.T) {
	const file = "testdata/errors.txtar"
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases, answers []txtar.File
	want := map[string]string{}
	for _, f := range archive.Files {
		if name, ok := strings.CutSuffix(f.Name, " =>"); ok {
			want[name] = string(f.Data)
		} else {
			cases = append(cases, f)
		}
	}
	for _, c := range cases {
		_, err := Parse("slipway.yaml", c.Data, Options{})
		var list Errors
		if !errors.As(err, &list) {
			t.Errorf("%s: accepted (%v)", c.Name, err)
			continue
		}
		got := list.Detail()
		answers = append(answers, c, txtar.File{Name: c.Name + " =>", Data: []byte(got)})
		if !*update && got != want[c.Name] {
			t.Errorf("%s: the user is told\n%s\nwant\n%s", c.Name, got, want[c.Name])
		}
	}
	if *update {
		archive.Files = answers
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
