package cloudformation

import (
	"context"
	"fmt"
	"runtime"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// The calls of resource handlers. A handler that breaks fails its resource instead of keeping its stack waiting for ever.

func (t task) callCreate(ctx context.Context, properties map[string]any) (in cfn.Instance, err error) {
	defer t.recover(&err)
	return t.typ.Create(ctx, properties)
}

func (t task) callUpdate(ctx context.Context, in cfn.Instance, properties map[string]any) (out cfn.Instance, err error) {
	defer t.recover(&err)
	return t.typ.Update(ctx, in, properties)
}

func (t task) callSettled(ctx context.Context, in cfn.Instance) (done bool, out cfn.Instance, err error) {
	defer t.recover(&err)
	return t.typ.Settled(ctx, in)
}

func (t task) callDelete(ctx context.Context, in cfn.Instance) (err error) {
	defer t.recover(&err)
	return t.typ.Delete(ctx, in)
}

func (t task) callRead(ctx context.Context, in cfn.Instance) (out cfn.Instance, err error) {
	defer t.recover(&err)
	return t.typ.Read(ctx, in)
}

func (t task) callRemains(ctx context.Context, in cfn.Instance) (left bool, err error) {
	defer t.recover(&err)
	return t.typ.Remains(ctx, in)
}

// recover turns a run-time error of a handler into the failure of its resource.
func (t task) recover(err *error) {
	p := recover()
	if p == nil {
		return
	}
	broken, ok := p.(runtime.Error)
	if !ok {
		panic(p)
	}
	stack := make([]byte, 8<<10)
	t.s.Log.Error("resource handler broke", "resource", t.key, "type", t.row.Type, "err", broken, "stack", string(stack[:runtime.Stack(stack, false)]))
	*err = awsapi.Errorf("InternalFailure", 500, "%s", fmt.Sprintf("the handler of %s broke: %v", t.row.Type, broken))
}
