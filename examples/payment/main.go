// Command payment is an example service: it takes payments.
package main

import (
	"context"
	"net/http"
	"os"
	"regexp"
	"time"

	"github.com/slipway-dev/slipway/examples/internal/collection"
	"github.com/slipway-dev/slipway/examples/internal/ledger"
	"github.com/slipway-dev/slipway/examples/internal/peer"
	"github.com/slipway-dev/slipway/examples/internal/server"
)

func main() { os.Exit(server.Main("payment", "8080", routes)) }

// limit is the largest amount that is captured, in the currency's smallest unit; more is declined.
const limit = 1_000_000

// Request asks for a payment.
type Request struct {
	Order    string `json:"order"`
	Amount   int64  `json:"amount"`   // in the currency's smallest unit, such as cents
	Currency string `json:"currency"` // ISO 4217
}

// Payment is what became of it.
type Payment struct {
	ID string `json:"id"`
	Request
	Status  string    `json:"status"` // captured or declined
	Created time.Time `json:"created"`
}

var currency = regexp.MustCompile(`^[A-Z]{3}$`)

func routes(_ context.Context, env server.Env) (http.Handler, error) {
	mux := http.NewServeMux()
	payments := collection.Collection[Request, Payment]{
		Path: "/payment/payments", Prefix: "pay", Ledger: ledger.New[Payment](collection.Capacity),
		Replicas: collection.NewReplicas(env, peer.NewClient(env.Log)), Check: check,
		Make: func(ctx context.Context, id string, in Request) (Payment, error) {
			p := Payment{ID: id, Request: in, Status: "captured", Created: time.Now().UTC()}
			if in.Amount > limit {
				p.Status = "declined"
			}
			env.Log.Info("payment", "request", server.RequestID(ctx), "id", id, "order", in.Order, "amount", in.Amount, "currency", in.Currency, "status", p.Status)
			return p, nil
		},
	}
	payments.Register(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		server.Fail(w, r, http.StatusNotFound, "POST /payment/payments, GET /payment/payments/{id}, GET /payment/health")
	})
	return mux, nil
}

func check(in Request) (wrong []server.FieldError) {
	if in.Order == "" || len(in.Order) > 64 {
		wrong = append(wrong, server.FieldError{Field: "/order", Detail: "1 to 64 characters"})
	}
	if in.Amount <= 0 || in.Amount > 1e12 {
		wrong = append(wrong, server.FieldError{Field: "/amount", Detail: "a positive number of the currency's smallest unit"})
	}
	if !currency.MatchString(in.Currency) {
		wrong = append(wrong, server.FieldError{Field: "/currency", Detail: "three capital letters, such as EUR"})
	}
	return wrong
}
