package sts

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	api "github.com/slipway-dev/slipway/api/stsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/iam"
)

// Issue makes the credentials of a role's session named name, which hold for
// the given time from now. Tasks get theirs this way too.
func Issue(tx *store.Tx, role iam.Principal, name string, from time.Time, hold time.Duration) iam.Key {
	k := newSession(from, hold)
	k.Account, k.Role = role.Account, role.Name
	k.ARN = sessionARN(role, name)
	k.UserID = role.ID + ":" + name
	iam.Keys.Put(tx, k)
	return k
}

// newSession draws a key that ends.
func newSession(from time.Time, hold time.Duration) iam.Key {
	k := iam.NewKey("ASIA")
	token := make([]byte, 240)
	_, _ = rand.Read(token) // never fails
	k.SessionToken = "IQoJb3JpZ2luX2Vj" + base64.StdEncoding.EncodeToString(token)
	k.Created = from.UTC().Truncate(time.Second)
	k.Expires = k.Created.Add(hold)
	return k
}

// sessionARN is arn:aws:sts::<account>:assumed-role/<role>/<session>.
func sessionARN(role iam.Principal, name string) string {
	return arn.Scope{Account: role.Account}.GlobalARN("sts", "assumed-role/"+role.Name+"/"+name)
}

func credentials(k iam.Key) *api.Credentials {
	return &api.Credentials{AccessKeyId: &k.ID, SecretAccessKey: &k.Secret, SessionToken: &k.SessionToken, Expiration: &k.Expires}
}
