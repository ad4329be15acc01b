package cli

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// The engine of this machine comes before one that the environment names, and
// without either the error says how to start one.
func TestReach(t *testing.T) {
	named := map[string]string{
		"AWS_ENDPOINT_URL": "http://engine:4566/", "AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-1",
		"AWS_ACCESS_KEY_ID": "111111111111", "AWS_SECRET_ACCESS_KEY": "any",
	}
	for _, c := range []struct {
		name  string
		own   bool
		unset string
		want  access
	}{
		{"an engine of its own", true, "", access{Endpoint: "http://localhost:4566", Region: "us-east-1", AccessKey: "AKIAEXAMPLE", SecretKey: "secret"}},
		{"one elsewhere", false, "", access{Endpoint: "http://engine:4566", Region: "eu-west-1", AccessKey: "111111111111", SecretKey: "any"}},
		{"none", false, "AWS_ENDPOINT_URL", access{}},
		{"half a pair of keys", false, "AWS_SECRET_ACCESS_KEY", access{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for k, v := range named {
				t.Setenv(k, v)
			}
			if c.unset != "" {
				t.Setenv(c.unset, "")
			}
			a := &app{home: t.TempDir()}
			if c.own {
				err := os.WriteFile(filepath.Join(a.home, "credentials.json"), []byte(`{"endpoint":"http://localhost:4566","region":"us-east-1","accessKey":"AKIAEXAMPLE","secretKey":"secret"}`), 0o600)
				if err != nil {
					t.Fatal(err)
				}
			}
			got, err := a.reach()
			coded, none := errors.AsType[*codedError](err)
			if got != c.want || (err != nil) != (c.want == access{}) || none && coded.code != exitNoEngine {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}
