package proxy

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// The cookies of stickiness, as ALB names them. Each has a twin for
// cross-origin requests with SameSite=None.
const (
	cookieTarget = "AWSALB"
	cookieGroup  = "AWSALBTG"
	cookieApp    = "AWSALBAPP-0"
)

// sealer makes and reads the cookies' values: AES-GCM over expiry and name,
// so that clients can neither read nor forge where they are sent.
type sealer struct{ aead cipher.AEAD }

func newSealer(key []byte) (*sealer, error) {
	if len(key) == 0 {
		key = make([]byte, 32)
		_, _ = rand.Read(key)
	}
	sum := sha256.Sum256(key)
	b, err := aes.NewCipher(sum[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(b)
	return &sealer{aead}, err
}

func (s *sealer) seal(purpose, name string, expiry time.Time) string {
	nonce := make([]byte, 12, 12+8+len(name)+16)
	_, _ = rand.Read(nonce)
	plain := binary.BigEndian.AppendUint64(nil, uint64(expiry.Unix()))
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, append(plain, name...), []byte(purpose)))
}

// open returns the sealed name, nil when the value is not ours or expired.
func (s *sealer) open(purpose string, value []byte, now time.Time) []byte {
	b := make([]byte, base64.RawURLEncoding.DecodedLen(len(value)))
	n, err := base64.RawURLEncoding.Decode(b, value)
	if err != nil || n < 12 {
		return nil
	}
	plain, err := s.aead.Open(nil, b[:12], b[12:n], []byte(purpose))
	if err != nil || len(plain) < 8 || int64(binary.BigEndian.Uint64(plain)) < now.Unix() {
		return nil
	}
	return plain[8:]
}

// setCookies are the Set-Cookie values that keep a client with a target or group.
func setCookies(name, value string, expiry time.Time, secure bool) []string {
	attr := "; Expires=" + expiry.UTC().Format(time.RFC1123[:len(time.RFC1123)-3]+"GMT") + "; Path=/"
	set := []string{name + "=" + value + attr}
	if name == cookieApp {
		return set
	}
	cors := name + "CORS=" + value + attr + "; SameSite=None"
	if secure {
		cors += "; Secure"
	}
	return append(set, cors)
}

// placement is where stickiness wants a request, and what it adds to the
// response.
type placement struct {
	group  *group
	target *target // nil: balance
	bind   bool    // the response binds the client to the target that served it
	bound  bool    // the request came with a valid target cookie
}

// place applies group stickiness, then the stickiness of the group's targets.
func (s *Server) place(rt *route, r *request, rnd *random, now time.Time) placement {
	p := placement{}
	if rt.rule.Action.Forward.Sticky > 0 {
		if v := r.cookie(cookieGroup); v != nil {
			p.group = rt.named(s.sealer.open(cookieGroup, v, now))
		}
	}
	if p.group == nil {
		p.group = rt.choose(rnd)
	}
	if p.group == nil {
		return p
	}
	ro := p.group.roster.Load()
	st := ro.cfg.Sticky
	if st == nil {
		return p
	}
	name := cookieTarget
	if st.Cookie != "" {
		name = cookieApp
	}
	p.bind = true
	if v := r.cookie(name); v != nil && (st.Cookie == "" || r.cookie(st.Cookie) != nil) {
		p.target = ro.stuck(s.sealer.open(name+p.group.id, v, now))
		p.bound = p.target != nil
	}
	return p
}

// binds are the Set-Cookie values for a response of t. appSet says that the
// target set the application's cookie.
func (s *Server) binds(rt *route, p *placement, t *target, appSet, secure bool, now time.Time) (set []string) {
	if p.bind {
		st := p.group.roster.Load().cfg.Sticky
		switch {
		case st == nil:
		case st.Cookie == "":
			expiry := now.Add(st.Duration)
			set = setCookies(cookieTarget, s.sealer.seal(cookieTarget+p.group.id, t.addr, expiry), expiry, secure)
		case appSet:
			expiry := now.Add(st.Duration)
			set = setCookies(cookieApp, s.sealer.seal(cookieApp+p.group.id, t.addr, expiry), expiry, secure)
		}
	}
	if d := rt.rule.Action.Forward.Sticky; d > 0 {
		expiry := now.Add(d)
		set = append(set, setCookies(cookieGroup, s.sealer.seal(cookieGroup, p.group.id, expiry), expiry, secure)...)
	}
	return set
}
