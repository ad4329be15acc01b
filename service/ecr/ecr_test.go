package ecr_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ecr"
)

var scope = arn.Scope{Account: "123456789012", Region: "us-east-1"}

// world is a registry behind a real socket, and its API.
type world struct {
	t      testing.TB
	dir    string
	db     *store.Store
	s      *ecr.Service
	server *httptest.Server
	host   string
	ctx    context.Context
	now    atomic.Pointer[time.Time]
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.now.Store(new(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
	var handler atomic.Pointer[http.Handler]
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { (*handler.Load()).ServeHTTP(rw, r) }))
	t.Cleanup(w.server.Close)
	w.host = "localhost:" + w.server.URL[strings.LastIndexByte(w.server.URL, ':')+1:]
	w.ctx = awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: scope, ARN: "arn:aws:iam::123456789012:root"})
	w.restart()
	mux := http.NewServeMux()
	mux.Handle("/v2/", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.s.Handler().ServeHTTP(rw, r) }))
	mux.Handle("/", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		awsapi.NewMux(awsapi.Config{DefaultScope: scope, AnyAuth: true}, w.s.API()).ServeHTTP(rw, r)
	}))
	handler.Store(new(http.Handler(mux)))
	return w
}

// restart opens everything anew, as the engine does after a crash.
func (w *world) restart() {
	w.t.Helper()
	if w.db != nil {
		if err := w.db.Close(); err != nil {
			w.t.Fatal(err)
		}
	}
	db, err := store.Open(store.Config{Path: filepath.Join(w.dir, "db")}, ecr.Tables()...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { db.Close() })
	w.db = db
	w.s, err = ecr.New(ecr.Config{
		Store: db, Dir: filepath.Join(w.dir, "registry"), Host: w.host, DefaultScope: scope,
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return *w.now.Load() },
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) later(d time.Duration) { w.now.Store(new(w.now.Load().Add(d))) }

func (w *world) create(name string, more ...func(*ecrapi.CreateRepositoryInput)) {
	w.t.Helper()
	in := &ecrapi.CreateRepositoryInput{RepositoryName: &name}
	for _, m := range more {
		m(in)
	}
	if _, err := w.s.CreateRepository(w.ctx, in); err != nil {
		w.t.Fatal(err)
	}
}

// password is what `aws ecr get-login-password` prints.
func (w *world) password() string {
	w.t.Helper()
	out, err := w.s.GetAuthorizationToken(w.ctx, &ecrapi.GetAuthorizationTokenInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimPrefix(string(raw), "AWS:")
}

// code is the AWS error code of err, or "".
func code(err error) string {
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestRepositoryLife(t *testing.T) {
	w := newWorld(t)
	w.create("team/web")
	w.create("api", func(in *ecrapi.CreateRepositoryInput) {
		in.Tags = []ecrapi.Tag{{Key: new("Team"), Value: new("a")}}
	})
	_, err := w.s.CreateRepository(w.ctx, &ecrapi.CreateRepositoryInput{RepositoryName: new("api")})
	if want := "RepositoryAlreadyExistsException: The repository with name 'api' already exists in the registry with id '123456789012'"; fmt.Sprint(err) != want {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"Upper", "a--b", "/a", "a/", "-a"} {
		if _, err := w.s.CreateRepository(w.ctx, &ecrapi.CreateRepositoryInput{RepositoryName: &bad}); code(err) != "InvalidParameterException" {
			t.Errorf("%s: %v", bad, err)
		}
	}
	w.restart()
	out, err := w.s.DescribeRepositories(w.ctx, &ecrapi.DescribeRepositoriesInput{MaxResults: new(int32(1))})
	if err != nil || len(out.Repositories) != 1 || *out.Repositories[0].RepositoryUri != w.host+"/api" || out.NextToken == nil {
		t.Fatalf("%+v %v", out, err)
	}
	out, err = w.s.DescribeRepositories(w.ctx, &ecrapi.DescribeRepositoriesInput{NextToken: out.NextToken})
	if err != nil || *out.Repositories[0].RepositoryArn != "arn:aws:ecr:us-east-1:123456789012:repository/team/web" || out.NextToken != nil {
		t.Fatalf("%+v %v", out, err)
	}
	arnOf := new("arn:aws:ecr:us-east-1:123456789012:repository/api")
	if _, err := w.s.TagResource(w.ctx, &ecrapi.TagResourceInput{ResourceArn: arnOf, Tags: []ecrapi.Tag{{Key: new("X"), Value: new("1")}}}); err != nil {
		t.Error(err)
	}
	if _, err := w.s.UntagResource(w.ctx, &ecrapi.UntagResourceInput{ResourceArn: arnOf, TagKeys: []string{"Team"}}); err != nil {
		t.Error(err)
	}
	tags, err := w.s.ListTagsForResource(w.ctx, &ecrapi.ListTagsForResourceInput{ResourceArn: arnOf})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "X" {
		t.Errorf("%+v %v", tags, err)
	}
	if _, err := w.s.DeleteRepository(w.ctx, &ecrapi.DeleteRepositoryInput{RepositoryName: new("api")}); err != nil {
		t.Error(err)
	}
	_, err = w.s.DescribeRepositories(w.ctx, &ecrapi.DescribeRepositoriesInput{RepositoryNames: []string{"api"}})
	if want := "RepositoryNotFoundException: The repository with name 'api' does not exist in the registry with id '123456789012'"; fmt.Sprint(err) != want {
		t.Errorf("%v", err)
	}
	if _, err := w.s.DescribeRepositories(w.ctx, &ecrapi.DescribeRepositoriesInput{RegistryId: new("999999999999")}); code(err) != "AccessDeniedException" {
		t.Errorf("another account: %v", err)
	}
}

func TestPolicies(t *testing.T) {
	w := newWorld(t)
	w.create("web")
	name := new("web")
	if _, err := w.s.GetRepositoryPolicy(w.ctx, &ecrapi.GetRepositoryPolicyInput{RepositoryName: name}); code(err) != "RepositoryPolicyNotFoundException" {
		t.Error(err)
	}
	if _, err := w.s.SetRepositoryPolicy(w.ctx, &ecrapi.SetRepositoryPolicyInput{RepositoryName: name, PolicyText: new("{}")}); code(err) != "InvalidParameterException" {
		t.Error(err)
	}
	if _, err := w.s.SetRepositoryPolicy(w.ctx, &ecrapi.SetRepositoryPolicyInput{RepositoryName: name, PolicyText: new(`{"Statement":[]}`)}); err != nil {
		t.Error(err)
	}
	if _, err := w.s.DeleteRepositoryPolicy(w.ctx, &ecrapi.DeleteRepositoryPolicyInput{RepositoryName: name}); err != nil {
		t.Error(err)
	}
	if _, err := w.s.GetLifecyclePolicy(w.ctx, &ecrapi.GetLifecyclePolicyInput{RepositoryName: name}); code(err) != "LifecyclePolicyNotFoundException" {
		t.Error(err)
	}
	policy := new(`{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":10},"action":{"type":"expire"}}]}`)
	if _, err := w.s.PutLifecyclePolicy(w.ctx, &ecrapi.PutLifecyclePolicyInput{RepositoryName: name, LifecyclePolicyText: policy}); err != nil {
		t.Error(err)
	}
	got, err := w.s.DeleteLifecyclePolicy(w.ctx, &ecrapi.DeleteLifecyclePolicyInput{RepositoryName: name})
	if err != nil || *got.LifecyclePolicyText != *policy {
		t.Errorf("%+v %v", got, err)
	}
	m, err := w.s.PutImageTagMutability(w.ctx, &ecrapi.PutImageTagMutabilityInput{RepositoryName: name, ImageTagMutability: "IMMUTABLE"})
	if err != nil || m.ImageTagMutability != "IMMUTABLE" {
		t.Error(m, err)
	}
	if _, err := w.s.PutImageTagMutability(w.ctx, &ecrapi.PutImageTagMutabilityInput{RepositoryName: name, ImageTagMutability: "IMMUTABLE_WITH_EXCLUSION"}); err == nil {
		t.Error("exclusion without filters was taken")
	}
	c, err := w.s.PutImageScanningConfiguration(w.ctx, &ecrapi.PutImageScanningConfigurationInput{RepositoryName: name, ImageScanningConfiguration: &ecrapi.ImageScanningConfiguration{ScanOnPush: new(true)}})
	if err != nil || !*c.ImageScanningConfiguration.ScanOnPush {
		t.Error(c, err)
	}
}

func TestCanonicalNamesOwnImages(t *testing.T) {
	s, err := ecr.New(ecr.Config{Dir: t.TempDir(), DefaultScope: scope})
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		"localhost:4566/web:v1":                              "localhost:4566/web:v1",
		"127.0.0.1:4566/team/web@sha256:aa":                  "localhost:4566/team/web@sha256:aa",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/web":   "localhost:4566/web",
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:x": "localhost:4566/123456789012.eu-west-1/web:x",
		"123456789012.dkr.ecr.us-east-1.localhost/web":       "localhost:4566/web",
		"123456789012.dkr.ecr.us-east-1.127.0.46.1/web":      "localhost:4566/web",
		"localhost:4566/123456789012.us-east-1/web":          "localhost:4566/web",
		"localhost:4566/210987654321.us-east-1/a/b":          "localhost:4566/210987654321.us-east-1/a/b",
		"nginx":                   "",
		"docker.io/library/nginx": "",
		"localhost:5000/web":      "",
		"localhost:4566/":         "",
		"1234.dkr.ecr.us-east-1.amazonaws.com/web":                        "",
		"example.com:4566/web":                                            "",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com.example.com/web:v1": "",
	} {
		got, ok := s.Canonical(ref)
		if got != want || ok != (want != "") {
			t.Errorf("%s: %q %v", ref, got, ok)
		}
	}
}

func TestTheAPIOverTheWire(t *testing.T) {
	w := newWorld(t)
	c := awsapi.NewClient(awsapi.ClientConfig{Endpoint: w.server.URL, Region: scope.Region, AccessKey: "a", SecretKey: "b"})
	if _, err := awsapi.Call[ecrapi.CreateRepositoryInput, ecrapi.CreateRepositoryOutput](w.ctx, c, "ecr", "CreateRepository",
		&ecrapi.CreateRepositoryInput{RepositoryName: new("web")}); err != nil {
		t.Fatal(err)
	}
	_, err := awsapi.Call[ecrapi.ListImagesInput, ecrapi.ListImagesOutput](w.ctx, c, "ecr", "ListImages", &ecrapi.ListImagesInput{RepositoryName: new("none")})
	if code(err) != "RepositoryNotFoundException" {
		t.Error(err)
	}
}
