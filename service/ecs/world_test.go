package ecs

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/service/ec2"
	"github.com/slipway-dev/slipway/service/elbv2"
	"github.com/slipway-dev/slipway/service/servicediscovery"
)

// world is ECS with the real store and its loops, in a synctest bubble. The
// agent and the load balancer are played: images say how a task behaves.
//
//	good      runs, turns healthy after a second
//	crash     never comes to run
//	sick      runs, never turns healthy
type world struct {
	*testing.T
	*Service
	store *store.Store
	ctx   context.Context
	// lowest and most are the extremes of healthy and of live tasks since the
	// last reset.
	lowest, most int
	// undrained counts tasks that were told to stop while a target was left.
	undrained int
}

var here = arn.Scope{Account: "000000000000", Region: "us-east-1"}

const (
	groupARN     = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/web/0123456789abcdef"
	alternateARN = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/web2/0123456789abcdef"
)

func inWorld(t *testing.T, story func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		var tables []store.Schema
		for _, ts := range [][]store.Schema{agent.Tables(), ec2.Tables(), elbv2.Tables(), servicediscovery.Tables(), cloudwatch.Tables(), Tables()} {
			tables = append(tables, ts...)
		}
		s, err := store.Open(store.Config{}, tables...)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: here, ARN: "arn:aws:iam::000000000000:root"}))
		log := slog.New(slog.DiscardHandler)
		w := &world{T: t, Service: New(Config{Store: s, Log: log}), store: s, ctx: ctx}
		w.build()
		done := make(chan struct{})
		loops := append(w.Loops(), w.playAgent(), w.playBalancer())
		for _, l := range loops {
			go func() {
				defer func() { done <- struct{}{} }()
				if err := l.Run(ctx, s, log); err != nil {
					t.Error(err)
				}
			}()
		}
		story(w)
		cancel()
		for range loops {
			<-done
		}
	})
}

