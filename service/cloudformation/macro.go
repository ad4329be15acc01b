package cloudformation

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
)

// process expands a template's macros, and parses what has become of it. What is wrong with it is a *template.MacroError when it has macros.
func (s *Service) process(ctx context.Context, st Stack, d *Deployment, src *template.Source) (*template.Template, error) {
	if len(src.Transforms()) == 0 {
		t, err := template.Parse(src.Body, template.Limits{})
		if err != nil {
			return nil, clientError(err)
		}
		return t, s.check(t)
	}
	var fetch func(string) (string, error)
	if s.Fetch != nil {
		fetch = func(location string) (string, error) { return s.Fetch(ctx, location) }
	}
	body, err := src.Expand(s.inputs(st, *d), fetch)
	if err != nil {
		return nil, clientError(err)
	}
	d.Processed = digest(body)
	t, err := template.ParseProcessed(body, template.Limits{})
	if err != nil {
		return nil, late(*d, clientError(err))
	}
	return t, late(*d, s.check(t))
}

// late makes the refusal of a template with macros a failure of its processing: that is when CloudFormation finds it.
func late(d Deployment, err error) error {
	if e, ok := errors.AsType[*awsapi.Error](err); ok && d.Processed != "" {
		return &template.MacroError{Message: e.Message}
	}
	return err
}

// macroFailure is the failure of a template's processing; nil for any other error, and for none.
func macroFailure(err error) *template.MacroError {
	e, _ := errors.AsType[*template.MacroError](err)
	return e
}

// transformed records how the processing of an operation's template went: it is told, and one that failed makes the operation turn back.
func transformed(tx *store.Tx, st *Stack, op Operation, d Deployment, failed *template.MacroError, at time.Time) {
	switch {
	case failed != nil:
		setStatus(tx, st, op, at, st.Status, failed.Message)
		op.Phase, op.Reason = Stopping, strings.TrimSuffix(failed.Message, ".")+". "
		Operations.Put(tx, op)
	case d.Processed != "":
		setStatus(tx, st, op, at, st.Status, "Transformation succeeded")
	}
}

// keepTemplate stores the template of a deployment, and what its macros made of it.
func keepTemplate(tx *store.Tx, st Stack, d Deployment, body string, bound *template.Bound) {
	Templates.Put(tx, Template{st.Key(), d.Template, body})
	if d.Processed != "" && bound != nil {
		Templates.Put(tx, Template{st.Key(), d.Processed, bound.Source})
	}
}

// deployed is the hash of the template that is deployed: the processed one when there are macros.
func (d Deployment) deployed() string {
	if d.Processed != "" {
		return d.Processed
	}
	return d.Template
}
