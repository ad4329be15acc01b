package tests

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/slipway-dev/slipway/tests/rig"
)

// The commands that users type, by clients that know nothing of us.
func TestClients(t *testing.T) {
	w := platform(t)
	need(t, "docker", "apt-get install docker.io")
	need(t, "skopeo", "apt-get install skopeo")
	need(t, "curl", "apt-get install curl")
	t.Cleanup(func() { w.restore() })
	t.Run("aws", func(t *testing.T) {
		for version, service := range map[string]string{"1": "payment", "2": "notification"} {
			t.Run("v"+version, func(t *testing.T) {
				aws := awsVersion(t, version)
				w := world{t, w.Engine}
				testscript.Run(t, w.script("testdata/clients/aws.txtar", map[string]string{
					"AWS": "aws" + version, "SVC": service, "IMAGE": w.variant(service, "PUSHED_BY=aws"+version),
				}, aws))
			})
		}
		t.Run("boto3", func(t *testing.T) {
			python := pythonWith(t, "boto3")
			testscript.Run(t, world{t, w.Engine}.script("testdata/clients/boto3.txtar", map[string]string{"PYTHON": python}))
		})
	})
}

// restore brings a platform whose services were updated by hand back to its
// template, which CloudFormation itself takes for unchanged: by removing it.
func (w world) restore() {
	w.Helper()
	w.must("down")
	w.must(w.UpArgs()...)
}

// client is a program under a name of its own.
type client struct{ name, program, args string }

// awsVersion finds the AWS command line of a major version, which may be any
// of several on the path.
func awsVersion(t *testing.T, version string) client {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), filepath.Join(rig.Root(), "tests", "testdata", "aws1", "bin")) {
		path := filepath.Join(dir, "aws")
		out, err := exec.Command(path, "--version").CombinedOutput()
		if err == nil && strings.HasPrefix(string(out), "aws-cli/"+version+".") {
			c := client{name: "aws" + version, program: path}
			if old(string(out)) {
				c.args = `--endpoint-url "$AWS_ENDPOINT_URL"`
			}
			return c
		}
	}
	t.Fatalf("version %s of the AWS command line is not on the path; install both versions with: make deps-test", version)
	return client{}
}

var versionOf = regexp.MustCompile(`^aws-cli/2\.(\d+)\.`)

// old says whether it is from before AWS_ENDPOINT_URL (2.13): Debian's is.
func old(version string) bool {
	m := versionOf.FindStringSubmatch(version)
	if m == nil {
		return false
	}
	minor, _ := strconv.Atoi(m[1])
	return minor < 13
}

// pythonWith finds a Python that has a module.
func pythonWith(t *testing.T, module string) string {
	t.Helper()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, "python3")
		if exec.Command(path, "-c", "import "+module).Run() == nil {
			return path
		}
	}
	t.Fatalf("no python3 on the path has %s; install it with: apt-get install python3-%s", module, module)
	return ""
}

// script is how testscript runs a file against the engine.
func (w world) script(file string, vars map[string]string, clients ...client) testscript.Params {
	w.Helper()
	bin := filepath.Join(w.TempDir(), "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		w.Fatal(err)
	}
	clients = append(clients, client{"slipway", w.Binary, ""})
	names := map[string]bool{}
	for _, c := range clients {
		names[c.name] = true
		text := fmt.Sprintf("#!/bin/sh\nexec '%s' %s \"$@\"\n", c.program, c.args)
		if err := os.WriteFile(filepath.Join(bin, c.name), []byte(text), 0o755); err != nil {
			w.Fatal(err)
		}
	}
	dns := strings.TrimSpace(w.must("outputs", "LoadBalancerDns"))
	vpc := strings.TrimSpace(w.must("outputs", "VpcId"))
	return testscript.Params{
		Files:               []string{file},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition:           func(name string) (bool, error) { return names[name], nil },
		Setup: func(env *testscript.Env) error {
			path := env.Getenv("PATH")
			for _, v := range w.Env() {
				name, value, _ := strings.Cut(v, "=")
				if strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "SLIPWAY_") || strings.HasPrefix(name, "PYENV_") {
					env.Setenv(name, value)
				}
			}
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+path)
			env.Setenv("DOCKER_CONFIG", filepath.Join(env.WorkDir, "docker"))
			env.Setenv("LB", dns)
			env.Setenv("VPC", vpc)
			env.Setenv("REGISTRY", w.registry())
			for k, v := range vars {
				env.Setenv(k, v)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await, "follow": follow, "running": w.running,
		},
	}
}

