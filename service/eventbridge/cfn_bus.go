package eventbridge

import (
	"context"
	"encoding/json"

	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// busProperties is AWS::Events::EventBus.
type busProperties struct {
	Name        string `cfn:"id,createOnly,required"`
	Description string
	Policy      any
	Tags        []cfn.Tag
	Arn         string `cfn:"readOnly"`
}

type busResource struct{ s *Service }

var _ cfn.Updater[busProperties] = busResource{}

// Create makes the bus; one of these tags that is there was made before a restart.
func (h busResource) Create(ctx context.Context, p *busProperties) error {
	q, _ := cfn.From(ctx)
	if _, err := policyText(p); err != nil {
		return err
	}
	if have, err := Buses.Get(h.s.Store.Snapshot(), busKey(scope(ctx), p.Name)); err != nil || !q.Owns(have.Tags) {
		if _, err := h.s.CreateEventBus(ctx, &api.CreateEventBusInput{Name: &p.Name, Description: opt(p.Description), Tags: tagset.List[api.Tag](q.AllTags(p.Tags))}); err != nil {
			return err
		}
	}
	return cfn.HalfMade(h.apply(ctx, p))
}

func policyText(p *busProperties) (string, error) {
	switch policy := p.Policy.(type) {
	case nil:
		return "", nil
	case string:
		return policy, nil
	default:
		text, err := json.Marshal(policy)
		return string(text), err
	}
}

// apply sets what can change.
func (h busResource) apply(ctx context.Context, p *busProperties) error {
	q, _ := cfn.From(ctx)
	text, err := policyText(p)
	if err != nil {
		return err
	}
	if text != "" {
		if err := h.s.checkPolicy(text); err != nil {
			return err
		}
	}
	err = h.s.changeBus(ctx, &p.Name, func(b *Bus) error {
		b.Description, b.Policy, b.Tags = p.Description, text, q.AllTags(p.Tags)
		return nil
	})
	p.Arn = busARN(scope(ctx), p.Name)
	return err
}

func (h busResource) Read(ctx context.Context, p *busProperties) error {
	b, err := findBus(h.s.Store.Snapshot(), scope(ctx), &p.Name)
	if err != nil {
		return err
	}
	*p = busProperties{Name: b.Name, Description: b.Description, Tags: cfn.TagsOf(b.Tags), Arn: b.ARN()}
	if b.Policy != "" {
		_ = json.Unmarshal([]byte(b.Policy), &p.Policy) // it was checked when it was put
	}
	return nil
}

func (h busResource) Update(ctx context.Context, _, after *busProperties) error {
	return h.apply(ctx, after)
}

func (h busResource) Delete(ctx context.Context, p *busProperties) error {
	_, err := h.s.DeleteEventBus(ctx, &api.DeleteEventBusInput{Name: &p.Name})
	return err
}
