package logs

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// groupName reads a log group's name or ARN, with or without ":*".
func groupName(scope arn.Scope, id string) (string, error) {
	if !strings.HasPrefix(id, "arn:") {
		return id, nil
	}
	a, err := arn.Parse(id)
	name, ok := strings.CutPrefix(a.Resource, "log-group:")
	if err != nil || a.Service != "logs" || !ok {
		return "", errInvalid("Invalid log group identifier: %s", id)
	}
	if a.Scope() != scope {
		return "", errNoGroup
	}
	name, _, _ = strings.Cut(name, ":")
	return name, nil
}

// group finds the group of a request that takes a name, an identifier, or
// either.
func (s *Service) group(ctx context.Context, r store.Reader, name, identifier *string) (Group, error) {
	if (name == nil) == (identifier == nil) {
		return Group{}, errOneName
	}
	scope := awsapi.CallerOf(ctx).Scope
	n, err := groupName(scope, val(name)+val(identifier))
	if err != nil {
		return Group{}, err
	}
	g, err := Groups.Get(r, scope.Key(n))
	if err != nil {
		return g, errNoGroup
	}
	return g, nil
}

// change updates the row of a group.
func (s *Service) change(ctx context.Context, name *string, fn func(*Group) error) error {
	return s.store.Update(func(tx *store.Tx) error {
		g, err := s.group(ctx, tx, name, nil)
		if err != nil {
			return err
		}
		if err := fn(&g); err != nil {
			return err
		}
		Groups.Put(tx, g)
		return nil
	})
}

// CreateLogGroup makes an empty log group.
func (s *Service) CreateLogGroup(ctx context.Context, in *logsapi.CreateLogGroupInput) (*logsapi.CreateLogGroupOutput, error) {
	g := s.newGroup(ctx, awsapi.CallerOf(ctx).Scope, val(in.LogGroupName))
	g.Protected, g.Tags = val(in.DeletionProtectionEnabled), in.Tags
	if in.LogGroupClass != "" {
		g.Class = string(in.LogGroupClass)
	}
	if strings.HasPrefix(strings.ToLower(g.Name), "aws/") {
		return nil, errReserved
	}
	if len(g.Tags) > 50 {
		return nil, errTags
	}
	if g.KMSKey = val(in.KmsKeyId); g.KMSKey != "" && !s.keyAllowed(ctx, g.Scope, g.KMSKey, g.ARN()) {
		return nil, errKey(g.ARN())
	}
	err := s.store.Update(func(tx *store.Tx) error { return Groups.Create(tx, g) })
	if errors.Is(err, store.ErrExists) {
		return nil, errGroupExists
	}
	return &logsapi.CreateLogGroupOutput{}, err
}

func (s *Service) newGroup(ctx context.Context, scope arn.Scope, name string) Group {
	return Group{Scope: scope, Name: name, ID: awsapi.NewID(ctx, "g-", 24), CreatedAt: s.now().UnixMilli(), Class: "STANDARD"}
}

// DeleteLogGroup removes a group with its streams and events.
func (s *Service) DeleteLogGroup(ctx context.Context, in *logsapi.DeleteLogGroupInput) (*logsapi.DeleteLogGroupOutput, error) {
	var gone Group
	err := s.store.Update(func(tx *store.Tx) error {
		g, err := s.group(ctx, tx, in.LogGroupName, nil)
		if err != nil {
			return err
		}
		if g.Protected {
			return errProtected
		}
		for st := range Streams.List(tx, g.Scope.Key(g.Name+":")) {
			Streams.Delete(tx, Streams.Key(st))
		}
		Groups.Delete(tx, Groups.Key(g))
		gone = g
		return nil
	})
	if err != nil {
		return nil, err
	}
	// The loop does it too, in case this process ends first.
	if err := s.events.RemoveGroup(gone.ID); err != nil {
		s.log.Warn("remove events of a deleted log group", "group", gone.Name, "err", err)
	}
	return &logsapi.DeleteLogGroupOutput{}, nil
}

// DescribeLogGroups lists groups by name, at most 50 a page.
func (s *Service) DescribeLogGroups(ctx context.Context, in *logsapi.DescribeLogGroupsInput) (*logsapi.DescribeLogGroupsOutput, error) {
	if in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil {
		return nil, errPrefixAndPat
	}
	scope := awsapi.CallerOf(ctx).Scope
	var only []string
	for _, id := range in.LogGroupIdentifiers {
		name, err := groupName(scope, id)
		if err != nil && !errors.Is(err, errNoGroup) {
			return nil, err
		}
		only = append(only, name)
	}
	part := strings.ToLower(val(in.LogGroupNamePattern))
	var found []Group
	for g := range Groups.List(s.store.Snapshot(), scope.Key(val(in.LogGroupNamePrefix))) {
		if strings.Contains(strings.ToLower(g.Name), part) &&
			(in.LogGroupClass == "" || string(in.LogGroupClass) == g.Class) &&
			(len(only) == 0 || slices.Contains(only, g.Name)) {
			found = append(found, g)
		}
	}
	page, next, err := awsapi.Page(found, Groups.Key, in.NextToken, int(val(in.Limit)), 50)
	if err != nil {
		return nil, errToken
	}
	out := &logsapi.DescribeLogGroupsOutput{LogGroups: []logsapi.LogGroup{}, NextToken: next}
	for _, g := range page {
		out.LogGroups = append(out.LogGroups, s.describe(g))
	}
	return out, nil
}

func (s *Service) describe(g Group) logsapi.LogGroup {
	out := logsapi.LogGroup{
		LogGroupName: new(g.Name), CreationTime: new(g.CreatedAt), MetricFilterCount: new(int32(0)),
		Arn: new(g.ARN() + ":*"), LogGroupArn: new(g.ARN()), StoredBytes: new(s.events.Bytes(g.ID)),
		LogGroupClass: logsapi.LogGroupClass(g.Class), DeletionProtectionEnabled: new(g.Protected),
	}
	if g.Retention > 0 {
		out.RetentionInDays = new(int32(g.Retention))
	}
	if g.KMSKey != "" {
		out.KmsKeyId = new(g.KMSKey)
	}
	return out
}

// PutRetentionPolicy says after how many days events go.
func (s *Service) PutRetentionPolicy(ctx context.Context, in *logsapi.PutRetentionPolicyInput) (*logsapi.PutRetentionPolicyOutput, error) {
	days := int(val(in.RetentionInDays))
	if !slices.Contains(retentions, days) {
		return nil, errRetention(days)
	}
	err := s.change(ctx, in.LogGroupName, func(g *Group) error { g.Retention = days; return nil })
	return &logsapi.PutRetentionPolicyOutput{}, err
}

// DeleteRetentionPolicy keeps events for ever.
func (s *Service) DeleteRetentionPolicy(ctx context.Context, in *logsapi.DeleteRetentionPolicyInput) (*logsapi.DeleteRetentionPolicyOutput, error) {
	err := s.change(ctx, in.LogGroupName, func(g *Group) error { g.Retention = 0; return nil })
	return &logsapi.DeleteRetentionPolicyOutput{}, err
}
