package cloudformation

import (
	"context"
	"errors"
	"time"

	"github.com/slipway-dev/slipway/kernel/store"
)

func (t task) remove(ctx context.Context) (time.Duration, error) {
	err := t.discardAll(ctx, t.row.Doomed)
	if err == nil && t.row.PhysicalID != "" {
		if err = t.callDelete(ctx, t.row.instance()); gone(err) {
			err = nil
		}
	}
	if err == nil {
		var left bool
		if left, err = t.remains(ctx, t.row.Version); left {
			return t.again(false), nil
		}
	}
	if err = interrupted(ctx, err); errors.Is(err, errEngineStops) {
		return 0, err
	}
	if t.patient(err) {
		return t.again(false), nil
	}
	t.tell(err)
	return 0, t.write(func(tx *store.Tx, r *Resource, op Operation) {
		r.Step = ""
		if err != nil {
			setResource(tx, r, op, now(), "DELETE_FAILED", failure(err, *r))
			return
		}
		r.Doomed = nil
		setResource(tx, r, op, now(), "DELETE_COMPLETE", "")
	})
}

// discard deletes the doomed versions. What cannot be deleted is told and let go, as CloudFormation does in its cleanup.
func (t task) discard(ctx context.Context) (time.Duration, error) {
	err := t.discardAll(ctx, t.row.Doomed)
	if err = interrupted(ctx, err); errors.Is(err, errEngineStops) {
		return 0, err
	}
	if t.patient(err) {
		return t.again(false), nil
	}
	t.tell(err)
	return 0, t.write(func(tx *store.Tx, r *Resource, op Operation) {
		status, why := "DELETE_COMPLETE", ""
		if err != nil {
			status, why = "DELETE_FAILED", failure(err, *r)
		}
		for _, v := range r.Doomed {
			old := *r
			old.Version = v
			note(tx, old, op, now(), status, why)
		}
		r.Step, r.Doomed = "", nil
		Resources.Put(tx, *r)
	})
}

func (t task) discardAll(ctx context.Context, versions []Version) error {
	for _, v := range versions {
		if v.PhysicalID == "" {
			continue
		}
		ctx := t.context(ctx, v)
		if err := t.callDelete(ctx, v.instance()); err != nil && !gone(err) {
			return err
		}
		if left, err := t.remains(ctx, v); err != nil || left {
			if err == nil {
				err = errLeft
			}
			return err
		}
	}
	return nil
}

var errLeft = errors.New("still being deleted")

// remains asks types that take a while to go whether one is still there.
func (t task) remains(ctx context.Context, v Version) (bool, error) {
	if v.PhysicalID == "" {
		return false, nil
	}
	left, err := t.callRemains(ctx, v.instance())
	if gone(err) {
		return false, nil
	}
	return left, err
}

// patient reports whether a deletion shall be tried again because something else has to go first.
func (t task) patient(err error) bool {
	return errors.Is(err, errLeft) || (err != nil && busy(err) && time.Since(t.row.Since) < deleteGiveUp)
}
