package ssm

import (
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/seal"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/iam"
	"github.com/slipway-dev/slipway/service/sts"
)

var here = arn.Scope{Account: "123456789012", Region: "eu-central-1"}

// world is the service behind a real endpoint, with a client that signs as the
// root of the account.
type world struct {
	testing.TB
	file    string // of the store
	store   *store.Store
	service *Service
	client  *awsapi.Client
	url     string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{TB: t, file: filepath.Join(dir, "store")}
	var err error
	tables := append(append(Tables(), iam.Tables()...), sts.Tables()...)
	if w.store, err = store.Open(store.Config{Path: w.file}, tables...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	keys, err := seal.OpenKeyring(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	w.service = New(Config{Store: w.store, Keys: keys})
	var key, secret string
	w.update(func(tx *store.Tx) error {
		key, secret = iam.EnsureRoot(tx, here.Account)
		return nil
	})
	mux := awsapi.NewMux(awsapi.Config{Credentials: iam.Credentials(w.store)}, w.service.API(), iam.New(iam.Config{Store: w.store}).API())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.url = server.URL
	w.client = w.as(key, secret)
	return w
}

// as is a client with other keys.
func (w *world) as(key, secret string) *awsapi.Client {
	return awsapi.NewClient(awsapi.ClientConfig{Endpoint: w.url, Region: here.Region, AccessKey: key, SecretKey: secret})
}

func (w *world) update(fn func(*store.Tx) error) {
	w.Helper()
	if err := w.store.Update(fn); err != nil {
		w.Fatal(err)
	}
}

func (w *world) ctx() context.Context {
	return awsapi.WithCaller(w.Context(), awsapi.Caller{Scope: here, ARN: here.GlobalARN("iam", "root")})
}

// call calls an operation and wants the code of its error, or none.
func call[O, I any](w *world, op string, in *I, code string) *O {
	w.Helper()
	out, err := awsapi.Call[I, O](w.Context(), w.client, "ssm", op, in)
	if got := codeOf(err); got != code {
		w.Fatalf("%s: %v, want code %q", op, err, code)
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
