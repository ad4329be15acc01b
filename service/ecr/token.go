package ecr

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// tokenLife is how long an authorization token lasts (ECR user guide, Private
// registry authentication).
const tokenLife = 12 * time.Hour

// claims is what a token says; the signature makes it good after a restart.
type claims struct {
	Account string `json:"a"`
	Expires int64  `json:"e"`           // seconds since 1970
	Path    string `json:"p,omitempty"` // only for a GET of this URL path
}

var (
	errTokenInvalid = errors.New("token is not valid")
	errTokenExpired = errors.New("Your authorization token has expired. Reauthenticate and try again.") //nolint:staticcheck // AWS's words
)

func (s *Service) sign(c claims) string {
	doc, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return base64.RawURLEncoding.EncodeToString(doc) + "." + base64.RawURLEncoding.EncodeToString(s.mac(doc))
}

func (s *Service) mac(doc []byte) []byte {
	h := hmac.New(sha256.New, s.secret)
	h.Write(doc)
	return h.Sum(nil)
}

func (s *Service) verify(token string) (claims, error) {
	var c claims
	head, tail, _ := strings.Cut(token, ".")
	doc, err := base64.RawURLEncoding.DecodeString(head)
	sum, err2 := base64.RawURLEncoding.DecodeString(tail)
	if err != nil || err2 != nil || !hmac.Equal(sum, s.mac(doc)) {
		return c, errTokenInvalid
	}
	if err := json.Unmarshal(doc, &c); err != nil {
		return c, errTokenInvalid
	}
	if s.now().Unix() >= c.Expires {
		return c, errTokenExpired
	}
	return c, nil
}

// GetAuthorizationToken answers with base64 of "AWS:<password>", good for 12
// hours at the registry.
func (s *Service) GetAuthorizationToken(ctx context.Context, in *ecrapi.GetAuthorizationTokenInput) (*ecrapi.GetAuthorizationTokenOutput, error) {
	c := awsapi.CallerOf(ctx)
	ids := in.RegistryIds
	if len(ids) == 0 {
		ids = []string{c.Account}
	}
	expires := s.now().Add(tokenLife).Truncate(time.Second)
	out := &ecrapi.GetAuthorizationTokenOutput{}
	for range ids {
		token := s.sign(claims{Account: c.Account, Expires: expires.Unix()})
		out.AuthorizationData = append(out.AuthorizationData, ecrapi.AuthorizationData{
			AuthorizationToken: new(base64.StdEncoding.EncodeToString([]byte("AWS:" + token))),
			ExpiresAt:          new(expires),
			ProxyEndpoint:      new("http://" + s.host),
		})
	}
	return out, nil
}
