package ecs

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// The states of clusters, services and task definitions.
const (
	active   = "ACTIVE"
	inactive = "INACTIVE"
	draining = "DRAINING"
	deleting = "DELETE_IN_PROGRESS"
)

// clusterName takes a cluster's name or ARN; none means "default".
func clusterName(ref *string) string {
	s := value(ref)
	if s == "" {
		return "default"
	}
	return s[strings.LastIndexByte(s, '/')+1:]
}

// cluster finds an active cluster by name or ARN.
func cluster(r store.Reader, sc arn.Scope, ref *string) (Cluster, error) {
	c, err := Clusters.Get(r, sc.Key(clusterName(ref)))
	if err != nil || c.Status != active {
		return Cluster{}, errClusterNotFound()
	}
	return c, nil
}

// CreateCluster makes a cluster; one that is active already is answered as it
// is, as ECS does.
func (s *Service) CreateCluster(ctx context.Context, in *ecsapi.CreateClusterInput) (*ecsapi.CreateClusterOutput, error) {
	sc := awsapi.CallerOf(ctx).Scope
	name := "default"
	if in.ClusterName != nil {
		name = *in.ClusterName
	}
	if !validName(name) {
		return nil, errInvalid("Invalid cluster name: %s", name)
	}
	if err := checkProviders(in.CapacityProviders, in.DefaultCapacityProviderStrategy); err != nil {
		return nil, err
	}
	var out Cluster
	err := s.store.Update(func(tx *store.Tx) error {
		if c, err := Clusters.Get(tx, sc.Key(name)); err == nil && c.Status == active {
			out = c
			return nil
		}
		out = Cluster{
			Scope: sc, Name: name, Status: active, Settings: withInsights(in.Settings), Configuration: in.Configuration,
			CapacityProviders: in.CapacityProviders, DefaultStrategy: in.DefaultCapacityProviderStrategy, Tags: tagset.Of(in.Tags),
		}
		if d := in.ServiceConnectDefaults; d != nil {
			out.ConnectDefaults = &ecsapi.ClusterServiceConnectDefaults{Namespace: d.Namespace}
		}
		Clusters.Put(tx, out)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecsapi.CreateClusterOutput{Cluster: s.describeCluster(s.store.Snapshot(), out, includeAll)}, nil
}

// withInsights adds the setting that every cluster shows.
func withInsights(in []ecsapi.ClusterSetting) []ecsapi.ClusterSetting {
	if len(in) > 0 {
		return in
	}
	return []ecsapi.ClusterSetting{{Name: "containerInsights", Value: new("disabled")}}
}

// DeleteCluster removes a cluster that holds nothing.
func (s *Service) DeleteCluster(ctx context.Context, in *ecsapi.DeleteClusterInput) (*ecsapi.DeleteClusterOutput, error) {
	sc := awsapi.CallerOf(ctx).Scope
	var out Cluster
	err := s.store.Update(func(tx *store.Tx) error {
		c, err := cluster(tx, sc, in.Cluster)
		if err != nil {
			return err
		}
		for svc := range Services.List(tx, sc.Key(c.Name, "")) {
			if svc.Status != inactive {
				return awsapi.Errorf("ClusterContainsServicesException", 400, "The Cluster cannot be deleted while Services are active.")
			}
		}
		for t := range Tasks.By(tx, "cluster", sc.Key(c.Name)) {
			if !t.Released {
				return awsapi.Errorf("ClusterContainsTasksException", 400, "The Cluster cannot be deleted while Tasks are active.")
			}
		}
		c.Status = inactive
		out = c
		Clusters.Put(tx, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecsapi.DeleteClusterOutput{Cluster: s.describeCluster(s.store.Snapshot(), out, includeAll)}, nil
}

// DescribeClusters answers the named clusters, "default" when none is named.
func (s *Service) DescribeClusters(ctx context.Context, in *ecsapi.DescribeClustersInput) (*ecsapi.DescribeClustersOutput, error) {
	sc := awsapi.CallerOf(ctx).Scope
	snap := s.store.Snapshot()
	refs := in.Clusters
	if len(refs) == 0 {
		refs = []string{"default"}
	}
	out := &ecsapi.DescribeClustersOutput{Clusters: []ecsapi.Cluster{}, Failures: []ecsapi.Failure{}}
	for _, ref := range refs {
		c, err := Clusters.Get(snap, sc.Key(clusterName(&ref)))
		if err != nil {
			out.Failures = append(out.Failures, missing(sc.ARN("ecs", "cluster/"+clusterName(&ref))))
			continue
		}
		out.Clusters = append(out.Clusters, *s.describeCluster(snap, c, func(f string) bool {
			return slices.Contains(in.Include, ecsapi.ClusterField(f))
		}))
	}
	return out, nil
}

func missing(arn string) ecsapi.Failure {
	return ecsapi.Failure{Arn: &arn, Reason: new("MISSING")}
}

func includeAll(string) bool { return true }

// describeCluster is the API's view; include says which optional fields to show.
func (s *Service) describeCluster(r store.Reader, c Cluster, include func(string) bool) *ecsapi.Cluster {
	var running, pending, services int32
	spot := map[string]int{}
	for t := range Tasks.By(r, "cluster", c.Key(c.Name)) {
		switch lastStatus(r, t) {
		case "RUNNING":
			running++
			spot["running"+launchWord(t)]++
		case "PROVISIONING", "PENDING", "ACTIVATING":
			pending++
			spot["pending"+launchWord(t)]++
		}
	}
	for svc := range Services.List(r, c.Key(c.Name, "")) {
		if svc.Status == active {
			services++
		}
	}
	out := &ecsapi.Cluster{
		ClusterArn: new(c.ARN()), ClusterName: &c.Name, Status: &c.Status, RegisteredContainerInstancesCount: new(int32(0)),
		RunningTasksCount: &running, PendingTasksCount: &pending, ActiveServicesCount: &services,
		CapacityProviders: orEmpty(c.CapacityProviders), DefaultCapacityProviderStrategy: orEmpty(c.DefaultStrategy),
		ServiceConnectDefaults: c.ConnectDefaults, Statistics: []ecsapi.KeyValuePair{}, Tags: []ecsapi.Tag{}, Settings: []ecsapi.ClusterSetting{},
	}
	if include("TAGS") {
		out.Tags = tagset.List[ecsapi.Tag](c.Tags)
	}
	if include("SETTINGS") {
		out.Settings = c.Settings
	}
	if include("CONFIGURATIONS") {
		out.Configuration = c.Configuration
	}
	if include("STATISTICS") {
		for _, name := range []string{"runningFargateTasksCount", "pendingFargateTasksCount", "runningFargateSpotTasksCount", "pendingFargateSpotTasksCount"} {
			n := spot[strings.TrimSuffix(name, "TasksCount")]
			out.Statistics = append(out.Statistics, ecsapi.KeyValuePair{Name: &name, Value: new(strconv.Itoa(n))})
		}
	}
	return out
}

func launchWord(t Task) string {
	if t.Provider == "FARGATE_SPOT" {
		return "FargateSpot"
	}
	return "Fargate"
}

// ListClusters lists the ARNs of active clusters.
func (s *Service) ListClusters(ctx context.Context, in *ecsapi.ListClustersInput) (*ecsapi.ListClustersOutput, error) {
	sc := awsapi.CallerOf(ctx).Scope
	arns := []string{}
	for c := range Clusters.List(s.store.Snapshot(), sc.Key("")) {
		if c.Status == active {
			arns = append(arns, c.ARN())
		}
	}
	page, next, err := pageOf(arns, in.NextToken, in.MaxResults)
	return &ecsapi.ListClustersOutput{ClusterArns: page, NextToken: next}, err
}

// pageOf pages a list of ARNs, at most 100 at once.
func pageOf(arns []string, token *string, most *int32) (page []string, next *string, err error) {
	page, next, err = awsapi.Page(arns, func(s string) string { return s }, token, int(value(most)), 100)
	if err != nil {
		return nil, nil, errInvalid("Invalid token %s", value(token))
	}
	return orEmpty(page), next, nil
}

// UpdateCluster changes settings and configuration.
func (s *Service) UpdateCluster(ctx context.Context, in *ecsapi.UpdateClusterInput) (*ecsapi.UpdateClusterOutput, error) {
	c, err := s.changeCluster(ctx, in.Cluster, func(c *Cluster) error {
		if in.Settings != nil {
			c.Settings = in.Settings
		}
		if in.Configuration != nil {
			c.Configuration = in.Configuration
		}
		if d := in.ServiceConnectDefaults; d != nil {
			c.ConnectDefaults = &ecsapi.ClusterServiceConnectDefaults{Namespace: d.Namespace}
		}
		return nil
	})
	return &ecsapi.UpdateClusterOutput{Cluster: c}, err
}

// UpdateClusterSettings changes settings such as containerInsights.
func (s *Service) UpdateClusterSettings(ctx context.Context, in *ecsapi.UpdateClusterSettingsInput) (*ecsapi.UpdateClusterSettingsOutput, error) {
	c, err := s.changeCluster(ctx, in.Cluster, func(c *Cluster) error {
		c.Settings = in.Settings
		return nil
	})
	return &ecsapi.UpdateClusterSettingsOutput{Cluster: c}, err
}

func (s *Service) changeCluster(ctx context.Context, ref *string, change func(*Cluster) error) (*ecsapi.Cluster, error) {
	sc := awsapi.CallerOf(ctx).Scope
	var out Cluster
	err := s.store.Update(func(tx *store.Tx) error {
		c, err := cluster(tx, sc, ref)
		if err != nil {
			return err
		}
		if err := change(&c); err != nil {
			return err
		}
		out = c
		Clusters.Put(tx, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.describeCluster(s.store.Snapshot(), out, includeAll), nil
}

// validName is the form of cluster, family and service names: up to 255
// letters, digits, hyphens and underscores.
func validName(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}

// orEmpty makes a nil list an empty one, which clients see as [].
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
