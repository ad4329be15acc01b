package tests

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

// Terraform makes the reference platform from a configuration that knows
// nothing of us, finds no drift, changes it in place and by replacement, mends
// what somebody has changed by hand, and takes everything away.
func TestTerraform(t *testing.T) {
	tf := newTerraform(t)
	w := tf.world
	w.must(w.StartArgs()...)
	tf.run("init", "-input=false")
	pushed := tf.push()
	says(t, tf.run("apply", "-auto-approve"), `load_balancer = "microservices-dev.elb.localhost`,
		`"vpc" = true`, `"group" = true`, `"private" = 3`, `"prefixes" = true`, `"parameter" = "info"`)
	if err := <-pushed; err != nil {
		t.Fatal(err)
	}
	tf.noDrift()
	for _, s := range services {
		tf.serves(s, 1, "one")
	}

	// Somebody takes a rule away by hand; the tasks, a tag, a group's rule and
	// an object change in place, the target groups are replaced.
	tf.withdraw("HTTP from everywhere")
	tf.vars = []string{"-var=desired=2", "-var=release=two", "-var=admin_cidr=10.1.0.0/16", "-var=group_port=8000"}
	says(t, tf.run("apply", "-auto-approve"), "aws_vpc_security_group_ingress_rule.http: Creation complete",
		"aws_vpc_security_group_ingress_rule.admin: Modifications complete", "Resources: 8 added, 12 changed, 7 destroyed")
	for _, s := range services {
		tf.serves(s, 2, "two")
	}
	tf.noDrift()

	tf.run("destroy", "-auto-approve", "-refresh=false")
	w.eventually(30*time.Second, "nothing is left", func() (bool, error) {
		left := w.left()
		return len(left) == 0, fmt.Errorf("there still are %s", strings.Join(left, ", "))
	})
}

// terraform runs in a folder of its own with the configuration.
type terraform struct {
	world
	program, dir, config string
	vars                 []string
}

// newTerraform finds Terraform and its provider. They come from no package of
// Debian's or npm's, so where they are not, the story cannot be told and says
// so; .ci/install does as well.
func newTerraform(t *testing.T) *terraform {
	t.Helper()
	program, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("NOT TOLD: terraform is not installed: https://developer.hashicorp.com/terraform/install")
	}
	mirror := pluginMirror()
	if mirror == "" {
		t.Skip("NOT TOLD: version 5 of Terraform's AWS provider is in no plugin folder; fill one with: terraform providers mirror ~/.terraform.d/plugins")
	}
	w := newWorld(t)
	tf := &terraform{world: w, program: program, dir: filepath.Join(w.Folder, "terraform"), config: filepath.Join(w.Folder, "terraformrc")}
	if err := os.CopyFS(tf.dir, os.DirFS(filepath.Join(rig.Root(), "tests", "testdata", "terraform"))); err != nil {
		t.Fatal(err)
	}
	rc := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror)
	if err := os.WriteFile(tf.config, []byte(rc), 0o600); err != nil {
		t.Fatal(err)
	}
	return tf
}

// pluginMirror is a folder that has the provider: one of those that Terraform
// looks at by itself, or one below /opt.
func pluginMirror() string {
	home, _ := os.UserHomeDir()
	for _, pattern := range []string{filepath.Join(home, ".terraform.d", "plugins"), "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt/*"} {
		found, _ := filepath.Glob(filepath.Join(pattern, "registry.terraform.io", "hashicorp", "aws", "5.*"))
		if len(found) > 0 {
			return filepath.Join(found[0], "..", "..", "..", "..")
		}
	}
	return ""
}

// run runs a command that has to succeed, and logs how long it took.
func (tf *terraform) run(args ...string) string {
	tf.Helper()
	out, err := tf.try(args...)
	if err != nil {
		tf.Fatal(err)
	}
	return out
}

