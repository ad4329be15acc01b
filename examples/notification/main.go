// Command notification is an example service: it tells customers what happened. Sending is a line in its log.
package main

import (
	"context"
	"net/http"
	"os"
	"time"

	"github.com/slipway-dev/slipway/examples/internal/collection"
	"github.com/slipway-dev/slipway/examples/internal/ledger"
	"github.com/slipway-dev/slipway/examples/internal/peer"
	"github.com/slipway-dev/slipway/examples/internal/server"
)

func main() { os.Exit(server.Main("notification", "8082", routes)) }

// Request asks for a notification.
type Request struct {
	Recipient string `json:"recipient"`
	Message   string `json:"message"`
	Order     string `json:"order,omitempty"`
}

// Notification is one that was sent.
type Notification struct {
	ID string `json:"id"`
	Request
	Status  string    `json:"status"` // sent
	Created time.Time `json:"created"`
}

func routes(_ context.Context, env server.Env) (http.Handler, error) {
	mux := http.NewServeMux()
	notifications := collection.Collection[Request, Notification]{
		Path: "/notification/notifications", Prefix: "ntf", Ledger: ledger.New[Notification](collection.Capacity),
		Replicas: collection.NewReplicas(env, peer.NewClient(env.Log)), Check: check,
		Make: func(ctx context.Context, id string, in Request) (Notification, error) {
			env.Log.Info("notification sent", "request", server.RequestID(ctx), "id", id, "recipient", in.Recipient, "order", in.Order)
			return Notification{ID: id, Request: in, Status: "sent", Created: time.Now().UTC()}, nil
		},
	}
	notifications.Register(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		server.Fail(w, r, http.StatusNotFound, "POST /notification/notifications, GET /notification/notifications/{id}, GET /notification/health")
	})
	return mux, nil
}

func check(in Request) (wrong []server.FieldError) {
	if in.Recipient == "" || len(in.Recipient) > 320 {
		wrong = append(wrong, server.FieldError{Field: "/recipient", Detail: "1 to 320 characters"})
	}
	if in.Message == "" || len(in.Message) > 4096 {
		wrong = append(wrong, server.FieldError{Field: "/message", Detail: "1 to 4096 characters"})
	}
	return wrong
}
