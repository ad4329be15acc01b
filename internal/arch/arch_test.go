// Package arch holds the rules of the house: which folder may import which,
// and that every package says what it is.
package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/slipway-dev/slipway/"

// rules say what a folder may import of this module; the first that matches
// holds. A folder may always import below itself.
var rules = []struct {
	folder string
	may    []string
	why    string
}{
	{"api", []string{"api"}, "generated contracts stand alone"},
	{"kernel", []string{"kernel", "api"}, "mechanism knows no AWS service"},
	{"control", []string{"control"}, "decisions are pure: no I/O, no clock, no store"},
	{"dataplane", []string{"kernel", "dataplane", "api"}, "moves bytes; services tell it where"},
	{"telemetry", []string{"kernel", "telemetry"}, "keeps lines and numbers; services give them names"},
	{"node", []string{"kernel", "node", "telemetry"}, "runs things; services decide what"},
	{"service", []string{"kernel", "api", "control", "dataplane", "node", "telemetry", "service"}, "one package per AWS service"},
	{"engine", []string{"kernel", "api", "control", "dataplane", "node", "telemetry", "service", "manifest"}, "the composition root"},
	{"manifest", []string{"manifest"}, "a client's file format"},
	{"synth", []string{"manifest", "synth"}, "manifest in, template out"},
	{"images", []string{"manifest", "images"}, "builds on the client's side"},
	{"cli", []string{"kernel/awsapi", "kernel/arn", "api", "manifest", "synth", "images", "cli", "node/sandbox"}, "a client of the AWS API, no back door; of the node it only starts, stops and checks the sandbox"},
	{"examples", []string{"examples"}, "services as a user would write them"},
	{"bench", nil, "measures whatever it likes"},
	{"internal", []string{"internal"}, "tests of the house"},
	{"tests", nil, "stories with real clients use all of it"},
	{"cmd/slipway-proxy", []string{"dataplane"}, "the sidecar is small"},
	{"cmd", []string{"cli", "engine", "node/sandbox", "node/runtime/reaper"}, "the binary joins client and daemon"},
}

// serviceOrder holds services to one direction: each may import those before
// it. A folder within a service that looks at other services has its own place.
var serviceOrder = []string{
	"iam", "sts", "s3", "ssm", "ec2", "logs", "ecr", "servicediscovery", "appmesh", "elbv2", "cloudwatch", "ecs", "cloudwatch/collect",
	"applicationautoscaling", "eventbridge", "cloudformation",
}

// place is a folder's position in serviceOrder: its own, or its service's.
func place(folder string) int {
	if at := slices.Index(serviceOrder, folder); at >= 0 {
		return at
	}
	service, _, _ := strings.Cut(folder, "/")
	return slices.Index(serviceOrder, service)
}

func TestImportsGoDownOnly(t *testing.T) {
	for file, imports := range imports(t) {
		folder := path.Dir(file)
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, r := range rules {
			if folder != r.folder && !strings.HasPrefix(folder, r.folder+"/") {
				continue
			}
			for _, imp := range imports {
				within := strings.HasPrefix(imp+"/", folder+"/")
				anything := r.may == nil && (r.folder == "bench" || r.folder == "tests")
				allowed := slices.ContainsFunc(r.may, func(m string) bool { return imp == m || strings.HasPrefix(imp, m+"/") })
				if !within && !allowed && !anything && !strings.HasPrefix(imp, r.folder+"/") {
					t.Errorf("%s imports %s: %s", file, imp, r.why)
				}
				checkServices(t, file, folder, imp)
			}
			break
		}
	}
}

func checkServices(t *testing.T, file, folder, imp string) {
	from, isService := strings.CutPrefix(folder, "service/")
	to, ofService := strings.CutPrefix(imp, "service/")
	if !isService || !ofService {
		return
	}
	a, b := place(from), place(to)
	if a < 0 || b < 0 {
		t.Errorf("%s: services %s and %s need a place in the order", file, from, to)
	} else if b > a {
		t.Errorf("%s imports service %s: influence upwards is by watching rows", file, to)
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	comments := map[string]int{}
	walk(t, func(file string) {
		if strings.HasSuffix(file, "_test.go") && !strings.HasPrefix(file, "internal/") && !strings.HasPrefix(file, "tests/") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Error(err)
			return
		}
		comments[path.Dir(file)] += 0
		if f.Doc != nil {
			comments[path.Dir(file)]++
		}
	})
	for folder, n := range comments {
		if n != 1 {
			t.Errorf("%s has %d package comments, want one", folder, n)
		}
	}
}

const root = "../.."

// imports lists what each file imports of this module, without the module path.
func imports(t *testing.T) map[string][]string {
	out := map[string][]string{}
	walk(t, func(file string) {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			return
		}
		for _, i := range f.Imports {
			if p, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module); ok {
				out[file] = append(out[file], p)
			}
		}
	})
	return out
}

func walk(t *testing.T, visit func(file string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "testdata" || name == "node_modules" || name == "tools" || name != "." && strings.HasPrefix(name, ".")) {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, ".go") {
			visit(file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
