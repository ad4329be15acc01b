// Command order is an example service: it takes orders, has them paid by the payment service and confirmed by the notification service.
package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"

	"github.com/slipway-dev/slipway/examples/internal/collection"
	"github.com/slipway-dev/slipway/examples/internal/ledger"
	"github.com/slipway-dev/slipway/examples/internal/peer"
	"github.com/slipway-dev/slipway/examples/internal/server"
)

func main() { os.Exit(server.Main("order", "8081", routes)) }

func routes(ctx context.Context, env server.Env) (http.Handler, error) {
	client := peer.NewClient(env.Log)
	desk := &desk{
		client: client, log: env.Log, ledger: ledger.New[Order](collection.Capacity), late: make(chan late, lateOrders),
		payment: strings.TrimSuffix(env.Get("PAYMENT_URL"), "/"), notification: strings.TrimSuffix(env.Get("NOTIFICATION_URL"), "/"),
	}
	if desk.payment == "" || desk.notification == "" {
		return nil, errors.New("PAYMENT_URL and NOTIFICATION_URL must say where the other services are")
	}
	go desk.notifyLate(ctx)
	mux := http.NewServeMux()
	orders := collection.Collection[Request, Order]{
		Path: "/order/orders", Prefix: "ord", Ledger: desk.ledger, Replicas: collection.NewReplicas(env, client), Check: check, Make: desk.take,
	}
	orders.Register(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		server.Fail(w, r, http.StatusNotFound, "POST /order/orders, GET /order/orders/{id}, GET /order/health")
	})
	return mux, nil
}
