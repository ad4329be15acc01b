package s3

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-dev/slipway/api/iamapi"
	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/seal"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/iam"
	"github.com/slipway-dev/slipway/service/sts"
)

const own, foreign = "123456789012", "210987654321"

// world is S3 behind an endpoint, with IAM and two accounts.
type world struct {
	t     testing.TB
	dir   string
	store *store.Store
	keys  *seal.Keyring
	s3    *Service
	iam   *iam.Service
	url   string
	*person
}

// person calls with credentials of his own.
type person struct {
	t                  testing.TB
	url                string
	key, secret, token string
	region             string
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, dir: t.TempDir()}
	var err error
	if w.keys, err = seal.OpenKeyring(filepath.Join(w.dir, "master.key")); err != nil {
		t.Fatal(err)
	}
	w.open()
	t.Cleanup(func() { _ = w.store.Close() })
	mux := awsapi.NewMux(awsapi.Config{Credentials: func(id string) (awsapi.Credential, bool) { return iam.Credentials(w.store)(id) }}, w.s3.API(), w.iam.API(), sts.New(sts.Config{Store: w.store}).API())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.url = server.URL
	w.person = w.root(own)
	return w
}

// open opens what lies in the world's directory, as after a restart.
func (w *world) open() {
	var err error
	if w.store, err = store.Open(store.Config{Path: filepath.Join(w.dir, "state.db")}, append(iam.Tables(), Tables()...)...); err != nil {
		w.t.Fatal(err)
	}
	w.iam = iam.New(iam.Config{Store: w.store})
	if w.s3, err = New(Config{Store: w.store, Dir: filepath.Join(w.dir, "objects"), Keys: w.keys}); err != nil {
		w.t.Fatal(err)
	}
}

// root is the root of an account.
func (w *world) root(account string) *person {
	p := &person{t: w.t, url: w.url, region: "us-east-1"}
	if err := w.store.Update(func(tx *store.Tx) error { p.key, p.secret = iam.EnsureRoot(tx, account); return nil }); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// user is a user of the own account with a policy.
func (w *world) user(name, policy string) *person {
	ctx := awsapi.WithCaller(w.t.Context(), awsapi.Caller{Scope: arn.Scope{Account: own}})
	if _, err := w.iam.CreateUser(ctx, &iamapi.CreateUserInput{UserName: &name}); err != nil {
		w.t.Fatal(err)
	}
	if policy != "" {
		if _, err := w.iam.PutUserPolicy(ctx, &iamapi.PutUserPolicyInput{UserName: &name, PolicyName: new("p"), PolicyDocument: &policy}); err != nil {
			w.t.Fatal(err)
		}
	}
	k, err := w.iam.CreateAccessKey(ctx, &iamapi.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		w.t.Fatal(err)
	}
	return &person{t: w.t, url: w.url, region: "us-east-1", key: *k.AccessKey.AccessKeyId, secret: *k.AccessKey.SecretAccessKey}
}

func (p *person) client() *awsapi.Client {
	return awsapi.NewClient(awsapi.ClientConfig{Endpoint: p.url, Region: p.region, AccessKey: p.key, SecretKey: p.secret, SessionToken: p.token})
}

// call calls an operation and wants an error code, "" for none.
func call[O, I any](p *person, op string, in *I, code string) *O {
	p.t.Helper()
	out, err := awsapi.Call[I, O](p.t.Context(), p.client(), "s3", op, in)
	if got := codeOf(err); got != code {
		p.t.Fatalf("%s: %v, want code %q", op, err, code)
	}
	return out
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func (p *person) bucket(name string) {
	p.t.Helper()
	call[api.CreateBucketOutput](p, "CreateBucket", &api.CreateBucketInput{Bucket: &name}, "")
}

func body(data []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(data)) }

func putInput(bucket, key, data string) *api.PutObjectInput {
	return &api.PutObjectInput{Bucket: &bucket, Key: &key, Body: body([]byte(data)), ContentLength: new(int64(len(data)))}
}

func (p *person) put(bucket, key, data string) *api.PutObjectOutput {
	p.t.Helper()
	return call[api.PutObjectOutput](p, "PutObject", putInput(bucket, key, data), "")
}

func (p *person) get(in *api.GetObjectInput, code string) (*api.GetObjectOutput, string) {
	p.t.Helper()
	out := call[api.GetObjectOutput](p, "GetObject", in, code)
	if code != "" {
		return nil, ""
	}
	data, err := io.ReadAll(out.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return out, string(data)
}

func (p *person) read(bucket, key string) string {
	p.t.Helper()
	_, data := p.get(&api.GetObjectInput{Bucket: &bucket, Key: &key}, "")
	return data
}

// files is how many blobs lie on disk.
func (w *world) files() int {
	n := 0
	err := filepath.WalkDir(filepath.Join(w.dir, "objects"), func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// plain sends a request without a signature.
func (w *world) plain(method, path string, header http.Header) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header = header
	if h := header.Get("Host"); h != "" {
		r.Host = h
	}
	return do(w.t, r)
}

func do(t testing.TB, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(data)
}
