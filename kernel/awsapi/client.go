package awsapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi/sigv4"
)

// ClientConfig configures a Client.
type ClientConfig struct {
	Endpoint     string // http://127.0.0.1:4566
	Region       string
	AccessKey    string // empty: requests go unsigned
	SecretKey    string
	SessionToken string
	HTTP         *http.Client // nil: http.DefaultClient
}

// Client calls the API, any service and protocol, signed. It does not retry. It
// is safe for concurrent use.
type Client struct {
	config   ClientConfig
	mu       sync.Mutex
	services map[string]*Service // models by name, loaded when first called
}

// NewClient makes a Client. It does not connect.
func NewClient(c ClientConfig) *Client {
	if c.HTTP == nil {
		c.HTTP = http.DefaultClient
	}
	return &Client{config: c, services: map[string]*Service{}}
}

// Call calls one operation. An error that the API answers with is an *Error;
// other errors say that no answer came. A body or an event stream in the
// output must be read to its end or closed.
func Call[I, O any](ctx context.Context, c *Client, service, op string, in *I) (*O, error) {
	out := new(O)
	if err := c.call(ctx, service, op, in, out); err != nil {
		return nil, err
	}
	return out, nil
}

// call does what Call does for pointers to structs.
func (c *Client) call(ctx context.Context, service, op string, in, out any) error {
	s := c.service(service)
	m := s.model.Operations[op]
	if m == nil {
		return fmt.Errorf("%s has no operation %s", service, op)
	}
	e := &encoding{
		service: s, operation: m, protocol: protocolOf(s),
		in: s.plan(m.Input, reflect.TypeOf(in).Elem()), out: s.plan(m.Output, reflect.TypeOf(out).Elem()),
	}
	r, err := e.request(ctx, c.config.Endpoint, reflect.ValueOf(in).Elem())
	if err != nil {
		return fmt.Errorf("%s %s: %w", service, op, err)
	}
	c.sign(r, e)
	resp, err := c.config.HTTP.Do(r) //nolint:bodyclose // response reads it to its end and closes it, or the reader of its events does
	if err != nil {
		return fmt.Errorf("%s %s: %w", service, op, err)
	}
	if err := e.response(resp, out); err != nil {
		if _, ok := errors.AsType[*Error](err); ok {
			return err
		}
		return fmt.Errorf("%s %s: %w", service, op, err)
	}
	return nil
}

func (c *Client) service(name string) *Service {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.services[name] == nil {
		c.services[name] = NewService(name)
	}
	return c.services[name]
}

func (c *Client) sign(r *http.Request, e *encoding) {
	if c.config.AccessKey == "" {
		return
	}
	hash := sigv4.Unsigned
	if e.stream == nil {
		hash = sigv4.Hash(e.body)
	}
	key := sigv4.Key{AccessKey: c.config.AccessKey, Secret: c.config.SecretKey, SessionToken: c.config.SessionToken}
	sigv4.Sign(r, key, e.service.model.Metadata.Scope(), c.config.Region, hash, time.Now())
}

// protocolOf is the protocol that a Client speaks to a service.
func protocolOf(s *Service) protocol {
	switch s.model.Metadata.Protocol {
	case "json":
		return jsonRPC
	case "smithy-rpc-v2-cbor":
		return cborRPC
	case "query":
		return query
	case "ec2":
		return ec2Query
	case "rest-json":
		return restJSON
	}
	return restXML
}

// maxAnswer bounds an answer that is not streamed.
const maxAnswer = 64 << 20

func readAnswer(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	return body, nil
}
