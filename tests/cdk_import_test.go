package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

// What somebody has made by hand becomes part of a stack by cdk import, without
// questions: the identifiers come from a file. From then on the stack has it:
// no difference, no drift, changes by deployment; and it outlives the stack.
func TestCDKImport(t *testing.T) {
	w := newWorld(t)
	w.must(append(w.StartArgs(), "--speed", "10")...)
	c := newCDK(w)
	c.dir = filepath.Join(w.Folder, "js")
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c.app(map[string]any{"app": "node " + filepath.Join(rig.Root(), "tests", "testdata", "cdk", "imported.js"), "versionReporting": false})
	c.bootstrapped()
	c.deploy()
	for _, argv := range [][]string{
		{"logs", "create-log-group", "--log-group-name", "/there/logs"},
		{"logs", "put-retention-policy", "--log-group-name", "/there/logs", "--retention-in-days", "7"},
		{"ecr", "create-repository", "--repository-name", "there/images", "--image-scanning-configuration", "scanOnPush=true"},
		{"s3api", "create-bucket", "--bucket", "there-objects"},
		{"s3api", "put-bucket-versioning", "--bucket", "there-objects", "--versioning-configuration", "Status=Enabled"},
		{"ssm", "put-parameter", "--name", "/there/level", "--type", "String", "--value", "info"},
	} {
		c.aws(argv...)
	}

	adopted := []string{"-c", "adopt=yes"}
	ids := c.logical(adopted)
	mapping := filepath.Join(c.dir, "mapping.json")
	write := func(logs string) {
		t.Helper()
		b, err := json.Marshal(map[string]map[string]string{
			ids["AWS::Logs::LogGroup"]:  {"LogGroupName": logs},
			ids["AWS::ECR::Repository"]: {"RepositoryName": "there/images"},
			ids["AWS::S3::Bucket"]:      {"BucketName": "there-objects"},
			ids["AWS::SSM::Parameter"]:  {"Name": "/there/level"},
		})
		if err == nil {
			err = os.WriteFile(mapping, b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	bring := append([]string{"import", "--resource-mapping", mapping}, adopted...)
	write("/nobody/has/it")
	says(t, c.refused(bring...), "import")
	write("/there/logs")
	says(t, c.run(bring...), "IMPORT_COMPLETE")
	c.status("Adopter", "IMPORT_COMPLETE")
	says(t, c.run(append([]string{"diff"}, adopted...)...), "There were no differences")
	says(t, c.run(append([]string{"drift"}, adopted...)...), "No drift detected")
	says(t, c.deploy(adopted...), "no changes")

	c.deploy("-c", "adopt=yes", "-c", "retention=30")
	says(t, c.aws("logs", "describe-log-groups", "--log-group-name-prefix", "/there"), `"retentionInDays": 30`)
	c.aws("ssm", "put-parameter", "--name", "/there/level", "--value", "debug", "--overwrite")
	says(t, c.run("drift", "-c", "adopt=yes"), "AWS::SSM::Parameter Level", "[+] debug")
	c.run("destroy", "--force", "-c", "adopt=yes")
	says(t, c.aws("ssm", "get-parameter", "--name", "/there/level"), "debug")
	says(t, c.aws("s3api", "list-buckets"), "there-objects")
}

// aws is the AWS command line.
func (c cdk) aws(argv ...string) string {
	c.Helper()
	need(c, "aws", "pip install awscli")
	out, err := c.tool(append([]string{"aws"}, argv...)...)
	if err != nil {
		c.Fatal(err)
	}
	return out
}

// logical are the ids of what an assembly would bring into the stack, by type.
func (c cdk) logical(context []string) map[string]string {
	c.Helper()
	c.run(append([]string{"synth", "--quiet"}, context...)...)
	b, err := os.ReadFile(filepath.Join(c.dir, "cdk.out", "Adopter.template.json"))
	if err != nil {
		c.Fatal(err)
	}
	body := string(b)
	sum := call[cfnapi.GetTemplateSummaryInput, cfnapi.GetTemplateSummaryOutput](c.world, "cloudformation", "GetTemplateSummary", &cfnapi.GetTemplateSummaryInput{TemplateBody: &body})
	out := map[string]string{}
	for _, s := range sum.ResourceIdentifierSummaries {
		for _, id := range s.LogicalResourceIds {
			if !strings.HasPrefix(id, "Own") {
				out[val(s.ResourceType)] = id
			}
		}
	}
	return out
}
