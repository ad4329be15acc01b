package tests

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/tests/rig"
)

// Docker itself pulls, builds on what it pulled, and pushes; the service is
// updated to what was pushed.
func TestDocker(t *testing.T) {
	needRoot(t, "it runs a Docker daemon of its own")
	need(t, "docker", "apt-get install docker.io")
	w := platform(t)
	t.Cleanup(w.restore)
	host := dockerd(t)
	config := t.TempDir()
	docker := func(input string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "docker", args...)
		cmd.Env = append(w.Env(), "DOCKER_HOST="+host, "DOCKER_CONFIG="+config, "DOCKER_BUILDKIT=0")
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	aws := awsVersion(t, "1").program
	command := func(args ...string) string {
		t.Helper()
		out, err := w.tool(append([]string{aws}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}
	repository := w.registry() + "/payment-service-dev"
	docker(command("ecr", "get-login-password"), "login", "--username", "AWS", "--password-stdin", w.registry())
	tag := command("ecr", "list-images", "--repository-name", "payment-service-dev", "--query", "imageIds[0].imageTag", "--output", "text")
	docker("", "pull", "-q", repository+":"+tag)
	docker("FROM "+repository+":"+tag+"\nENV PUSHED_BY=docker\n", "build", "-q", "-t", repository+":pushed", "-")
	says(t, docker("", "push", repository+":pushed"), "pushed: digest: sha256:")

	definition := command("ecs", "describe-task-definition", "--task-definition", "payment-service-dev", "--output", "json", "--query",
		"taskDefinition.{family:family,containerDefinitions:containerDefinitions,cpu:cpu,memory:memory,networkMode:networkMode,"+
			"requiresCompatibilities:requiresCompatibilities,executionRoleArn:executionRoleArn,taskRoleArn:taskRoleArn,proxyConfiguration:proxyConfiguration}")
	w.write("definition.json", strings.ReplaceAll(definition, repository+":"+tag, repository+":pushed"))
	command("ecs", "register-task-definition", "--cli-input-json", "file://definition.json")
	command("ecs", "update-service", "--cluster", "microservices-cluster-dev", "--service", "payment-service-dev", "--task-definition", "payment-service-dev")
	command("ecs", "wait", "services-stable", "--cluster", "microservices-cluster-dev", "--services", "payment-service-dev")
	tasks := w.tasks("payment")
	for _, p := range tasks {
		if p.Env("PUSHED_BY") != "docker" {
			t.Errorf("process %d does not run what docker has pushed", p.Pid)
		}
	}
	if a := w.once("payment"); a.Failed() || len(tasks) != 2 {
		t.Errorf("%d tasks run; %s", len(tasks), a)
	}
}

// dockerd runs a Docker daemon that changes nothing of the machine: no bridge,
// no packet filter, mounts of its own. It returns its address.
func dockerd(t *testing.T) string {
	t.Helper()
	daemon := need(t, "dockerd", "apt-get install docker.io")
	dir, err := os.MkdirTemp(folder, "dockerd-")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "sock")
	cmd := exec.Command("unshare", "--mount", daemon, "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--log-level", "error", "--pidfile", filepath.Join(dir, "pid"), "--host", "unix://"+socket, "--storage-driver", "vfs",
		"--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("dockerd says:\n%s", log.String())
		}
		_ = os.RemoveAll(dir)
	})
	err = rig.Until(t.Context(), 20*time.Second, "dockerd answers", func() (bool, error) {
		err := exec.Command("docker", "--host", "unix://"+socket, "info").Run()
		return err == nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return "unix://" + socket
}
