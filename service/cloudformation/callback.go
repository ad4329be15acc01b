package cloudformation

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// CallbackPath is where Callbacks is to be served.
const CallbackPath = "/callback/cloudformation/"

// maxCallback is how long a message may be: AWS takes 4 KB.
const maxCallback = 4 << 10

// Kinds of callbacks.
const signalCallback = "signal" // to a wait condition's handle

// callback is what an address tells: who may say something, and of what.
type callback struct {
	Kind, Stack, LogicalID string // Stack is a key
	Token                  string // of the request that is answered; "" for signals
}

// Secret signs addresses, as AWS presigns URLs of S3.
type Secret struct{ Name, Value string }

var errCallback = errors.New("this is no address that this engine has given out")

// callbackURL makes a signed address.
func (s *Service) callbackURL(c callback) (string, error) {
	key, err := s.secret()
	if err != nil {
		return "", err
	}
	path := c.path()
	return strings.TrimSuffix(s.base(), "/") + path + "?X-Amz-Signature=" + sign(key, path), nil
}

// base is the address of the API.
func (s *Service) base() string {
	if s.Endpoint == "" {
		return "http://localhost:4566"
	}
	return s.Endpoint
}

func (c callback) path() string {
	path := CallbackPath + c.Kind + "/" + c.Stack + "/" + c.LogicalID
	if c.Token != "" {
		path += "/" + c.Token
	}
	return path
}

// callbackOf reads an address, by whichever name the engine was reached, and checks its signature.
func (s *Service) callbackOf(address string) (callback, error) {
	u, err := url.Parse(address)
	if err != nil {
		return callback{}, errCallback
	}
	rest, ok := strings.CutPrefix(u.Path, CallbackPath)
	parts := strings.Split(rest, "/") // kind, account, region, stack, uuid, logical id, token
	if !ok || len(parts) < 6 || len(parts) > 7 {
		return callback{}, errCallback
	}
	c := callback{Kind: parts[0], Stack: strings.Join(parts[1:5], "/"), LogicalID: parts[5]}
	if len(parts) == 7 {
		c.Token = parts[6]
	}
	key, err := s.secret()
	if err != nil {
		return callback{}, err
	}
	if !hmac.Equal([]byte(sign(key, c.path())), []byte(u.Query().Get("X-Amz-Signature"))) {
		return callback{}, errCallback
	}
	return c, nil
}

func sign(key, path string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(path))
	return hex.EncodeToString(mac.Sum(nil))
}

// secret is the key of all addresses; it is made when it is first needed.
func (s *Service) secret() (string, error) {
	if row, err := Secrets.Get(s.Store.Snapshot(), signalCallback); err == nil {
		return row.Value, nil
	}
	var fresh [32]byte
	_, _ = rand.Read(fresh[:]) // never fails
	row := Secret{signalCallback, hex.EncodeToString(fresh[:])}
	err := s.Store.Update(func(tx *store.Tx) error {
		if old, err := Secrets.Get(tx, row.Name); err == nil {
			row = old
			return nil
		}
		Secrets.Put(tx, row)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("keep the key of callbacks: %w", err)
	}
	return row.Value, nil
}

// Callbacks answers the addresses that templates hand out: PUT {"Status": "SUCCESS", ...}. The address itself is the permission.
func (s *Service) Callbacks() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			http.Error(w, "PUT a JSON document here", http.StatusMethodNotAllowed)
			return
		}
		c, err := s.callbackOf(r.URL.RequestURI())
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCallback))
		var message map[string]any
		if err != nil || json.Unmarshal(body, &message) != nil {
			http.Error(w, fmt.Sprintf("the body must be a JSON object of at most %d bytes", maxCallback), http.StatusBadRequest)
			return
		}
		if err := s.heard(c, message); err != nil {
			if e, ok := errors.AsType[*awsapi.Error](err); ok {
				http.Error(w, e.Message, http.StatusBadRequest)
				return
			}
			s.Log.Error("keep a callback", "stack", c.Stack, "resource", c.LogicalID, "err", err)
			http.Error(w, "the message could not be kept", http.StatusInternalServerError)
		}
	})
}

func (s *Service) heard(c callback, message map[string]any) error {
	if c.Kind == responseCallback {
		return s.answer(c, message)
	}
	return s.told(c, message)
}
