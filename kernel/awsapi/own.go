package awsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi/sigv4"
)

// ownScope is the service part of the signature's scope for what the engine
// offers besides AWS's APIs.
const ownScope = "slipway"

// Guard lets a request of the engine's own through to h when it is a POST of
// JSON, signed as a request to AWS is. (Web pages can send neither: JSON from
// another origin is asked about first, and nobody answers that.) The caller is in
// the request's context.
func (m *Mux) Guard(h http.HandlerFunc) http.Handler { return m.guard(false, h) }

// GuardRead is Guard for what only tells, and takes a GET as well.
func (m *Mux) GuardRead(h http.HandlerFunc) http.Handler { return m.guard(true, h) }

func (m *Mux) guard(read bool, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{w: w, r: r, id: requestID(), protocol: restJSON}
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		post := r.Method == http.MethodPost && kind == "application/json"
		if !post && (!read || r.Method != http.MethodGet) {
			m.fail(x, Errorf("UnsupportedMediaTypeException", http.StatusUnsupportedMediaType, "Send a POST with Content-Type application/json."))
			return
		}
		x.auth, x.authErr = sigv4.Parse(r)
		caller, _, err := m.authenticate(x)
		if err != nil {
			m.fail(x, err)
			return
		}
		if x.body == nil { // under AnyAuth nobody has read it
			if x.body, err = readAll(w, r, m.config.MaxBody); err != nil {
				m.fail(x, err)
				return
			}
		}
		r = r.WithContext(WithCaller(r.Context(), caller))
		r.Body = io.NopCloser(bytes.NewReader(x.body))
		h(w, r)
	})
}

// Post sends a request of the engine's own, signed: in and out are JSON.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.own(ctx, http.MethodPost, path, body, out)
}

// Get asks for what GuardRead guards.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.own(ctx, http.MethodGet, path, nil, out)
}

func (c *Client) own(ctx context.Context, method, path string, body []byte, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.config.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.config.AccessKey != "" {
		key := sigv4.Key{AccessKey: c.config.AccessKey, Secret: c.config.SecretKey, SessionToken: c.config.SessionToken}
		sigv4.Sign(r, key, ownScope, c.config.Region, sigv4.Hash(body), time.Now())
	}
	resp, err := c.config.HTTP.Do(r)
	if err != nil {
		return err
	}
	answer, err := readAnswer(resp)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		var f struct{ Message string }
		_ = json.Unmarshal(answer, &f) // whatever it is, the status tells
		return Errorf(resp.Header.Get("X-Amzn-Errortype"), resp.StatusCode, "%s", f.Message)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s answered what is no JSON: %w", path, err)
	}
	return nil
}
