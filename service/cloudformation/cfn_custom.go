package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
)

const customType = "AWS::CloudFormation::CustomResource"

// customName is what Custom::String may be.
var customName = regexp.MustCompile(`^Custom::[A-Za-z0-9_@-]{1,60}$`)

// customResource is a resource that a provider outside of the engine makes. See "Custom resources" in the CloudFormation user guide.
type customResource struct {
	ID             string         `cfn:"id,kept"`
	ServiceToken   string         `cfn:"required"` // http:// or https:// address of the provider
	ServiceTimeout string         // seconds
	Properties     map[string]any `cfn:"rest"`
	Data           map[string]any `cfn:"readOnly,open"`
}

type customResources struct{ *Service }

var _ cfn.Updater[customResource] = customResources{}

// lookup is the resource type with a name; those of custom resources are all the same.
func (s *Service) lookup(name string) (cfn.Type, bool) {
	if customName.MatchString(name) {
		name = customType
	}
	t, ok := s.types[name]
	return t, ok
}

// typeOf is the resource type with a name, the zero Type when there is none.
func (s *Service) typeOf(name string) cfn.Type {
	t, _ := s.lookup(name)
	return t
}

// wait is how long the provider may take.
func (p *customResource) wait() (time.Duration, error) {
	if p.ServiceTimeout == "" {
		return time.Hour, nil
	}
	n, err := strconv.Atoi(p.ServiceTimeout)
	if err != nil || n < 1 || n > 3600 {
		return 0, &template.Error{Message: fmt.Sprintf("ServiceTimeout must be a number of seconds between 1 and 3600, not %s", p.ServiceTimeout)}
	}
	return time.Duration(n) * time.Second, nil
}

// given are the properties as the provider gets them: scalars are strings, as AWS sends them.
func (p *customResource) given() map[string]any {
	out := map[string]any{"ServiceToken": p.ServiceToken}
	if p.ServiceTimeout != "" {
		out["ServiceTimeout"] = p.ServiceTimeout
	}
	for k, v := range p.Properties {
		out[k] = stringly(v)
	}
	return out
}

func stringly(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, item := range x {
			out[k] = stringly(item)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, item := range x {
			out[i] = stringly(item)
		}
		return out
	case nil:
		return nil
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case json.Number:
		return x.String()
	default:
		return fmt.Sprint(x)
	}
}

func (h customResources) Create(ctx context.Context, p *customResource) error {
	r, _ := cfn.From(ctx)
	a, err := h.askProvider(ctx, p, providerRequest{RequestType: "Create"})
	if a.PhysicalResourceID != "" {
		p.ID = a.PhysicalResourceID
	} else if a.Status == "FAILED" {
		p.ID = r.Name(64) // there may be something of it: the way back asks for its deletion
	}
	if err != nil {
		return err
	}
	if p.ID == "" {
		p.ID = r.Name(64)
		return &template.Error{Message: "Vendor response doesn't contain PhysicalResourceId attribute"}
	}
	p.Data = a.Data
	return nil
}

// Intangible says that only the provider could tell what there is.
func (customResources) Intangible() {}

func (customResources) Read(context.Context, *customResource) error { return nil }

// Update may answer with another physical id: what had the old one is deleted when the update is complete.
func (h customResources) Update(ctx context.Context, before, after *customResource) error {
	if before.ServiceToken != after.ServiceToken {
		return &template.Error{Message: "Modifying service token is not allowed."}
	}
	a, err := h.askProvider(ctx, after, providerRequest{RequestType: "Update", PhysicalResourceID: before.ID, OldResourceProperties: before.given()})
	if err != nil {
		return err
	}
	if a.PhysicalResourceID != "" {
		after.ID = a.PhysicalResourceID
	}
	after.Data = a.Data
	return nil
}

func (h customResources) Delete(ctx context.Context, p *customResource) error {
	_, err := h.askProvider(ctx, p, providerRequest{RequestType: "Delete", PhysicalResourceID: p.ID})
	return err
}

// checkToken refuses service tokens that this engine cannot call.
func checkToken(token string) error {
	switch {
	case strings.HasPrefix(token, "http://"), strings.HasPrefix(token, "https://"):
		return nil
	case strings.HasPrefix(token, "arn:"):
		return &template.Error{Message: fmt.Sprintf("ServiceToken %s cannot be called: this engine has neither Lambda functions nor SNS topics. "+
			"Run the provider as a container or a process that takes the request by HTTP POST, and give its address as ServiceToken, http://localhost:8080/.", token)}
	}
	return &template.Error{Message: "Invalid service token. " + token + " is no http:// or https:// address"}
}
