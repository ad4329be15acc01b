package iam

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Key is an access key: of the root of an account, of a user, or of a session
// that STS gave out.
type Key struct {
	Account      string
	ID           string // AKIA..., of a session ASIA...
	Secret       string
	User         string // name; empty for root and sessions
	Disabled     bool
	Created      time.Time
	SessionToken string    // of a session
	Expires      time.Time // of a session
	ARN          string    // of the principal
	UserID       string    // as GetCallerIdentity tells it
	Root         bool
	Role         string // name of the assumed role, if that is what the session is
}

// Keys are the access keys.
var Keys = store.NewTable("iam/key",
	func(k Key) string { return global(k.Account).Key("key", k.ID) },
	store.Index("id", func(k Key) []string { return []string{k.ID} }),
	store.Index("user", func(k Key) []string {
		if k.User == "" {
			return nil
		}
		return []string{principalKey(k.Account, User, k.User)}
	}),
)

// Credentials looks access keys up for the Mux, in the state of the store at
// the moment of the call. A disabled key is unknown.
func Credentials(s *store.Store) func(accessKeyID string) (awsapi.Credential, bool) {
	return func(id string) (awsapi.Credential, bool) {
		for k := range Keys.By(s.Snapshot(), "id", id) {
			if k.Disabled {
				return awsapi.Credential{}, false
			}
			return awsapi.Credential{
				AccessKey: k.ID, SecretKey: k.Secret, SessionToken: k.SessionToken, Expires: k.Expires,
				Account: k.Account, ARN: k.ARN, UserID: k.UserID,
			}, true
		}
		return awsapi.Credential{}, false
	}
}

// EnsureRoot returns the access key of the account's root, and makes it when
// there is none.
func EnsureRoot(tx *store.Tx, account string) (accessKey, secret string) {
	for k := range Keys.List(tx, global(account).Key("key", "")) {
		if k.Root && !k.Disabled {
			return k.ID, k.Secret
		}
	}
	k := NewKey("AKIA")
	k.Account, k.Root, k.UserID, k.Created = account, true, account, now()
	k.ARN = arn.Scope{Account: account}.GlobalARN("iam", "root")
	Keys.Put(tx, k)
	return k.ID, k.Secret
}

// NewKey draws an access key id with the given prefix and a secret of 40
// characters.
func NewKey(prefix string) Key {
	return Key{ID: prefix + strings.ToUpper(rand.Text()[:16]), Secret: secret(30)}
}

// secret is n random bytes in base64.
func secret(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}

// now is the present to the second, as precise as IAM is.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }
