package eventbridge

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/iam"
)

// statement is one of a bus's policy, in the form that PutPermission writes.
type statement struct {
	Sid       string
	Effect    string
	Principal any
	Action    any
	Resource  any
	Condition any `json:",omitempty"`
}

type document struct {
	Version   string
	Statement []statement
}

const maxPolicy = 10240 // bytes

// PutPermission lets another account, or all, put events, or replaces the
// bus's whole policy.
func (s *Service) PutPermission(ctx context.Context, in *api.PutPermissionInput) (*api.PutPermissionOutput, error) {
	whole := val(in.Policy) != ""
	switch {
	case whole && (in.Action != nil || in.Principal != nil || in.StatementId != nil || in.Condition != nil):
		return nil, invalid("Parameter Policy can't be specified with Action, Principal, StatementId or Condition.")
	case whole:
		if err := s.checkPolicy(*in.Policy); err != nil {
			return nil, err
		}
	case val(in.Action) != "events:PutEvents":
		return nil, invalid("Provided value in parameter 'action' is not supported.")
	case val(in.StatementId) == "" || val(in.Principal) == "":
		return nil, invalid("Parameters StatementId and Principal must be specified.")
	case in.Condition != nil && (val(in.Condition.Type) != "StringEquals" || val(in.Condition.Key) != "aws:PrincipalOrgID"):
		return nil, invalid("Parameter Condition is not valid: it is StringEquals of aws:PrincipalOrgID.")
	case in.Condition != nil:
		return nil, invalid("Condition of event bus %s is not supported by this engine yet: it knows no organizations.", busName(in.EventBusName))
	}
	return nil, s.changeBus(ctx, in.EventBusName, func(b *Bus) error {
		if whole {
			b.Policy = *in.Policy
			return nil
		}
		var principal any = "*"
		if *in.Principal != "*" {
			principal = map[string]string{"AWS": arn.Scope{Account: *in.Principal}.GlobalARN("iam", "root")}
		}
		return b.state(func(d *document) error {
			d.Statement = slices.DeleteFunc(d.Statement, func(st statement) bool { return st.Sid == *in.StatementId })
			d.Statement = append(d.Statement, statement{*in.StatementId, "Allow", principal, *in.Action, b.ARN(), nil})
			return nil
		})
	})
}

func (s *Service) checkPolicy(text string) error {
	if len(text) > maxPolicy {
		return fault("PolicyLengthExceededException", "Policy length exceeds the maximum of %d bytes.", maxPolicy)
	}
	snap := s.Store.Snapshot()
	if err := iam.CheckResourcePolicy(text, func(name string) bool { return iam.Known(snap, name) }); err != nil {
		return invalid("Parameter Policy is not valid: %s", err)
	}
	return nil
}

// state changes the statements of a bus's policy.
func (b *Bus) state(fn func(d *document) error) error {
	d := document{Version: "2012-10-17"}
	if b.Policy != "" {
		if err := json.Unmarshal([]byte(b.Policy), &d); err != nil {
			return invalid("The policy of event bus %s is not a list of statements: replace it by parameter Policy.", b.Name)
		}
	}
	if err := fn(&d); err != nil {
		return err
	}
	if b.Policy = ""; len(d.Statement) == 0 {
		return nil
	}
	text, err := json.Marshal(d)
	if err == nil && len(text) > maxPolicy {
		err = fault("PolicyLengthExceededException", "Policy length exceeds the maximum of %d bytes.", maxPolicy)
	}
	b.Policy = string(text)
	return err
}

// RemovePermission takes back what PutPermission has given.
func (s *Service) RemovePermission(ctx context.Context, in *api.RemovePermissionInput) (*api.RemovePermissionOutput, error) {
	return nil, s.changeBus(ctx, in.EventBusName, func(b *Bus) error {
		if val(in.RemoveAllPermissions) {
			b.Policy = ""
			return nil
		}
		return b.state(func(d *document) error {
			left := slices.DeleteFunc(slices.Clone(d.Statement), func(st statement) bool { return st.Sid == val(in.StatementId) })
			if len(left) == len(d.Statement) {
				return fault("ResourceNotFoundException", "Statement with the provided id does not exist.")
			}
			d.Statement = left
			return nil
		})
	})
}

// target is the bus that an entry of PutEvents is for, which may be another
// account's when its policy lets the caller.
func (s *Service) target(ctx context.Context, r store.Reader, given *string) (Bus, error) {
	in := scope(ctx)
	if a, err := arn.Parse(val(given)); err == nil && a.Service == "events" && strings.HasPrefix(a.Resource, "event-bus/") {
		in = a.Scope()
	}
	b, err := findBus(r, in, given)
	if err != nil {
		return b, err
	}
	if s.AnyAuth {
		return b, nil
	}
	c := awsapi.CallerOf(ctx)
	keys := map[string]string{"aws:securetransport": "true", "aws:currenttime": time.Now().UTC().Format(time.RFC3339), "aws:userid": c.UserID}
	err = iam.Decide(r, iam.Access{Caller: c.ARN, Action: "events:PutEvents", Resource: b.ARN(), Owner: in.Account, Region: in.Region, Policy: b.Policy, Context: keys})
	if err != nil {
		return b, awsapi.Errorf("AccessDeniedException", 400, "%s", strings.ReplaceAll(err.Error(), `"`, ""))
	}
	return b, nil
}
