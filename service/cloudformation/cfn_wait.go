package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
)

const (
	handleType    = "AWS::CloudFormation::WaitConditionHandle"
	conditionType = "AWS::CloudFormation::WaitCondition"
)

// waitHandle is AWS::CloudFormation::WaitConditionHandle: an address to PUT signals to. It is also used as a resource that does nothing, in templates whose
// other resources are conditional.
type waitHandle struct {
	URL string `json:"Id" cfn:"id,readOnly"`
}

type waitHandles struct{ *Service }

var _ cfn.Updater[waitHandle] = waitHandles{}

func (h waitHandles) Create(ctx context.Context, p *waitHandle) error {
	r, _ := cfn.From(ctx)
	key, _ := stackKey(r.StackID)
	url, err := h.callbackURL(callback{Kind: signalCallback, Stack: key, LogicalID: r.LogicalID})
	p.URL = url
	return err
}

// Intangible says that there is nothing to drift.
func (waitHandles) Intangible() {}

func (waitHandles) Read(context.Context, *waitHandle) error { return nil }

func (waitHandles) Update(context.Context, *waitHandle, *waitHandle) error { return nil }

func (h waitHandles) Delete(ctx context.Context, _ *waitHandle) error {
	r, _ := cfn.From(ctx)
	key, _ := stackKey(r.StackID)
	return h.Store.Update(func(tx *store.Tx) error {
		dropSignals(tx, key+"/"+r.LogicalID)
		return nil
	})
}

// waitCondition is AWS::CloudFormation::WaitCondition: it is made when its handle, or SignalResource when it has a creation policy, got enough signals.
type waitCondition struct {
	ID      string `json:"Id" cfn:"id,readOnly"`
	Handle  string
	Count   *int
	Timeout string    // seconds
	Data    any       `cfn:"readOnly"` // JSON text: unique id -> data
	Began   time.Time `cfn:"kept"`
}

// longestWait is AWS's limit.
const longestWait = 12 * time.Hour

type waitConditions struct{ *Service }

var (
	_ cfn.Settler[waitCondition] = waitConditions{}
	_ cfn.Updater[waitCondition] = waitConditions{}
)

func (h waitConditions) Create(ctx context.Context, p *waitCondition) error {
	r, _ := cfn.From(ctx)
	if r.Signals == nil {
		switch {
		case p.Handle == "":
			return &cfn.PropertyError{Message: "Property Handle cannot be empty."}
		case p.Timeout == "":
			return &cfn.PropertyError{Message: "Property Timeout cannot be empty."}
		}
		if _, err := h.callbackOf(p.Handle); err != nil {
			return &template.Error{Message: "Value of property Handle must be the Ref of a " + handleType + "."}
		}
	}
	if _, _, err := p.wants(r); err != nil {
		return err
	}
	p.ID, p.Began = r.StackID+"/"+r.LogicalID, time.Now()
	return nil
}

// wants is how many signals the condition waits for, and how long.
func (p *waitCondition) wants(r cfn.Request) (count int, wait time.Duration, err error) {
	if r.Signals != nil {
		return r.Signals.Count, r.Signals.Timeout, nil
	}
	seconds, err := strconv.Atoi(p.Timeout)
	if err != nil || seconds < 0 || time.Duration(seconds)*time.Second > longestWait {
		return 0, 0, &template.Error{Message: fmt.Sprintf("Value %s of property Timeout must be a number of seconds between 0 and %d", p.Timeout, int(longestWait.Seconds()))}
	}
	if count = 1; p.Count != nil {
		count = *p.Count
	}
	return count, time.Duration(seconds) * time.Second, nil
}

// target is where the condition's signals are kept.
func (h waitConditions) target(r cfn.Request, p *waitCondition) string {
	if r.Signals == nil {
		if c, err := h.callbackOf(p.Handle); err == nil {
			return c.Stack + "/" + c.LogicalID
		}
	}
	key, _ := stackKey(r.StackID)
	return key + "/" + r.LogicalID
}

// Settled counts the signals.
func (h waitConditions) Settled(ctx context.Context, p *waitCondition) (bool, error) {
	r, _ := cfn.From(ctx)
	count, wait, err := p.wants(r)
	if err != nil {
		return false, err
	}
	data, got := map[string]string{}, 0
	for sig := range Signals.List(h.Store.Snapshot(), h.target(r, p)+"/") {
		if sig.Status == "FAILURE" {
			if r.Signals != nil {
				return false, &template.Error{Message: fmt.Sprintf("Received %s signal with UniqueId %s", sig.Status, sig.UniqueID)}
			}
			return false, &template.Error{Message: fmt.Sprintf("WaitCondition received failed message: '%s' for uniqueId: %s", sig.Reason, sig.UniqueID)}
		}
		got++
		data[sig.UniqueID] = sig.Data
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return false, err
	}
	p.Data = string(raw)
	switch {
	case got >= count:
		return true, nil
	case time.Since(p.Began) < wait:
		return false, nil
	case r.Signals != nil:
		return false, &template.Error{Message: fmt.Sprintf("Failed to receive %d resource signal(s) within the specified duration", count-got)}
	}
	return false, &template.Error{Message: fmt.Sprintf("WaitCondition timed out. Received %d conditions when expecting %d", got, count)}
}

// Intangible says that there is nothing to drift.
func (waitConditions) Intangible() {}

func (waitConditions) Read(context.Context, *waitCondition) error { return nil }

// Update refuses: a wait condition is waited for once.
func (waitConditions) Update(_ context.Context, before, after *waitCondition) error {
	if before.Handle == after.Handle && before.Timeout == after.Timeout && cfn.Same(before.Count, after.Count) {
		after.Began, after.Data = before.Began, before.Data
		return nil
	}
	return &template.Error{Message: "Update to resource type " + conditionType + " is not supported."}
}

func (h waitConditions) Delete(ctx context.Context, _ *waitCondition) error {
	r, _ := cfn.From(ctx)
	key, _ := stackKey(r.StackID)
	return h.Store.Update(func(tx *store.Tx) error {
		dropSignals(tx, key+"/"+r.LogicalID)
		return nil
	})
}
