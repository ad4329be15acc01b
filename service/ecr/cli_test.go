package ecr_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The line everybody types: aws ecr get-login-password | docker login.
func TestTheAWSCLI(t *testing.T) {
	need(t, "aws")
	need(t, "docker")
	w := newWorld(t)
	env := append(os.Environ(), "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null",
		"DOCKER_CONFIG="+t.TempDir(), "DOCKER_HOST=unix:///nonexistent")
	run := func(line string) string {
		t.Helper()
		cmd := exec.Command("bash", "-o", "pipefail", "-c", line)
		cmd.Env = append(env, "E="+w.server.URL, "HOST="+w.host)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	uri := run(`aws --endpoint-url $E --region us-east-1 ecr create-repository --repository-name web --query repository.repositoryUri --output text`)
	if uri != w.host+"/web" {
		t.Errorf("uri %q", uri)
	}
	if out := run(`aws --endpoint-url $E ecr get-login-password --region us-east-1 | docker login --username AWS --password-stdin $HOST`); !strings.Contains(out, "Login Succeeded") {
		t.Errorf("%s", out)
	}
}