// build makes a VPC with three subnets and a target group in use.
func (w *world) build() {
	w.update(func(tx *store.Tx) error {
		ec2.VPCs.Put(tx, ec2.VPC{Meta: ec2.Meta{Scope: here, ID: "vpc-1"}, CIDRs: []ec2.CIDR{{Block: "10.0.0.0/16"}}})
		for i, zone := range []string{"a", "b", "c"} {
			ec2.Subnets.Put(tx, ec2.Subnet{
				Meta: ec2.Meta{Scope: here, ID: "subnet-" + zone}, VPC: "vpc-1", AZ: "us-east-1" + zone, CIDR: fmt.Sprintf("10.0.%d.0/24", i),
			})
		}
		ec2.Groups.Put(tx, ec2.SecurityGroup{Meta: ec2.Meta{Scope: here, ID: "sg-1"}, VPC: "vpc-1", Name: "web"})
		for name, group := range map[string]string{"web": groupARN, "web2": alternateARN} {
			elbv2.TargetGroups.Put(tx, elbv2.TargetGroup{Scope: here, ARN: group, Name: name, Port: 80, VPC: "vpc-1", TargetType: "ip"})
		}
		for _, rule := range []string{"rule", "test-rule"} {
			elbv2.Rules.Put(tx, elbv2.Rule{Scope: here, ARN: rule, ListenerARN: "listener", Actions: []elbv2api.Action{{Type: "forward", TargetGroupArn: new(groupARN)}}})
		}
		return nil
	})
	must(w.CreateCluster(w.ctx, &ecsapi.CreateClusterInput{ClusterName: new("c"), CapacityProviders: []string{"FARGATE", "FARGATE_SPOT"}}))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (w *world) update(fn func(tx *store.Tx) error) {
	w.Helper()
	if err := w.store.Update(fn); err != nil {
		w.Fatal(err)
	}
}

// playAgent takes tasks through their life as their image says.
func (w *world) playAgent() loop.Loop {
	return loop.Loop{
		Name: "agent", Workers: 100,
		List: agent.Tasks.Keys,
		Keys: loop.Changed(agent.Tasks),
		Reconcile: func(_ context.Context, key string) (time.Duration, error) {
			t, err := agent.Tasks.Get(w.store.Snapshot(), key)
			if err != nil {
				return 0, nil
			}
			st, err := agent.Statuses.Get(w.store.Snapshot(), key)
			if err != nil {
				st = agent.Status{ARN: key, LastStatus: agent.Provisioning, Health: agent.HealthUnknown}
			}
			again := time.Second
			switch {
			case t.Remove:
				return 0, w.store.Update(func(tx *store.Tx) error { agent.Statuses.Delete(tx, key); return nil })
			case st.LastStatus == agent.Stopped:
				return 0, nil
			case t.Stopped:
				w.noteStop(t)
				st.LastStatus, st.StopCode, st.StoppedReason, st.StoppedAt = agent.Stopped, t.StopCode, t.StoppedReason, time.Now()
			case t.Containers[0].Image == "crash":
				st.LastStatus, st.StopCode, st.StoppedReason = agent.Stopped, "TaskFailedToStart", "CannotStartContainerError: exec /app: no such file or directory"
				st.StoppedAt = time.Now()
			case st.LastStatus == agent.Provisioning:
				st.LastStatus = agent.Pending
			default:
				st.LastStatus, st.StartedAt, again = agent.Running, time.Now(), 0
			}
			return again, w.store.Update(func(tx *store.Tx) error { agent.Statuses.Put(tx, st); return nil })
		},
	}
}

// noteStop checks the order of stopping: no target of the task is left.
func (w *world) noteStop(t agent.Task) {
	for target := range elbv2.Targets.List(w.store.Snapshot(), "") {
		if target.ID == t.IP && t.StopCode == "ServiceSchedulerInitiated" {
			w.undrained++
		}
	}
}

// playBalancer turns targets healthy after a second and drains them in five.
func (w *world) playBalancer() loop.Loop {
	return loop.Loop{
		Name: "balancer", Workers: 100,
		List: elbv2.Targets.Keys,
		Keys: loop.Changed(elbv2.Targets),
		Reconcile: func(_ context.Context, key string) (again time.Duration, err error) {
			return again, w.store.Update(func(tx *store.Tx) error {
				t, err := elbv2.Targets.Get(tx, key)
				if err != nil {
					return nil
				}
				switch age := time.Since(t.RegisteredAt); {
				case t.State == elbv2.Draining:
					if again = time.Until(t.DrainingAt.Add(5 * time.Second)); again <= 0 {
						elbv2.Targets.Delete(tx, key)
					}
				case t.State == elbv2.Initial && w.imageAt(tx, t.ID) == "sick":
					if again = 3*time.Second - age; again <= 0 {
						t.State, t.Description, again = elbv2.Unhealthy, "Health checks failed with these codes: [503]", 0
					}
				case t.State == elbv2.Initial:
					if again = time.Second - age; again <= 0 {
						t.State, again = elbv2.Healthy, 0
					}
				}
				if t.State != elbv2.Draining {
					elbv2.Targets.Put(tx, t)
				}
				return nil
			})
		},
	}
}

func (w *world) imageAt(r store.Reader, ip string) string {
	for t := range agent.Tasks.List(r, "") {
		if t.IP == ip && !t.Stopped {
			return t.Containers[0].Image
		}
	}
	return ""
}

// define registers a revision of family web that behaves as the image says.
func (w *world) define(image string) string {
	return *must(w.RegisterTaskDefinition(w.ctx, &ecsapi.RegisterTaskDefinitionInput{
		Family: new("web"), Cpu: new("256"), Memory: new("512"), RequiresCompatibilities: []ecsapi.Compatibility{"FARGATE"},
		ContainerDefinitions: []ecsapi.ContainerDefinition{{
			Name: new("web"), Image: &image, PortMappings: []ecsapi.PortMapping{{ContainerPort: new(int32(80))}},
		}},
	})).TaskDefinition.TaskDefinitionArn
}

// create makes a service with a load balancer, a breaker and n tasks.
func (w *world) create(image string, n int32) {
	w.define(image)
	must(w.CreateService(w.ctx, &ecsapi.CreateServiceInput{
		ServiceName: new("web"), Cluster: new("c"), TaskDefinition: new("web"), DesiredCount: &n,
		CapacityProviderStrategy: []ecsapi.CapacityProviderStrategyItem{{CapacityProvider: new("FARGATE_SPOT"), Base: new(int32(2)), Weight: new(int32(1))}},
		NetworkConfiguration: &ecsapi.NetworkConfiguration{AwsvpcConfiguration: &ecsapi.AwsVpcConfiguration{
			Subnets: []string{"subnet-a", "subnet-b", "subnet-c"}, SecurityGroups: []string{"sg-1"},
		}},
		LoadBalancers:           []ecsapi.LoadBalancer{{TargetGroupArn: new(groupARN), ContainerName: new("web"), ContainerPort: new(int32(80))}},
		DeploymentConfiguration: &ecsapi.DeploymentConfiguration{DeploymentCircuitBreaker: &ecsapi.DeploymentCircuitBreaker{Enable: new(true), Rollback: new(true)}},
	}))
}

// deploy updates the service to a new revision.
func (w *world) deploy(image string) {
	must(w.UpdateService(w.ctx, &ecsapi.UpdateServiceInput{Cluster: new("c"), Service: new("web"), TaskDefinition: new(w.define(image))}))
}

// let passes fake time in small steps and notes the extremes.
func (w *world) let(d time.Duration) {
	w.lowest, w.most = 1<<30, 0
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		healthy, live := 0, 0
		for _, t := range elbv2.GroupTargets(w.store.Snapshot(), groupARN) {
			if t.State == elbv2.Healthy {
				healthy++
			}
		}
		for t := range Tasks.List(w.store.Snapshot(), "") {
			if t.DesiredStatus == "RUNNING" {
				live++
			}
		}
		w.lowest, w.most = min(w.lowest, healthy), max(w.most, live)
	}
}

func (w *world) service() ecsapi.Service {
	out := must(w.DescribeServices(w.ctx, &ecsapi.DescribeServicesInput{Cluster: new("c"), Services: []string{"web"}}))
	return out.Services[0]
}

// transcript is the service's events, oldest first, with names for ids.
func (w *world) transcript() string {
	events := w.service().Events
	names, count := map[string]string{}, map[string]int{}
	name := func(kind, id string) string {
		if names[id] == "" {
			count[kind]++
			names[id] = fmt.Sprintf("%s-%d", kind, count[kind])
		}
		return names[id]
	}
	var b strings.Builder
	for i := len(events) - 1; i >= 0; i-- {
		words := strings.Fields(strings.ReplaceAll(*events[i].Message, groupARN, "GROUP"))
		for j, word := range words {
			id := strings.Trim(word, "().,:")
			switch {
			case len(id) == 32 && words[j-1] == "(task":
				words[j] = strings.Replace(word, id, name("task", id), 1)
			case strings.HasPrefix(id, "ecs-svc/"):
				words[j] = strings.Replace(word, id, name("deployment", id), 1)
			}
		}
		b.WriteString(strings.Join(words, " ") + "\n")
	}
	return b.String()
}
