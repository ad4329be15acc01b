package logs_test

import (
	"bufio"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// clis are the AWS CLIs of this machine: version 1 (pip) and version 2
// (Debian's awscli). Without any the test fails in CI and says so elsewhere.
func clis(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, path := range []string{"aws", "/usr/bin/aws", "/usr/local/bin/aws"} {
		out, err := exec.Command(path, "--version").Output()
		if v, ok := strings.CutPrefix(string(out), "aws-cli/"); err == nil && ok {
			found[v[:1]] = path
		}
	}
	for _, v := range []string{"1", "2"} {
		if found[v] == "" {
			t.Logf("NOT TRIED with AWS CLI version %s: it is missing (version 2: apt-get install -y awscli)", v)
		}
	}
	if len(found) == 0 {
		t.Fatal("the AWS CLI is not installed; install it with: apt-get install awscli")
	}
	return found
}

func cli(t *testing.T, path, endpoint string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, append([]string{"--endpoint-url", endpoint, "--region", "us-east-1", "--output", "text"}, args...)...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null", "PYTHONUNBUFFERED=1")
	return cmd
}

func TestTheAWSCLI(t *testing.T) {
	for version, path := range clis(t) {
		t.Run("v"+version, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			server := httptest.NewServer(awsapi.NewMux(awsapi.Config{DefaultScope: scope, AnyAuth: true}, w.s.API()))
			defer server.Close()
			run := func(args ...string) string {
				t.Helper()
				out, err := cli(t, path, server.URL, append([]string{"logs"}, args...)...).CombinedOutput()
				if err != nil {
					t.Errorf("aws logs %s: %v\n%s", args[0], err, out)
				}
				return string(out)
			}
			run("create-log-group", "--log-group-name", "/ecs/web")
			run("create-log-stream", "--log-group-name", "/ecs/web", "--log-stream-name", "web/1")
			run("put-log-events", "--log-group-name", "/ecs/web", "--log-stream-name", "web/1",
				"--log-events", fmt.Sprintf("timestamp=%d,message=hello ERROR", time.Now().UnixMilli()))
			if out := run("filter-log-events", "--log-group-name", "/ecs/web", "--filter-pattern", "ERROR"); !strings.Contains(out, "hello ERROR") {
				t.Errorf("filter: %s", out)
			}
			if out := run("get-log-events", "--log-group-name", "/ecs/web", "--log-stream-name", "web/1"); !strings.Contains(out, "hello ERROR") {
				t.Errorf("get: %s", out)
			}
			run("put-retention-policy", "--log-group-name", "/ecs/web", "--retention-in-days", "7")
			if out := run("describe-log-groups", "--query", "logGroups[0].retentionInDays"); strings.TrimSpace(out) != "7" {
				t.Errorf("describe: %s", out)
			}
			out, err := cli(t, path, server.URL, "logs", "delete-log-group", "--log-group-name", "none").CombinedOutput()
			if err == nil || !strings.Contains(string(out), "(ResourceNotFoundException) when calling the DeleteLogGroup operation: The specified log group does not exist.") {
				t.Errorf("%s", out)
			}
			if version == "2" {
				tailFollows(t, w, path, server.URL)
			}
		})
	}
}

// tailFollows runs `aws logs tail --follow`: it shows what is there and what
// comes, each line once.
func tailFollows(t *testing.T, w *world, path, endpoint string) {
	cmd := cli(t, path, endpoint, "logs", "tail", "/ecs/web", "--follow", "--since", "1h", "--format", "short")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	var got []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		_, message, _ := strings.Cut(lines.Text(), " ")
		got = append(got, message)
		if len(got) < 3 {
			w.write("/ecs/web", fmt.Sprintf("web/%d", len(got)), line(time.Now().UnixMilli(), fmt.Sprint("line ", len(got))))
			continue
		}
		break
	}
	if want := "hello ERROR|line 1|line 2"; strings.Join(got, "|") != want {
		t.Errorf("tail: %q", got)
	}
}
