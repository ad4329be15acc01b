package gosdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/slipway-dev/slipway/tests/rig"
)

// home is the engine that all stories share, as a test suite would start it.
var home struct {
	Home, Endpoint string
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "slipway-sdk-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	binary, err := rig.Build(context.Background(), folder)
	if err == nil {
		err = start(binary)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		stop := exec.Command(binary, "engine", "stop")
		stop.Env = append(os.Environ(), "SLIPWAY_HOME="+home.Home)
		if out, err := stop.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "stop the engine: %v\n%s", err, out)
		}
		if left, _ := filepath.Glob(home.Home); len(left) > 0 {
			fmt.Fprintln(os.Stderr, "an ephemeral engine has left", left)
		}
	}()
	return m.Run()
}

func start(binary string) error {
	cmd := exec.Command(binary, "engine", "start", "--ephemeral", "--auth", "any", "--simulated", "--json")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("start an engine: %w", err)
	}
	return json.Unmarshal(out, &home)
}

// config is a client's, of an account and a region: the access key is the account.
func config(account, region string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: &home.Endpoint, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: account, SecretAccessKey: "any"}, nil
		}),
	}
}

// refuses asserts that an error is the API's, with a code, of the kind that the SDK has for
// it if kind is not nil.
func refuses(t *testing.T, err error, code string, kind any) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("%v, want the error %s", err, code)
	}
	if kind != nil && !errors.As(err, kind) {
		t.Errorf("%v is no %T for the SDK", err, kind)
	}
}

// soon waits until something is true.
func soon(t *testing.T, what string, done func() (bool, error)) {
	t.Helper()
	if err := rig.Until(t.Context(), 30*time.Second, what, done); err != nil {
		t.Fatal(err)
	}
}
