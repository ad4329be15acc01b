package appmesh

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// attributes are what GetAtt answers of every type. Ref is the ARN.
type attributes struct {
	Arn           string `cfn:"id,readOnly"`
	ID            string `json:"Id" cfn:"readOnly"` // the ARN, once more
	UID           string `json:"Uid" cfn:"readOnly"`
	ResourceOwner string `cfn:"readOnly"`
}

// fields points at the properties that every type has under names of its own.
// parent is nil for what belongs to a mesh alone, mesh for the mesh itself.
type fields struct {
	*attributes
	mesh, owner, parent, name *string
	tags                      *[]cfn.Tag
}

// resource is the handler of all types: P has its properties as a template
// spells them, Spec among them, and S is the API's spec. Names cannot be
// changed, everything else can in place.
type resource[P, S any] struct {
	s      *Service
	kind   *kind[S]
	fields func(*P) fields
	spec   func(*P) any // what the template says
	setAny func(*P, S)  // what there is, as the template would say it
	shape  string       // the API's name of S
}

// model holds templates to the API's model, which clients are held to before
// an operation is called.
var model = sync.OnceValue(func() *awsapi.Service { return awsapi.NewService("appmesh") })

// asked is the resource that the properties describe.
func (h resource[P, S]) asked(ctx context.Context, p *P) (Resource[S], error) {
	f := h.fields(p)
	r := Resource[S]{Scope: scope(ctx), Name: *f.name, Spec: like[S](h.spec(p))}
	r.Mesh = r.Name
	if f.mesh != nil {
		r.Mesh = *f.mesh
	}
	if f.parent != nil {
		r.Parent = *f.parent
	}
	return r, model().Check(h.shape, &r.Spec)
}

func (h resource[P, S]) Create(ctx context.Context, p *P) error {
	req, _ := cfn.From(ctx)
	f := h.fields(p)
	if *f.name == "" {
		*f.name = req.Name(255)
	}
	want, err := h.asked(ctx, p)
	if err != nil {
		return err
	}
	want.Token = req.Token
	r, err := create(ctx, h.s, h.kind, f.accountOf(), want, tagset.List[api.TagRef](req.AllTags(*f.tags)))
	if err == nil {
		f.fill(r.Scope, r.ARN(), r.UID)
	}
	return err
}

// accountOf is the mesh's owner if the template names one.
func (f fields) accountOf() *string {
	if f.mesh == nil || *f.owner == "" {
		return nil
	}
	return f.owner
}

// fill fills in what Create and Read find out.
func (f fields) fill(sc arn.Scope, name, uid string) {
	*f.attributes = attributes{Arn: name, ID: name, UID: uid, ResourceOwner: sc.Account}
	*f.owner = sc.Account
}

func (h resource[P, S]) Read(_ context.Context, p *P) error {
	r, err := h.kind.table.Get(h.s.store.Snapshot(), named[S](h.fields(p).Arn).key())
	if err != nil {
		return err
	}
	*p = *new(P)
	f := h.fields(p)
	*f.name = r.Name
	if f.mesh != nil {
		*f.mesh = r.Mesh
	}
	if f.parent != nil {
		*f.parent = r.Parent
	}
	f.fill(r.Scope, r.ARN(), r.UID)
	*f.tags = ownTags(r.Tags)
	h.setAny(p, r.Spec)
	return nil
}

// named is the place of a resource with an ARN that ARN made.
func named[S any](name string) Resource[S] {
	a, _ := arn.Parse(name) // ours: it is one
	parts := strings.Split(a.Resource, "/")
	r := Resource[S]{Scope: a.Scope(), Name: parts[len(parts)-1]}
	if len(parts) > 1 {
		r.Mesh = parts[1]
	}
	if len(parts) > 5 {
		r.Parent = parts[3]
	}
	return r
}

func (h resource[P, S]) Update(ctx context.Context, _, after *P) error {
	req, _ := cfn.From(ctx)
	want, err := h.asked(ctx, after)
	if err != nil {
		return err
	}
	want.Token = req.Token
	if _, err := update(ctx, h.s, h.kind, nil, want); err != nil {
		return err
	}
	f := h.fields(after)
	return h.s.retag(ctx, f.Arn, func(map[string]string) (map[string]string, error) {
		return maps.Clone(req.AllTags(*f.tags)), nil
	})
}

func (h resource[P, S]) Delete(ctx context.Context, p *P) error {
	f := h.fields(p)
	want := Resource[S]{Name: *f.name, Mesh: *f.name}
	if f.mesh != nil {
		want.Mesh = *f.mesh
	}
	if f.parent != nil {
		want.Parent = *f.parent
	}
	_, err := remove(ctx, h.s, h.kind, nil, want)
	if errors.Is(err, &awsapi.Error{Code: "NotFoundException"}) {
		return nil
	}
	return err
}

// ownTags are the tags that a template could have set.
func ownTags(tags map[string]string) []cfn.Tag {
	var out []cfn.Tag
	for _, t := range tagset.List[api.TagRef](tags) {
		if len(*t.Key) < 4 || (*t.Key)[:4] != "aws:" {
			out = append(out, cfn.Tag{Key: *t.Key, Value: *t.Value})
		}
	}
	return out
}

var _ cfn.Updater[meshProperties] = resource[meshProperties, api.MeshSpec]{}
