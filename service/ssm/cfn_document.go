package ssm

import (
	"context"
	"encoding/json"

	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// documentProperties is AWS::SSM::Document, of automations alone.
type documentProperties struct {
	Name           string `cfn:"id,createOnly"`
	Content        any    `cfn:"required"`
	DocumentType   string `cfn:"createOnly"`
	DocumentFormat string
	UpdateMethod   string
	Tags           []cfn.Tag
}

type documentResource struct{ s *Service }

var _ cfn.Updater[documentProperties] = documentResource{}

// text is the document as JSON; a template may give it as text.
func (p *documentProperties) text() (string, error) {
	if text, ok := p.Content.(string); ok {
		return text, nil
	}
	b, err := json.Marshal(p.Content)
	return string(b), err
}

func (r documentResource) Create(ctx context.Context, p *documentProperties) error {
	q, _ := cfn.From(ctx)
	given := p.Name
	if given == "" {
		p.Name = q.Name(128)
	}
	if have, err := Documents.Get(r.s.Store.Snapshot(), scope(ctx).Key("document", p.Name)); err == nil && !q.Owns(have.Tags) {
		p.Name = given
		return fault("DocumentAlreadyExists", "The specified document already exists.")
	}
	return r.Update(ctx, nil, p)
}

func (r documentResource) Update(ctx context.Context, _, after *documentProperties) error {
	q, _ := cfn.From(ctx)
	switch {
	case after.DocumentType != "Automation":
		return errDocument("Documents of type %s are not supported by this engine yet, only those of type Automation.", after.DocumentType)
	case after.DocumentFormat != "" && after.DocumentFormat != "JSON":
		return errDocument("Documents of format %s are not supported by this engine yet, only JSON.", after.DocumentFormat)
	}
	text, err := after.text()
	if err != nil {
		return errDocument("The content of the document is not valid: %s", err)
	}
	if _, err := r.s.automation(text); err != nil {
		return err
	}
	return r.s.Store.Update(func(tx *store.Tx) error {
		Documents.Put(tx, Document{Scope: scope(ctx), Name: after.Name, Content: text, Tags: q.AllTags(after.Tags)})
		return nil
	})
}

func (r documentResource) Read(ctx context.Context, p *documentProperties) error {
	d, err := Documents.Get(r.s.Store.Snapshot(), scope(ctx).Key("document", p.Name))
	if err != nil {
		return err
	}
	p.Tags = cfn.TagsOf(d.Tags)
	return json.Unmarshal([]byte(d.Content), &p.Content)
}

func (r documentResource) Delete(ctx context.Context, p *documentProperties) error {
	return r.s.Store.Update(func(tx *store.Tx) error {
		Documents.Delete(tx, scope(ctx).Key("document", p.Name))
		return nil
	})
}
