package synth

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slipway-dev/slipway/manifest"
)

// assemblyVersion is the version of the cloud assembly's schema: the lowest that current CDK CLIs take without asking for more.
const assemblyVersion = "36.0.0"

// DefaultOutput is the folder of the cloud assembly when nobody names one.
const DefaultOutput = "cdk.out"

// Invocation is what the CDK CLI tells the program named in cdk.json.
type Invocation struct {
	Output      string // folder to write the cloud assembly to
	Environment string // environment suffix, empty when nobody chose one
}

// InvocationOf reads the CDK CLI's variables: CDK_OUTDIR, and the suffix from --context environmentSuffix (CDK_CONTEXT_JSON) or else from
// ENVIRONMENT_SUFFIX. It works outside the CDK too.
func InvocationOf(getenv func(string) string) (Invocation, error) {
	in := Invocation{Output: getenv("CDK_OUTDIR"), Environment: getenv("ENVIRONMENT_SUFFIX")}
	if in.Output == "" {
		in.Output = DefaultOutput
	}
	raw := getenv("CDK_CONTEXT_JSON")
	if raw == "" {
		return in, nil
	}
	context := map[string]any{}
	if err := json.Unmarshal([]byte(raw), &context); err != nil {
		return in, fmt.Errorf("read CDK_CONTEXT_JSON: %w", err)
	}
	switch suffix := context["environmentSuffix"].(type) {
	case nil:
	case string:
		in.Environment = suffix
	default:
		return in, fmt.Errorf("context environmentSuffix: want a text, got %v", suffix)
	}
	return in, nil
}

// WriteAssembly writes a cloud assembly of one stack into dir: manifest.json, tree.json, cdk.out and the template, without blanks, so that it
// fits into a request as it is (aws cloudformation create-stack --template-body file://...). The CDK CLI, which sends YAML, gets one that is too
// long for that as an asset, <stack>.assets.json, for the bucket of cdk bootstrap. Account and region stay open, so the CLI's own credentials decide them.
func WriteAssembly(dir string, m *manifest.Manifest, t *Template) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write cloud assembly: %w", err)
	}
	stack := m.StackName()
	file := stack + ".template.json"
	resources := map[string]any{}
	logical := map[string]any{}
	for _, r := range t.Resources {
		path := stack + "/" + r.ID
		resources[r.ID] = map[string]any{"id": r.ID, "path": path, "constructInfo": construct("CfnResource")}
		logical["/"+path] = []any{map[string]any{"type": "aws:cdk:logicalId", "data": r.ID}}
	}
	properties := map[string]any{"templateFile": file, "tags": Tags(m), "validateOnSynth": false}
	artifact := map[string]any{
		"type":        "aws:cloudformation:stack",
		"environment": "aws://unknown-account/unknown-region",
		"properties":  properties,
		"metadata":    logical,
		"displayName": stack,
	}
	artifacts := map[string]any{stack: artifact, "Tree": map[string]any{"type": "cdk:tree", "properties": map[string]any{"file": "tree.json"}}}
	files := map[string]any{
		"cdk.out":       map[string]any{"version": assemblyVersion},
		"manifest.json": map[string]any{"version": assemblyVersion, "artifacts": artifacts},
		"tree.json": map[string]any{
			"version": "tree-0.1",
			"tree": map[string]any{"id": "App", "path": "", "constructInfo": construct("App"), "children": map[string]any{
				stack: map[string]any{"id": stack, "path": stack, "constructInfo": construct("Stack"), "children": resources},
			}},
		},
	}
	body := append(t.Body(), '\n')
	asset, err := assetOf(file, body)
	if err != nil {
		return err
	}
	assets := stack + ".assets"
	if asset != nil {
		artifacts[assets] = asset.artifact(assets + ".json")
		asset.refer(artifact, properties, assets)
		files[assets+".json"] = asset.manifest(stack)
	} else if err := os.Remove(filepath.Join(dir, assets+".json")); err != nil && !os.IsNotExist(err) { // of a longer template before
		return fmt.Errorf("write cloud assembly: %w", err)
	}
	for name, content := range files {
		data, err := json.MarshalIndent(content, "", " ")
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), append(data, '\n'), 0o644); err != nil {
			return fmt.Errorf("write cloud assembly: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, file), body, 0o644); err != nil {
		return fmt.Errorf("write cloud assembly: %w", err)
	}
	return nil
}

func construct(kind string) map[string]any {
	return map[string]any{"fqn": "slipway." + kind, "version": "0"}
}
