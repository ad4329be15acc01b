// Package collection serves one kind of record over HTTP for the example services: POST /<service>/<plural> makes one, once per
// Idempotency-Key; GET /<service>/<plural>/{id} shows it, whichever replica made it.
//
// Invariants: a key seen before answers with the first result, or 422 when the body differs, or 409 while the first request still runs; a
// record that failed to be made leaves its key free, so that a repeat takes up the work; reads between replicas never fan out again.
package collection

import (
	"context"
	"errors"
	"net/http"
	"regexp"

	"github.com/slipway-dev/slipway/examples/internal/ledger"
	"github.com/slipway-dev/slipway/examples/internal/peer"
	"github.com/slipway-dev/slipway/examples/internal/server"
)

// Capacity is how many records a task keeps.
const Capacity = 10_000

// Collection is one kind of record, T, made from input In.
type Collection[In, T any] struct {
	Path     string // such as /payment/payments
	Prefix   string // of the ids, such as pay
	Ledger   *ledger.Ledger[T]
	Replicas *peer.Replicas
	Check    func(In) []server.FieldError                           // what is wrong with an input
	Make     func(ctx context.Context, id string, in In) (T, error) // an *Error decides the answer; any other error is a 500
}

// Error is a reason why a record was not made, with the status to answer.
type Error struct {
	Status int
	Detail string
}

func (e *Error) Error() string { return e.Detail }

// Register adds the collection's routes.
func (c *Collection[In, T]) Register(mux *http.ServeMux) {
	mux.HandleFunc("POST "+c.Path, c.post)
	mux.HandleFunc("GET "+c.Path+"/{id}", c.get)
}

var plainKey = regexp.MustCompile(`^[\x21-\x7e]{1,255}$`)

func (c *Collection[In, T]) post(w http.ResponseWriter, r *http.Request) {
	var in In
	if !server.ReadJSON(w, r, &in) {
		return
	}
	if wrong := c.Check(in); len(wrong) > 0 {
		server.Fail(w, r, http.StatusUnprocessableEntity, "the input is not acceptable", wrong...)
		return
	}
	key, id := r.Header.Get(peer.KeyHeader), server.NewID(c.Prefix)
	if key != "" {
		if !plainKey.MatchString(key) {
			server.Fail(w, r, http.StatusBadRequest, "Idempotency-Key: up to 255 visible ASCII characters")
			return
		}
		id = ledger.ID(c.Prefix, key)
	}
	fingerprint := ledger.Fingerprint(in)
	record, state := c.Ledger.Claim(id)
	switch state {
	case ledger.Busy:
		c.busy(w, r)
		return
	case ledger.Done:
		c.replay(w, r, record.Fingerprint == fingerprint, record.Value)
		return
	}
	finished := false
	defer func() {
		if !finished { // whatever happened, a panic included
			c.Ledger.Release(id)
		}
	}()
	if key != "" {
		switch there := c.Replicas.Ask(r.Context(), c.Path+"/"+id); {
		case there.Busy:
			c.busy(w, r)
			return
		case there.Body != nil:
			c.replay(w, r, there.Fingerprint == fingerprint, there.Body)
			return
		}
	}
	value, err := c.Make(r.Context(), id, in)
	var refused *Error
	switch {
	case errors.As(err, &refused):
		server.Fail(w, r, refused.Status, refused.Detail)
		return
	case err != nil:
		server.Fail(w, r, http.StatusInternalServerError, err.Error())
		return
	}
	finished = true
	c.Ledger.Finish(id, ledger.Record[T]{Value: value, Fingerprint: fingerprint})
	w.Header().Set("Location", c.Path+"/"+id)
	server.WriteJSON(w, http.StatusCreated, value)
}

// busy answers that the same key is being worked on.
func (c *Collection[In, T]) busy(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "1")
	server.Fail(w, r, http.StatusConflict, "a request with this Idempotency-Key is still running")
}

// replay answers a repeated key with the first result.
func (c *Collection[In, T]) replay(w http.ResponseWriter, r *http.Request, same bool, value any) {
	if !same {
		server.Fail(w, r, http.StatusUnprocessableEntity, "this Idempotency-Key was used with another body")
		return
	}
	w.Header().Set("Idempotent-Replayed", "true")
	server.WriteJSON(w, http.StatusCreated, value)
}

var plainRecordID = regexp.MustCompile(`^[a-z]+_[0-9a-f]{24}$`)

func (c *Collection[In, T]) get(w http.ResponseWriter, r *http.Request) {
	id, fromReplica := r.PathValue("id"), r.Header.Get(peer.ReplicaHeader) != ""
	if !plainRecordID.MatchString(id) {
		server.Fail(w, r, http.StatusNotFound, "there is no such record")
		return
	}
	if fromReplica {
		c.Replicas.Sign(w)
	}
	record, found, busy := c.Ledger.Get(id)
	switch {
	case found:
		if fromReplica {
			w.Header().Set(peer.FingerprintHeader, record.Fingerprint)
		}
		server.WriteJSON(w, http.StatusOK, record.Value)
		return
	case busy && fromReplica:
		c.busy(w, r)
		return
	}
	if !fromReplica {
		switch there := c.Replicas.Ask(r.Context(), r.URL.Path); {
		case there.Body != nil:
			server.WriteJSON(w, http.StatusOK, there.Body)
			return
		case there.Missing:
			w.Header().Set("Retry-After", "1")
			server.Fail(w, r, http.StatusServiceUnavailable, "a replica that may hold the record has not answered")
			return
		}
	}
	server.Fail(w, r, http.StatusNotFound, "there is no such record")
}

// NewReplicas finds the other tasks of the service that env describes.
func NewReplicas(env server.Env, client *peer.Client) *peer.Replicas {
	return &peer.Replicas{
		Host: env.Host(), Port: env.Port, Name: env.Own(), ID: server.NewID("rep"), Client: client.HTTP,
	}
}
