package sts

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/api/iamapi"
	api "github.com/slipway-dev/slipway/api/stsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/iam"
)

const (
	own   = "123456789012"
	trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`
)

// world is IAM and STS behind one endpoint.
type world struct {
	t           *testing.T
	store       *store.Store
	url         string
	key, secret string
	skew        time.Duration // how far the endpoint's clock is ahead
}

func newWorld(t *testing.T) *world {
	st, err := store.Open(store.Config{}, iam.Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: st}
	people, tokens := iam.New(iam.Config{Store: st}), New(Config{Store: st})
	mux := awsapi.NewMux(awsapi.Config{Credentials: iam.Credentials(st), Now: func() time.Time { return time.Now().Add(w.skew) }}, people.API(), tokens.API())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.url = server.URL
	if err := st.Update(func(tx *store.Tx) error { w.key, w.secret = iam.EnsureRoot(tx, own); return nil }); err != nil {
		t.Fatal(err)
	}
	root := awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: arn.Scope{Account: own}})
	if _, err := people.CreateRole(root, &iamapi.CreateRoleInput{RoleName: new("web"), AssumeRolePolicyDocument: new(trust)}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) as(c *api.Credentials) *awsapi.Client {
	if c == nil {
		return w.client(w.key, w.secret, "")
	}
	return w.client(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

func (w *world) client(key, secret, token string) *awsapi.Client {
	return awsapi.NewClient(awsapi.ClientConfig{Endpoint: w.url, Region: "us-east-1", AccessKey: key, SecretKey: secret, SessionToken: token})
}

func call[O, I any](w *world, c *awsapi.Client, op string, in *I, code string) *O {
	w.t.Helper()
	out, err := awsapi.Call[I, O](w.t.Context(), c, "sts", op, in)
	got := ""
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		got = e.Code
	} else if err != nil {
		got = err.Error()
	}
	if got != code {
		w.t.Fatalf("%s: %v, want code %q", op, err, code)
	}
	return out
}

func TestAssumedRoleIsSomeoneElse(t *testing.T) {
	w := newWorld(t)
	who := call[api.GetCallerIdentityOutput](w, w.as(nil), "GetCallerIdentity", &api.GetCallerIdentityInput{}, "")
	if *who.Arn != "arn:aws:iam::123456789012:root" || *who.Account != own || *who.UserId != own {
		t.Errorf("%s %s", *who.Arn, *who.UserId)
	}
	role := "arn:aws:iam::123456789012:role/web"
	out := call[api.AssumeRoleOutput](w, w.as(nil), "AssumeRole", &api.AssumeRoleInput{RoleArn: &role, RoleSessionName: new("deploy")}, "")
	if !strings.HasPrefix(*out.Credentials.AccessKeyId, "ASIA") || *out.AssumedRoleUser.Arn != "arn:aws:sts::123456789012:assumed-role/web/deploy" {
		t.Errorf("%+v", out.AssumedRoleUser)
	}
	session := w.as(out.Credentials)
	who = call[api.GetCallerIdentityOutput](w, session, "GetCallerIdentity", &api.GetCallerIdentityInput{}, "")
	if *who.Arn != *out.AssumedRoleUser.Arn || !strings.HasSuffix(*who.UserId, ":deploy") {
		t.Errorf("%s %s", *who.Arn, *who.UserId)
	}
	call[api.GetCallerIdentityOutput](w, w.client(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, ""), "GetCallerIdentity", &api.GetCallerIdentityInput{}, "InvalidClientTokenId")
	call[api.GetSessionTokenOutput](w, session, "GetSessionToken", &api.GetSessionTokenInput{}, "AccessDenied")
	call[api.AssumeRoleOutput](w, w.as(nil), "AssumeRole", &api.AssumeRoleInput{RoleArn: new(role + "x"), RoleSessionName: new("deploy")}, "AccessDenied")
	call[api.AssumeRoleOutput](w, w.as(nil), "AssumeRole", &api.AssumeRoleInput{RoleArn: &role, RoleSessionName: new("deploy"), DurationSeconds: new(int32(7200))}, "ValidationError")
	call[api.AssumeRoleOutput](w, w.as(nil), "AssumeRole", &api.AssumeRoleInput{RoleArn: &role, RoleSessionName: new("no spaces")}, "ValidationError")
	call[api.AssumeRoleWithWebIdentityOutput](w, w.client("", "", ""), "AssumeRoleWithWebIdentity", &api.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: new("x1"), WebIdentityToken: new("abcd")}, "InvalidIdentityToken")
}

func TestSessionsEnd(t *testing.T) {
	w := newWorld(t)
	out := call[api.GetSessionTokenOutput](w, w.as(nil), "GetSessionToken", &api.GetSessionTokenInput{DurationSeconds: new(int32(900))}, "")
	session := w.as(out.Credentials)
	w.skew = 14 * time.Minute
	who := call[api.GetCallerIdentityOutput](w, session, "GetCallerIdentity", &api.GetCallerIdentityInput{}, "")
	if !strings.HasSuffix(*who.Arn, ":root") {
		t.Error(*who.Arn)
	}
	err := w.store.Update(func(tx *store.Tx) error {
		for k := range iam.Keys.By(tx, "id", *out.Credentials.AccessKeyId) {
			k.Expires = time.Now()
			iam.Keys.Put(tx, k)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	call[api.GetCallerIdentityOutput](w, session, "GetCallerIdentity", &api.GetCallerIdentityInput{}, "ExpiredToken")
}

func TestEndedSessionsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, err := store.Open(store.Config{}, iam.Tables()...)
		if err != nil {
			t.Fatal(err)
		}
		s := New(Config{Store: st})
		ctx, stop := context.WithCancel(t.Context())
		go s.Loops()[0].Run(ctx, st, s.log)
		var k iam.Key
		err = st.Update(func(tx *store.Tx) error {
			iam.EnsureRoot(tx, own)
			k = Issue(tx, iam.Principal{Account: own, Kind: iam.Role, Name: "web", ID: "AROAX"}, "task", time.Now(), time.Hour)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		count := func() (n int) {
			for range iam.Keys.List(st.Snapshot(), "") {
				n++
			}
			return n
		}
		time.Sleep(119 * time.Minute)
		if cred, ok := iam.Credentials(st)(k.ID); !ok || cred.SessionToken == "" || count() != 2 {
			t.Error("an ended session was forgotten too early to say that it ended")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if count() != 1 {
			t.Error("an ended session is still there")
		}
		stop()
		synctest.Wait()
	})
}
