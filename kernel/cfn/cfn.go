// Package cfn is the mechanism of CloudFormation that knows no AWS service: what a resource type is, how its properties are decoded,
// validated and compared, and what changes between two templates.
//
// A resource type is one struct P, whose fields are the CloudFormation properties and attributes, and one handler:
//
//	type logGroup struct {
//		LogGroupName    string `cfn:"id,createOnly"`
//		RetentionInDays *int
//		Tags            []cfn.Tag
//		Arn             string `cfn:"readOnly"`
//	}
//	cfn.Of[logGroup]("AWS::Logs::LogGroup", handler{s})
//
// Field names are property names, or the name in a json tag. The cfn tag takes, separated by commas:
//
//	id          the physical id, which Ref answers; exactly one string field. A property that is the id is createOnly too.
//	createOnly  a change of the property replaces the resource
//	readOnly    not a property: an attribute for GetAtt, filled in by Create and Read
//	rest        a map that takes every property which no other field has
//	open        a map whose keys GetAtt answers, whatever they are
//	kept        neither a property nor an attribute: what the handler keeps for itself between its calls
//	attribute   a property that GetAtt answers too
//	required    must be present; on fields of nested structs too
//	writeOnly   never kept (passwords): zero in Read, Delete and in Update's before
//
// Optional scalars are pointers where zero differs from absent. Nested structs, slices, maps with string keys and any (JSON documents) may be used.
//
// Invariants: nothing here keeps state or does I/O; the store rows and the order of work belong to service/cloudformation. The engine may call every
// handler again with the same Request.Token after a crash, and handlers answer as if it were the first call.
package cfn

import "context"

// HalfMade marks the error of a Create that has made the resource under the name the template gave, and then failed: it is to be
// deleted. An unmarked error says that nothing was made under that name, so that what has the name is left alone.
func HalfMade(err error) error {
	if err == nil {
		return nil
	}
	return &halfMade{err}
}

type halfMade struct{ error }

func (e *halfMade) Unwrap() error { return e.error }

// Resource makes, reads and removes resources of one type. P holds properties and attributes.
//
// Create fills in the id and the readOnly fields. When it fails after having made something it leaves the id set, so that the rollback can delete it; a
// failure with an empty id, or with the name that the template gave unless the error is HalfMade, means that nothing was made. A second call with the same token finds what the first one made.
// Read is given the id and fills in everything else; gone is store.ErrNotFound, or an API error whose code ends in NotFound, NotFoundException or the like.
// Delete is given all that Create or the last Update left in P, and answers nil for what is gone already.
type Resource[P any] interface {
	Create(ctx context.Context, p *P) error
	Read(ctx context.Context, p *P) error
	Delete(ctx context.Context, p *P) error
}

// Updater is a Resource that can be changed in place. Without it every change of a property replaces the resource.
//
// In after, the id, the readOnly fields and createOnly fields that the template leaves to the service (generated names) have the values of before. Update is
// called too when only the stack's tags changed; Request.AllTags tells the tags to set.
type Updater[P any] interface {
	Update(ctx context.Context, before, after *P) error
}

// Settler is a Resource that takes a while after Create or Update returned. Settled is asked until it answers true; it may fill in attributes. An error fails
// the resource with that message.
type Settler[P any] interface {
	Settled(ctx context.Context, p *P) (bool, error)
}

// Remover is a Resource that takes a while to go after Delete returned. Remains is asked until it answers false.
type Remover[P any] interface {
	Remains(ctx context.Context, p *P) (bool, error)
}

// Tag is an element of a Tags property.
type Tag struct {
	Key   string `cfn:"required"`
	Value string `cfn:"required"`
}