func (tf *terraform) try(args ...string) (string, error) {
	tf.Helper()
	switch args[0] {
	case "apply", "destroy":
		args = append(append(args, "-parallelism=30"), tf.vars...)
	case "plan":
		args = append(args, tf.vars...)
	}
	ctx, cancel := context.WithTimeout(tf.Context(), 3*time.Minute)
	defer cancel()
	cmd, err := tf.Tool(ctx, append([]string{tf.program}, args...)...)
	if err != nil {
		return "", err
	}
	cmd.Dir = tf.dir
	cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "TF_") })
	cmd.Env = append(cmd.Env, "TF_CLI_CONFIG_FILE="+tf.config, "TF_CLI_ARGS=-no-color", "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1", "HOME="+tf.Folder)
	began := time.Now()
	b, err := cmd.CombinedOutput()
	out := string(b)
	if err != nil {
		return out, fmt.Errorf("terraform %s: %w\n%s", args[0], err, quiet.ReplaceAllString(out, ""))
	}
	tf.Logf("terraform %s: %s", strings.Join(args[:min(2, len(args))], " "), time.Since(began).Round(100*time.Millisecond))
	return out, nil
}

// quiet are the lines of an output that say that all goes well.
var quiet = regexp.MustCompile(`(?m)^.*(Refreshing state|Reading|Read complete|Creating|Still |complete after).*\n`)

// push pushes the images into the repositories as soon as Terraform has made
// them, while it still makes the rest.
func (tf *terraform) push() <-chan error {
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(tf.Context(), rig.Patience)
		defer cancel()
		err := rig.Until(ctx, rig.Patience, "Terraform makes the repositories", func() (bool, error) {
			out, err := try[ecrapi.DescribeRepositoriesInput, ecrapi.DescribeRepositoriesOutput](tf.world, "ecr", "DescribeRepositories", &ecrapi.DescribeRepositoriesInput{})
			return err == nil && len(out.Repositories) == len(services), err
		})
		if err == nil {
			_, err = tf.Run(ctx, "push")
		}
		done <- err
	}()
	return done
}

// noDrift asks for a plan, which has to be empty.
func (tf *terraform) noDrift() {
	tf.Helper()
	_, err := tf.try("plan", "-detailed-exitcode")
	if x, ok := errors.AsType[*exec.ExitError](err); ok && x.ExitCode() == 2 {
		tf.Errorf("the plan is not empty: %v", err)
	} else if err != nil {
		tf.Fatal(err)
	}
}

// serves asserts that a service answers through the load balancer and runs so
// many tasks of a release.
func (tf *terraform) serves(service string, tasks int, release string) {
	tf.Helper()
	tf.eventually(time.Minute, service+" answers", func() (bool, error) {
		a := tf.once(service)
		return !a.Failed(), errors.New(a.String())
	})
	tf.eventually(time.Minute, service+" runs "+release, func() (bool, error) {
		running := tf.tasks(service)
		old := slices.ContainsFunc(running, func(p rig.Process) bool { return p.Env("RELEASE") != release })
		return len(running) == tasks && !old, fmt.Errorf("%d tasks, of an old release too: %t", len(running), old)
	})
}

// withdraw takes a group's rule away behind Terraform's back.
func (tf *terraform) withdraw(description string) {
	tf.Helper()
	rules := call[ec2api.DescribeSecurityGroupRulesInput, ec2api.DescribeSecurityGroupRulesOutput](tf.world, "ec2", "DescribeSecurityGroupRules",
		&ec2api.DescribeSecurityGroupRulesInput{})
	for _, r := range rules.SecurityGroupRules {
		if val(r.Description) == description {
			call[ec2api.RevokeSecurityGroupIngressInput, ec2api.RevokeSecurityGroupIngressOutput](tf.world, "ec2", "RevokeSecurityGroupIngress",
				&ec2api.RevokeSecurityGroupIngressInput{GroupId: r.GroupId, SecurityGroupRuleIds: []string{val(r.SecurityGroupRuleId)}})
			return
		}
	}
	tf.Fatalf("no rule says %q", description)
}
