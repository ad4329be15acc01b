package applicationautoscaling

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// How the alarms of a target tracking policy judge: datapoints of a minute
// that must all breach, and the share of the target below which there is too
// much capacity (observed).
const (
	highPeriods = 3
	lowPeriods  = 15
	lowShare    = 0.9
)

// settleAll settles every policy of a target that is pending.
func (s *Service) settleAll(ctx context.Context, k Scaled) (err error) {
	for p := range Policies.List(s.store.Snapshot(), k.key()+"/") {
		if p.Pending {
			err = errors.Join(err, s.settle(ctx, Policies.Key(p)))
		}
	}
	return err
}

// settle makes a policy's alarms what its row says, and removes the row of one
// that is gone. It may be done again at any time.
func (s *Service) settle(ctx context.Context, key string) error {
	// An operation and the loop may both be at it: whoever comes later goes by
	// what the row says by then.
	one := &s.settling[crc32.ChecksumIEEE([]byte(key))%uint32(len(s.settling))]
	one.Lock()
	defer one.Unlock()
	p, err := Policies.Get(s.store.Snapshot(), key)
	if err != nil || !p.Pending {
		return nil
	}
	drop := p.Stale
	if p.Gone {
		drop = append(p.alarms(), drop...)
	}
	for _, name := range drop {
		_, err := s.Alarms.DeleteAlarms(ctx, &cloudwatchapi.DeleteAlarmsInput{AlarmNames: []string{name}})
		if err != nil && !errors.Is(err, &awsapi.Error{Code: "ResourceNotFound"}) {
			return fmt.Errorf("delete alarm %s of policy %s: %w", name, p.Name, err)
		}
	}
	for _, name := range p.alarms() {
		if p.Gone {
			break
		}
		if _, err := s.Alarms.PutMetricAlarm(ctx, p.alarm(name)); err != nil {
			return fmt.Errorf("make the alarms of policy %s: %w", p.Name, err)
		}
	}
	return s.store.Update(func(tx *store.Tx) error {
		now, err := Policies.Get(tx, key)
		switch {
		case err != nil:
		case now.Gone && p.Gone:
			Policies.Delete(tx, key)
		case now.Gone == p.Gone && now.High == p.High && now.Low == p.Low && len(now.Stale) == len(p.Stale):
			now.Pending, now.Stale = false, nil
			Policies.Put(tx, now)
		}
		return nil
	})
}

// unmade takes a policy back whose alarms CloudWatch has refused, which is a
// fault of its metric: to what it was before, or away.
func (s *Service) unmade(ctx context.Context, key string, before *Policy, why error) error {
	refused, ok := errors.AsType[*awsapi.Error](why)
	if !ok {
		return why
	}
	err := s.store.Update(func(tx *store.Tx) error {
		p, err := Policies.Get(tx, key)
		if err != nil {
			return nil
		}
		if p.Pending, p.Gone = true, true; before != nil {
			p = *before
			p.Pending = true
		}
		Policies.Put(tx, p)
		return nil
	})
	if err == nil {
		err = s.settle(ctx, key)
	}
	if err != nil {
		return err
	}
	return errValidation("%s", refused.Message)
}

// alarm is one of the pair of alarms of a target tracking policy.
func (p Policy) alarm(name string) *cloudwatchapi.PutMetricAlarmInput {
	in := &cloudwatchapi.PutMetricAlarmInput{
		AlarmName: &name, AlarmActions: []string{p.ARN()},
		AlarmDescription:   new("DO NOT EDIT OR DELETE. For TargetTrackingScaling policy " + p.ARN() + "."),
		ComparisonOperator: cloudwatchapi.ComparisonOperatorGreaterThanThreshold, Threshold: p.Tracking.TargetValue, EvaluationPeriods: new(int32(highPeriods)),
	}
	if name == p.Low {
		in.ComparisonOperator, in.EvaluationPeriods = cloudwatchapi.ComparisonOperatorLessThanThreshold, new(int32(lowPeriods))
		in.Threshold = new(*p.Tracking.TargetValue * lowShare)
	}
	metric(in, p.Scaled, p.Tracking)
	return in
}