// await repeats a command until its output matches:
//
//	await LIMIT REGEXP COMMAND...
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: await LIMIT REGEXP COMMAND...")
	}
	limit, want := parse(ts, args)
	var out string
	err := rig.Until(context.Background(), limit, strings.Join(args[2:], " ")+" prints "+args[1], func() (bool, error) {
		err := ts.Exec(args[2], args[3:]...)
		out = ts.ReadFile("stdout") + ts.ReadFile("stderr")
		return err == nil && want.MatchString(out), err
	})
	if err != nil {
		ts.Fatalf("%v; it printed:\n%s", err, out)
	}
}

// follow starts a command that never ends, makes something happen with another
// one, and waits until the first prints it:
//
//	follow LIMIT REGEXP COMMAND... -- COMMAND...
func follow(ts *testscript.TestScript, neg bool, args []string) {
	cut := strings.LastIndex(strings.Join(args, "\x00"), "\x00--\x00")
	if neg || len(args) < 5 || cut < 0 {
		ts.Fatalf("usage: follow LIMIT REGEXP COMMAND... -- COMMAND...")
	}
	limit, want := parse(ts, args)
	all := strings.Join(args, "\x00")
	argv := strings.Split(all[:cut], "\x00")[2:]
	event := strings.Split(all[cut+len("\x00--\x00"):], "\x00")
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, which(ts, argv[0]), argv[1:]...)
	cmd.Dir = ts.Getenv("WORK")
	for _, v := range []string{"PATH", "HOME", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		cmd.Env = append(cmd.Env, v+"="+ts.Getenv(v))
	}
	cmd.Env = append(cmd.Env, "PYTHONUNBUFFERED=1")
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	cmd.Stderr = cmd.Stdout
	ts.Check(cmd.Start())
	defer func() {
		cancel()
		_ = cmd.Wait() // killed by us
	}()
	// It is made to happen once the command shows that it follows.
	var seen []string
	lines, happened := bufio.NewScanner(out), false
	for lines.Scan() {
		seen = append(seen, lines.Text())
		if happened && want.MatchString(lines.Text()) {
			return
		}
		if !happened {
			happened = true
			ts.Check(ts.Exec(event[0], event[1:]...))
		}
	}
	ts.Fatalf("not within %s: %s; it printed:\n%s", limit, args[1], strings.Join(seen, "\n"))
}

func parse(ts *testscript.TestScript, args []string) (time.Duration, *regexp.Regexp) {
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	want, err := regexp.Compile(args[1])
	ts.Check(err)
	return limit, want
}

func which(ts *testscript.TestScript, program string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path := filepath.Join(dir, program); exec.Command("test", "-x", path).Run() == nil {
			return path
		}
	}
	ts.Check(errors.New(program + " is not on the path"))
	return ""
}

// running asserts how many processes of a service have a variable, as the
// kernel tells, not the API:
//
//	running N SERVICE NAME=VALUE
func (w world) running(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: running N SERVICE NAME=VALUE")
	}
	name, value, _ := strings.Cut(args[2], "=")
	tasks, err := w.Tasks(args[1])
	ts.Check(err)
	n := 0
	for _, p := range tasks {
		if p.Env(name) == value {
			n++
		}
	}
	if strconv.Itoa(n) != args[0] {
		ts.Fatalf("%d processes of %s have %s, want %s; %d run", n, args[1], args[2], args[0], len(tasks))
	}
}
