package awsapi

import (
	"context"
	"errors"
	"net/http"
)

// ClientConfig configures a Client.
type ClientConfig struct {
	Endpoint     string // http://127.0.0.1:4566
	Region       string
	AccessKey    string
	SecretKey    string
	SessionToken string
	HTTP         *http.Client // nil: http.DefaultClient
}

// Client calls the API, any service and protocol, signed.
type Client struct{ config ClientConfig }

// NewClient makes a Client. It does not connect.
func NewClient(c ClientConfig) *Client { return &Client{config: c} }

// Call calls one operation. An error that the API answers with is an *Error.
func Call[I, O any](ctx context.Context, c *Client, service, op string, in *I) (*O, error) {
	return nil, errors.New("not yet")
}
