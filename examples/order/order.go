package main

import (
	"fmt"
	"regexp"
	"time"

	"github.com/slipway-dev/slipway/examples/internal/server"
)

// Request is what a customer orders.
type Request struct {
	Customer string `json:"customer"`
	Currency string `json:"currency,omitempty"` // ISO 4217; default EUR
	Items    []Item `json:"items"`
}

// Item is one line of an order.
type Item struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
	Price    int64  `json:"price"` // of one, in the currency's smallest unit
}

// Order is an order and how far it got.
type Order struct {
	ID string `json:"id"`
	Request
	Total        int64     `json:"total"`
	Status       string    `json:"status"` // paid or declined
	Paid         bool      `json:"paid"`
	Notified     bool      `json:"notified"`
	Payment      string    `json:"payment,omitempty"`      // id of the payment
	Notification string    `json:"notification,omitempty"` // id of the notification
	Created      time.Time `json:"created"`
}

var currency = regexp.MustCompile(`^[A-Z]{3}$`)

func check(in Request) (wrong []server.FieldError) {
	bad := func(field, detail string) { wrong = append(wrong, server.FieldError{Field: field, Detail: detail}) }
	if in.Customer == "" || len(in.Customer) > 320 {
		bad("/customer", "1 to 320 characters")
	}
	if in.Currency != "" && !currency.MatchString(in.Currency) {
		bad("/currency", "three capital letters, such as EUR")
	}
	if len(in.Items) == 0 || len(in.Items) > 100 {
		bad("/items", "1 to 100 items")
	}
	for i, item := range in.Items {
		at := fmt.Sprintf("/items/%d", i)
		if item.SKU == "" || len(item.SKU) > 64 {
			bad(at+"/sku", "1 to 64 characters")
		}
		if item.Quantity < 1 || item.Quantity > 1000 {
			bad(at+"/quantity", "1 to 1000")
		}
		if item.Price < 1 || item.Price > 1e8 {
			bad(at+"/price", "a positive number of the currency's smallest unit")
		}
	}
	return wrong
}
