package awsapi

import (
	"crypto/subtle"
	"errors"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi/sigv4"
)

// skew is how far a request's clock may be off.
const skew = 15 * time.Minute

// authenticate says who calls. secret is the key of the signature, for bodies
// that are signed in chunks.
func (m *Mux) authenticate(x *exchange) (Caller, string, error) {
	if m.config.AnyAuth {
		return m.anyone(x), "", nil
	}
	if x.authErr != nil {
		if x.unsigned && errors.Is(x.authErr, sigv4.ErrMissing) {
			return Caller{Scope: m.config.DefaultScope}, "", nil
		}
		return Caller{}, "", authError(x, x.authErr)
	}
	cred, ok := m.config.Credentials(x.auth.AccessKey)
	if !ok {
		return Caller{}, "", refusal(x, unknownKey)
	}
	now := m.config.Now()
	check := verify
	if x.old != nil {
		check = verifyOld
	}
	if err := current(x, now); err != nil {
		return Caller{}, "", err
	}
	if err := check(x, cred, m.config.MaxBody); err != nil {
		return Caller{}, "", err
	}
	if subtle.ConstantTimeCompare([]byte(x.auth.SessionToken), []byte(cred.SessionToken)) != 1 {
		return Caller{}, "", refusal(x, badToken)
	}
	if !cred.Expires.IsZero() && !now.Before(cred.Expires) {
		return Caller{}, "", refusal(x, expiredToken)
	}
	return callerFrom(cred, x.auth.Region), cred.SecretKey, nil
}

func callerFrom(c Credential, region string) Caller {
	return Caller{Scope: arn.Scope{Account: c.Account, Region: region}, ARN: c.ARN, AccessKey: c.AccessKey, UserID: c.UserID}
}

// anyone is the caller under AnyAuth: who the access key names if it is one of
// ours; the root of the account that it names if it is an account's twelve
// digits; else the root of the default account. Nothing is verified.
func (m *Mux) anyone(x *exchange) Caller {
	scope := m.config.DefaultScope
	if x.authErr == nil {
		scope.Region = x.auth.Region
		if c, ok := m.config.Credentials(x.auth.AccessKey); ok {
			return callerFrom(c, scope.Region)
		}
		if isAccount(x.auth.AccessKey) {
			scope.Account = x.auth.AccessKey
		}
	}
	return Caller{Scope: scope, ARN: scope.GlobalARN("iam", "root"), AccessKey: x.auth.AccessKey, UserID: scope.Account}
}

// isAccount says whether an access key id is an account id, which AWS's never
// are: test suites that run side by side take an account each.
func isAccount(key string) bool {
	return len(key) == 12 && strings.Trim(key, "0123456789") == ""
}

// current checks the time of the signature.
func current(x *exchange, now time.Time) error {
	a := x.auth
	if x.old != nil {
		if now.After(x.old.Expires) {
			return tooLate(x, now, 0)
		}
		return nil
	}
	if a.Time.After(now.Add(skew)) {
		return tooEarly(x, now)
	}
	if a.Presigned {
		if now.After(a.Time.Add(a.Expires)) {
			return tooLate(x, now, a.Expires)
		}
		return nil
	}
	if a.Time.Before(now.Add(-skew)) {
		return tooLate(x, now, skew)
	}
	return nil
}

// verify checks the signature and that the body is the one that was signed. It
// reads the body, unless the operation streams it: then decode wraps it in a
// reader that checks on the way.
func verify(x *exchange, cred Credential, limit int64) error {
	announced := x.r.Header.Get("X-Amz-Content-Sha256")
	if !x.streams() && x.body == nil {
		var err error
		if x.body, err = readAll(x.w, x.r, limit); err != nil {
			return err
		}
	}
	payload := announced
	switch {
	case x.auth.Presigned && x.auth.Service == "s3" && payload == "":
		payload = sigv4.Unsigned
	case x.streams() || isSpecialPayload(payload):
	default:
		if payload = sigv4.Hash(x.body); announced != "" && announced != payload {
			return refusal(x, bodyMismatch)
		}
	}
	if !x.auth.Covers(x.r.Header) || !x.auth.Matches(x.r, cred.SecretKey, payload) {
		return refusal(x, mismatch)
	}
	return nil
}

// verifyOld is verify for a presigned URL of version 2, which signs no body.
func verifyOld(x *exchange, cred Credential, _ int64) error {
	if !x.old.Matches(x.r, cred.SecretKey, BucketOf(x.r.Host)) {
		return refusal(x, mismatch)
	}
	return nil
}

func isSpecialPayload(hash string) bool {
	switch hash {
	case sigv4.Unsigned, sigv4.StreamingSigned, sigv4.StreamingSignedTrailer, sigv4.StreamingUnsignedTrailer:
		return true
	}
	return false
}
