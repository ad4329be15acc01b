package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/slipway-dev/slipway/examples/internal/collection"
	"github.com/slipway-dev/slipway/examples/internal/ledger"
	"github.com/slipway-dev/slipway/examples/internal/peer"
	"github.com/slipway-dev/slipway/examples/internal/server"
)

const (
	orderTime  = 10 * time.Second // for paying and notifying together
	lateOrders = 1000             // paid orders whose confirmation may wait
	latePause  = 2 * time.Second
	lateTries  = 150
)

// desk takes orders. An order's calls carry idempotency keys made of its id, so a request that is repeated, by a client or by us, neither
// pays nor notifies twice.
type desk struct {
	client                *peer.Client
	log                   *slog.Logger
	ledger                *ledger.Ledger[Order]
	payment, notification string
	late                  chan late
}

// late is an order whose confirmation has to wait.
type late struct {
	order Order
	tries int
}

// take makes an order: it is refused while it cannot be paid, and accepted once it is, even if the confirmation has to wait.
func (d *desk) take(ctx context.Context, id string, in Request) (Order, error) {
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	if in.Currency == "" {
		in.Currency = "EUR"
	}
	o := Order{ID: id, Request: in, Created: time.Now().UTC()}
	for _, item := range in.Items {
		o.Total += item.Quantity * item.Price
	}
	var paid struct{ ID, Status string }
	err := d.client.Post(ctx, d.payment+"/payment/payments", id, map[string]any{"order": id, "amount": o.Total, "currency": in.Currency}, &paid)
	var status *peer.StatusError
	switch {
	case errors.As(err, &status) && status.Status == http.StatusUnprocessableEntity:
		return o, &collection.Error{Status: http.StatusUnprocessableEntity, Detail: "the payment was refused: " + status.Detail}
	case err != nil:
		d.log.Error("payment failed", "request", server.RequestID(ctx), "order", id, "error", err.Error())
		return o, &collection.Error{Status: http.StatusServiceUnavailable, Detail: "the order could not be paid now; repeat it with the same Idempotency-Key"}
	}
	o.Payment, o.Status, o.Paid = paid.ID, "paid", paid.Status == "captured"
	if !o.Paid {
		o.Status = "declined"
	}
	if notification, err := d.notify(ctx, o); err == nil {
		o.Notification, o.Notified = notification, true
	} else {
		d.log.Warn("confirmation waits", "request", server.RequestID(ctx), "order", id, "error", err.Error())
		d.wait(late{order: o})
	}
	d.log.Info("order", "request", server.RequestID(ctx), "id", id, "total", o.Total, "status", o.Status, "notified", o.Notified)
	return o, nil
}

func (d *desk) notify(ctx context.Context, o Order) (string, error) {
	var sent struct{ ID string }
	message := fmt.Sprintf("Your order %s over %d.%02d %s is %s.", o.ID, o.Total/100, o.Total%100, o.Currency, o.Status)
	err := d.client.Post(ctx, d.notification+"/notification/notifications", o.ID,
		map[string]any{"recipient": o.Customer, "message": message, "order": o.ID}, &sent)
	return sent.ID, err
}

// wait queues an order for a later confirmation; when the queue is full, the order stays unconfirmed and says so.
func (d *desk) wait(l late) {
	if l.tries++; l.tries > lateTries {
		d.log.Error("confirmation given up", "order", l.order.ID)
		return
	}
	select {
	case d.late <- l:
	default:
		d.log.Error("confirmation dropped", "order", l.order.ID, "waiting", lateOrders)
	}
}

// notifyLate sends the confirmations that failed, until each is sent or the service ends. An order that is not in the ledger yet is tried
// again: its idempotency key keeps the second confirmation from being sent.
func (d *desk) notifyLate(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-d.late:
			notification, err := d.notify(ctx, l.order)
			if err == nil && d.ledger.Update(l.order.ID, func(o Order) Order {
				o.Notification, o.Notified = notification, true
				return o
			}) {
				continue
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(latePause):
				d.wait(l)
			}
		}
	}
}
