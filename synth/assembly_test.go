package synth_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/synth"
)

func TestAssemblyHoldsTheStackAndItsTags(t *testing.T) {
	m := load(t, "../slipway.yaml")
	template := render(t, m)
	dir := filepath.Join(t.TempDir(), "cdk.out")
	if err := synth.WriteAssembly(dir, m, template); err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Version   string
		Artifacts map[string]struct {
			Type, Environment string
			Properties        struct {
				TemplateFile string
				Tags         map[string]string
			}
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &manifest); err != nil {
		t.Fatal(err)
	}
	stack := manifest.Artifacts["TapStackdev"]
	if manifest.Version != "36.0.0" || stack.Type != "aws:cloudformation:stack" || stack.Environment != "aws://unknown-account/unknown-region" {
		t.Errorf("%+v", manifest)
	}
	for key, want := range map[string]string{"Environment": "dev", "Service": "microservices", "Team": "platform", "CostCenter": "engineering"} {
		if stack.Properties.Tags[key] != want {
			t.Errorf("tag %s: %q, want %q", key, stack.Properties.Tags[key], want)
		}
	}
	written, err := os.ReadFile(filepath.Join(dir, stack.Properties.TemplateFile))
	if err != nil || string(written) != string(template.Body())+"\n" {
		t.Errorf("the template differs, %v", err)
	}
	for _, file := range []string{"tree.json", "cdk.out"} {
		if data, err := os.ReadFile(filepath.Join(dir, file)); err != nil || !json.Valid(data) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestInvocationIsReadFromTheCDKsVariables(t *testing.T) {
	for _, c := range []struct {
		name, context, suffix, outdir string
		want                          synth.Invocation
		fails                         string
	}{
		{name: "outside the CDK", want: synth.Invocation{Output: "cdk.out"}},
		{name: "suffix from the environment", suffix: "qa", want: synth.Invocation{Output: "cdk.out", Environment: "qa"}},
		{
			name: "the context wins", context: `{"environmentSuffix":"dev","aws:cdk:x":[1]}`, suffix: "qa", outdir: "/tmp/out",
			want: synth.Invocation{Output: "/tmp/out", Environment: "dev"},
		},
		{name: "another context", context: `{"a":1}`, want: synth.Invocation{Output: "cdk.out"}},
		{name: "no JSON", context: `{`, fails: "CDK_CONTEXT_JSON"},
		{name: "no text", context: `{"environmentSuffix":5}`, fails: "want a text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			vars := map[string]string{"CDK_CONTEXT_JSON": c.context, "ENVIRONMENT_SUFFIX": c.suffix, "CDK_OUTDIR": c.outdir}
			got, err := synth.InvocationOf(func(key string) string { return vars[key] })
			switch {
			case c.fails != "":
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("error %v, want %q", err, c.fails)
				}
			case err != nil || got != c.want:
				t.Errorf("%+v %v, want %+v", got, err, c.want)
			}
		})
	}
}
