package engine

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// recordLine is a line of a record: client, or "engine"; service; operation; outcome.
const recordLine = "%s\t%s\t%s\t%s\n"

// Outcomes in a record.
const (
	recordImplemented = "implemented"     // of the engine: it answers the operation
	recordMissing     = "not implemented" // of the engine, and of a client that called it nevertheless
	recordWorks       = "works"           // a client called it and got its output
)

// observer appends to the file of Settings.Record what the engine answers, and then what
// each client has called with which outcome, once each. The page of compatibility is made
// of it (tests/compatibility). It is nil when nothing is to be recorded.
func (e *Engine) observer() func(awsapi.Observation) {
	if e.set.Record == "" {
		return nil
	}
	r := &record{said: map[string]bool{}}
	var err error
	if r.file, err = os.OpenFile(e.set.Record, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		e.log.Warn("what clients call is not recorded", "err", err)
		return nil
	}
	e.closers = append(e.closers, r.file.Close)
	var all strings.Builder
	for _, o := range awsapi.Coverage(e.apis...) {
		outcome := recordMissing
		if o.Implemented {
			outcome = recordImplemented
		}
		fmt.Fprintf(&all, recordLine, "engine", o.Service, o.Operation, outcome)
	}
	if _, err := r.file.WriteString(all.String()); err != nil {
		e.log.Warn("what clients call is not recorded", "err", err)
	}
	return func(o awsapi.Observation) {
		outcome := recordWorks
		switch {
		case !o.Implemented:
			outcome = recordMissing
		case o.Err != nil:
			return // whether it should have worked nobody knows
		}
		if client := clientOf(o.UserAgent); client != "" {
			r.say(fmt.Sprintf(recordLine, client, o.Service, o.Operation, outcome))
		}
	}
}

type record struct {
	mu   sync.Mutex
	file *os.File
	said map[string]bool
}

// say appends a line that was not said yet.
func (r *record) say(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.said[line] {
		r.said[line] = true
		_, _ = r.file.WriteString(line) // a record that ends is found short by who reads it
	}
}

// clientOf is the client by its User-Agent, "" if it is none of those that are
// recorded. Some are made of others, and come first.
func clientOf(agent string) string {
	for _, c := range []struct{ mark, client string }{
		{"terraform-provider-aws/", "Terraform"},
		{"Terraform/", "Terraform"},
		{"aws-cdk/", "CDK"},
		{"aws-cli/1.", "aws CLI 1"},
		{"aws-cli/2.", "aws CLI 2"},
		{"Boto3/", "boto3"},
		{"aws-sdk-go-v2/", "Go SDK"},
		{"aws-sdk-js/", "CDK"},
	} {
		if strings.Contains(agent, c.mark) {
			return c.client
		}
	}
	return ""
}
