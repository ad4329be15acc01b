package cloudformation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
)

// responseCallback is the kind of addresses that providers answer to.
const responseCallback = "response"

// answerPoll is how often a handler looks whether its provider has answered.
const answerPoll = 50 * time.Millisecond

// providerRequest is what a provider is sent (Custom resource request objects, CloudFormation user guide).
type providerRequest struct {
	RequestType           string
	ResponseURL           string
	StackID               string `json:"StackId"`
	RequestID             string `json:"RequestId"`
	ResourceType          string
	LogicalResourceID     string         `json:"LogicalResourceId"`
	PhysicalResourceID    string         `json:"PhysicalResourceId,omitempty"`
	ResourceProperties    map[string]any `json:",omitempty"`
	OldResourceProperties map[string]any `json:",omitempty"`
}

// providerAnswer is what a provider answers: as the body of its HTTP response, or later by PUT to ResponseURL.
type providerAnswer struct {
	Status             string // SUCCESS, FAILED
	Reason             string
	PhysicalResourceID string         `json:"PhysicalResourceId"`
	Data               map[string]any `json:",omitempty"`
}

// Answer is what a provider said of a request. It is kept until the operation ends, so that a restart asks nothing twice that was answered.
type Answer struct {
	Stack     string // key of the stack
	LogicalID string
	Request   string
	Body      json.RawMessage
}

// askProvider sends a request and waits for its answer.
func (s *Service) askProvider(ctx context.Context, p *customResource, q providerRequest) (providerAnswer, error) {
	if err := checkToken(p.ServiceToken); err != nil {
		return providerAnswer{}, err
	}
	wait, err := p.wait()
	if err != nil {
		return providerAnswer{}, err
	}
	r, _ := cfn.From(ctx)
	stack, _ := stackKey(r.StackID)
	q.RequestID = hashID("custom", r.Operation, r.Token, r.PhysicalID, q.RequestType, fmt.Sprint(r.Reverting))
	q.StackID, q.ResourceType, q.LogicalResourceID, q.ResourceProperties = r.StackID, r.Type, r.LogicalID, p.given()
	if q.ResponseURL, err = s.callbackURL(callback{Kind: responseCallback, Stack: stack, LogicalID: r.LogicalID, Token: q.RequestID}); err != nil {
		return providerAnswer{}, err
	}
	c := callback{Kind: responseCallback, Stack: stack, LogicalID: r.LogicalID, Token: q.RequestID}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errNoAnswer)
	defer cancel()
	a, ok := s.answered(c)
	if !ok {
		if err := s.send(ctx, p.ServiceToken, q, c); err != nil {
			return providerAnswer{}, unanswered(ctx, q, err)
		}
	}
	for tick := time.NewTicker(answerPoll); !ok; a, ok = s.answered(c) {
		select {
		case <-ctx.Done():
			tick.Stop()
			return providerAnswer{}, unanswered(ctx, q, ctx.Err())
		case <-tick.C:
		}
	}
	if a.Status == "FAILED" {
		return a, &template.Error{Message: fmt.Sprintf("Received response status [FAILED] from custom resource. Message returned: %s (RequestId: %s)", a.Reason, q.RequestID)}
	}
	return a, nil
}

var errNoAnswer = errors.New("no answer in time")

func unanswered(ctx context.Context, q providerRequest, err error) error {
	if errors.Is(context.Cause(ctx), errNoAnswer) {
		return &template.Error{Message: fmt.Sprintf("CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [%s]. "+
			"If you are using the Python cfn-response module, you may need to update your Lambda function code so that CloudFormation can attach the updated version.", q.RequestID)}
	}
	return err
}

// send POSTs a request. A provider that answers at once says so in the body.
func (s *Service) send(ctx context.Context, address string, q providerRequest, c callback) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(encode(q)))
	if err != nil {
		return &template.Error{Message: fmt.Sprintf("Invalid service token. %v", err)}
	}
	req.Header.Set("Content-Type", "application/json")
	transport := s.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &template.Error{Message: fmt.Sprintf("The provider of the custom resource does not answer: %v", err)}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxCallback))
	if err != nil || res.StatusCode >= http.StatusBadRequest {
		return &template.Error{Message: fmt.Sprintf("The provider of the custom resource answers %s to the request: %.200s", res.Status, body)}
	}
	var message map[string]any
	if json.Unmarshal(body, &message) != nil || message["Status"] == nil {
		return nil // it will answer to ResponseURL
	}
	return s.answer(c, message)
}

// answered is the answer to a request, as far as there is one.
func (s *Service) answered(c callback) (a providerAnswer, ok bool) {
	row, err := Answers.Get(s.Store.Snapshot(), c.Stack+"/"+c.LogicalID+"/"+c.Token)
	if err != nil {
		return a, false
	}
	return a, json.Unmarshal(row.Body, &a) == nil
}

// answer keeps what a provider said; the first word counts.
func (s *Service) answer(c callback, message map[string]any) error {
	raw := encode(message)
	var a providerAnswer
	if err := json.Unmarshal(raw, &a); err != nil || (a.Status != "SUCCESS" && a.Status != "FAILED") {
		return invalid("an answer is {\"Status\": \"SUCCESS\" or \"FAILED\", \"Reason\": \"...\", \"PhysicalResourceId\": \"...\", \"Data\": {}}")
	}
	return s.Store.Update(func(tx *store.Tx) error {
		row := Answer{Stack: c.Stack, LogicalID: c.LogicalID, Request: c.Token, Body: raw}
		if _, err := Operations.Get(tx, c.Stack); err != nil {
			return invalid("nobody waits for this answer any more")
		}
		if _, err := Answers.Get(tx, Answers.Key(row)); err != nil {
			Answers.Put(tx, row)
		}
		return nil
	})
}
