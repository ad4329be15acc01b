package appmesh

import (
	"context"
	"reflect"
	"regexp"
	"time"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// kind is what differs between the resources of a mesh. All have the same
// life: created, overwritten by updates, deleted when nothing refers to them.
type kind[S any] struct {
	word   string // as messages name it: "VirtualNode"
	parent string // word of what it belongs to besides the mesh
	table  *store.Table[Resource[S]]
	most   int // AWS's quota in a mesh, or in the parent

	check  func(*S) error                             // the spec by itself
	within func(r store.Reader, r2 Resource[S]) error // the spec against the mesh; nil: nothing to hold
	held   func(r store.Reader, r2 Resource[S]) error // why it cannot be deleted; nil: nothing holds it
	home   func(r store.Reader, r2 Resource[S]) error // that the parent exists; nil: has none
}

// nameForm is what names may be made of. AWS says no more than their length;
// they are parts of ARNs and paths, and service names are DNS names.
var nameForm = regexp.MustCompile(`^[a-zA-Z0-9_.-]+$`)

// owned refuses the mesh of another account.
func owned(sc arn.Scope, mesh string, owner *string) error {
	if owner != nil && *owner != sc.Account {
		return notShared(mesh, *owner)
	}
	return nil
}

// find reads a resource, with AWS's words for what is not there.
func (k *kind[S]) find(r store.Reader, want Resource[S]) (Resource[S], error) {
	got, err := k.table.Get(r, want.key())
	if err == nil {
		return got, nil
	}
	if k.table.Name() == Meshes.Name() {
		return got, noMesh(want.Scope, want.Mesh)
	}
	if err := k.placed(r, want); err != nil {
		return got, err
	}
	if want.Parent != "" {
		return got, notFound("%s with name %s is not present under %s %s of mesh %s for account %s", k.word, want.Name, k.parent, want.Parent, want.Mesh, want.Scope.Account)
	}
	return got, notFound("%s with name %s is not present under mesh %s for account %s", k.word, want.Name, want.Mesh, want.Scope.Account)
}

// placed says whether what a resource belongs to exists.
func (k *kind[S]) placed(r store.Reader, want Resource[S]) error {
	if k.table.Name() == Meshes.Name() {
		return nil
	}
	if _, err := Meshes.Get(r, want.Scope.Key(want.Mesh)); err != nil {
		return noMesh(want.Scope, want.Mesh)
	}
	if k.home != nil {
		return k.home(r, want)
	}
	return nil
}

// fits checks what was asked for against the rest of the mesh.
func (k *kind[S]) fits(r store.Reader, want Resource[S]) error {
	if err := k.placed(r, want); err != nil {
		return err
	}
	if k.within == nil {
		return nil
	}
	return k.within(r, want)
}

// create makes a resource. The same request under the same token finds what
// the first one made.
func create[S any](ctx context.Context, s *Service, k *kind[S], owner *string, want Resource[S], tags []api.TagRef) (made Resource[S], err error) {
	want.Scope = scope(ctx)
	if err := owned(want.Scope, want.Mesh, owner); err != nil {
		return made, err
	}
	if !nameForm.MatchString(want.Name) {
		return made, invalid("%s name %q may have letters, digits, hyphens, underscores and dots only.", k.word, want.Name)
	}
	if err := k.check(&want.Spec); err != nil {
		return made, err
	}
	if want.Tags, err = retagged(ctx, nil, tags); err != nil {
		return made, err
	}
	want.UID, want.Version, want.Created = newUID(ctx), 1, time.Now().UTC()
	want.Updated = want.Created
	err = s.store.Update(func(tx *store.Tx) error {
		made = want
		if have, err := k.table.Get(tx, want.key()); err == nil {
			made = have
			return k.repeated(have, want)
		}
		if err := k.fits(tx, want); err != nil {
			return err
		}
		if err := s.room(tx, k.quota(), want.Scope, want.Mesh, want.Parent); err != nil {
			return err
		}
		k.table.Put(tx, want)
		return nil
	})
	return made, err
}

// repeated is a conflict unless the request is the one that made the resource.
func (k *kind[S]) repeated(have, want Resource[S]) error {
	if want.Token != "" && have.Token == want.Token && reflect.DeepEqual(have.Spec, want.Spec) && reflect.DeepEqual(have.Tags, want.Tags) {
		return nil
	}
	return conflict("%s with name %s already exists for account %s", k.word, want.Name, want.Scope.Account)
}

// update overwrites the spec. The same request under the same token again
// makes no new version.
func update[S any](ctx context.Context, s *Service, k *kind[S], owner *string, want Resource[S]) (now Resource[S], err error) {
	want.Scope = scope(ctx)
	if err := owned(want.Scope, want.Mesh, owner); err != nil {
		return now, err
	}
	if err := k.check(&want.Spec); err != nil {
		return now, err
	}
	at := time.Now().UTC()
	err = s.store.Update(func(tx *store.Tx) error {
		if now, err = k.find(tx, want); err != nil {
			return err
		}
		if want.Token != "" && now.Token == want.Token && reflect.DeepEqual(now.Spec, want.Spec) {
			return nil
		}
		if err := k.fits(tx, want); err != nil {
			return err
		}
		now.Spec, now.Token, now.Version, now.Updated = want.Spec, want.Token, now.Version+1, at
		k.table.Put(tx, now)
		return nil
	})
	return now, err
}

// remove deletes a resource that nothing refers to, and returns what it was.
func remove[S any](ctx context.Context, s *Service, k *kind[S], owner *string, want Resource[S]) (was Resource[S], err error) {
	want.Scope = scope(ctx)
	if err := owned(want.Scope, want.Mesh, owner); err != nil {
		return was, err
	}
	err = s.store.Update(func(tx *store.Tx) error {
		if was, err = k.find(tx, want); err != nil {
			return err
		}
		if k.held != nil {
			if err := k.held(tx, was); err != nil {
				return err
			}
		}
		k.table.Delete(tx, was.key())
		return nil
	})
	return was, err
}

// describe reads a resource.
func describe[S any](ctx context.Context, s *Service, k *kind[S], owner *string, want Resource[S]) (Resource[S], error) {
	want.Scope = scope(ctx)
	if err := owned(want.Scope, want.Mesh, owner); err != nil {
		return want, err
	}
	return k.find(s.store.Snapshot(), want)
}

// pageMost is the largest page of a list, and the usual one (API reference).
const pageMost = 100

// list reads a page of the resources that belong where want does, in the
// order of their names.
func list[S any](ctx context.Context, s *Service, k *kind[S], owner *string, want Resource[S], token *string, limit *int32) ([]Resource[S], *string, error) {
	want.Scope = scope(ctx)
	if err := owned(want.Scope, want.Mesh, owner); err != nil {
		return nil, nil, err
	}
	snap := s.store.Snapshot()
	if err := k.placed(snap, want); err != nil {
		return nil, nil, err
	}
	var all []Resource[S]
	for r := range k.table.List(snap, under(want)) {
		all = append(all, r)
	}
	return awsapi.Page(all, Resource[S].key, token, int(value(limit)), pageMost)
}

// under is what the keys of a resource's siblings begin with.
func under[S any](r Resource[S]) string {
	r.Name = ""
	if _, mesh := any(r.Spec).(api.MeshSpec); mesh {
		r.Mesh = ""
	}
	return r.key()
}

// newUID draws the uid of a resource, in the form of a UUID.
func newUID(ctx context.Context) string {
	d := awsapi.NewID(ctx, "", 32)
	return d[:8] + "-" + d[8:12] + "-" + d[12:16] + "-" + d[16:20] + "-" + d[20:]
}
