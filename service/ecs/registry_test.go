package ecs

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	api "github.com/slipway-dev/slipway/api/servicediscoveryapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/servicediscovery"
)

// mapped makes a service with two tasks that Cloud Map knows as web.dev.local.
func (w *world) mapped() {
	cloudMap := servicediscovery.New(servicediscovery.Config{Store: w.store})
	op := must(cloudMap.CreatePrivateDnsNamespace(w.ctx, &api.CreatePrivateDnsNamespaceInput{Name: new("dev.local"), Vpc: new("vpc-1")})).OperationId
	ns := must(cloudMap.GetOperation(w.ctx, &api.GetOperationInput{OperationId: op})).Operation.Targets["NAMESPACE"]
	svc := must(cloudMap.CreateService(w.ctx, &api.CreateServiceInput{
		Name: new("web"), NamespaceId: &ns, HealthCheckCustomConfig: &api.HealthCheckCustomConfig{},
		DnsConfig: &api.DnsConfig{DnsRecords: []api.DnsRecord{{Type: "A", TTL: new(int64(60))}}},
	})).Service
	must(w.RegisterTaskDefinition(w.ctx, &ecsapi.RegisterTaskDefinitionInput{
		Family: new("web"), Cpu: new("256"), Memory: new("512"), RequiresCompatibilities: []ecsapi.Compatibility{"FARGATE"},
		ContainerDefinitions: []ecsapi.ContainerDefinition{{
			Name: new("web"), Image: new("good"), HealthCheck: &ecsapi.HealthCheck{Command: []string{"CMD", "/web", "check"}},
		}},
	}))
	must(w.CreateService(w.ctx, &ecsapi.CreateServiceInput{
		ServiceName: new("web"), Cluster: new("c"), TaskDefinition: new("web"), DesiredCount: new(int32(2)), LaunchType: "FARGATE",
		NetworkConfiguration: &ecsapi.NetworkConfiguration{AwsvpcConfiguration: &ecsapi.AwsVpcConfiguration{
			Subnets: []string{"subnet-a", "subnet-b"}, SecurityGroups: []string{"sg-1"},
		}},
		ServiceRegistries: []ecsapi.ServiceRegistry{{RegistryArn: svc.Arn}},
	}))
}

// live are the tasks that shall run, oldest first.
func (w *world) live() (out []Task) {
	for t := range Tasks.List(w.store.Snapshot(), "") {
		if t.DesiredStatus == "RUNNING" {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b Task) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return out
}

// said writes what the agent would say of a task.
func (w *world) said(t Task, change func(*agent.Status)) {
	w.update(func(tx *store.Tx) error {
		st, err := agent.Statuses.Get(tx, t.ARN)
		if err != nil {
			return err
		}
		change(&st)
		agent.Statuses.Put(tx, st)
		return nil
	})
	time.Sleep(time.Millisecond)
	synctest.Wait()
}

// found are the ids of the tasks that a mesh finds, by the attributes of ECS.
func (w *world) found() map[string]bool {
	out := map[string]bool{}
	for _, e := range servicediscovery.Endpoints(w.store.Snapshot(), here, "dev.local", "web", map[string]string{
		"ECS_CLUSTER_NAME": "c", "ECS_SERVICE_NAME": "web", "ECS_TASK_DEFINITION_FAMILY": "web", "REGION": "us-east-1",
	}) {
		out[e.InstanceID] = e.Zone != "" && e.IP.IsValid()
	}
	return out
}

func (w *world) finds(what string, tasks ...Task) {
	w.Helper()
	want := map[string]bool{}
	for _, t := range tasks {
		want[t.ID] = true
	}
	if got := w.found(); !maps.Equal(got, want) {
		w.Errorf("%s: found %v, want %v", what, got, want)
	}
}

func TestCloudMapFollowsTasks(t *testing.T) {
	inWorld(t, func(w *world) {
		w.mapped()
		w.let(5 * time.Second)
		tasks := w.live()
		w.finds("running, not yet checked")
		for _, t := range tasks {
			w.said(t, func(st *agent.Status) { st.Health = agent.Healthy })
		}
		w.finds("checked", tasks...)
		w.said(tasks[0], func(st *agent.Status) { st.Health = agent.HealthUnknown })
		w.finds("one is in doubt", tasks[1])
		w.said(tasks[0], func(st *agent.Status) { st.Health = agent.Healthy })
		w.finds("it is well again", tasks...)

		// Its sidecar has died: the application is still being stopped.
		w.said(tasks[0], func(st *agent.Status) {
			st.LastStatus, st.StoppingAt, st.StopCode = agent.Stopping, time.Now(), "EssentialContainerExited"
		})
		w.finds("one is ending by itself", tasks[1])
		w.said(tasks[0], func(st *agent.Status) { st.LastStatus, st.StoppedAt = agent.Stopped, time.Now() })
		w.let(5 * time.Second)
		if next := w.live(); len(next) != 2 || next[0].ID != tasks[1].ID {
			t.Fatalf("replaced by %+v", next)
		}
		w.said(w.live()[1], func(st *agent.Status) { st.Health = agent.Healthy })
		w.finds("replaced", w.live()...)
	})
}

// stopped says whether the agent was told to stop a task.
func (w *world) stopped(t Task) bool {
	return must(agent.Tasks.Get(w.store.Snapshot(), t.ARN)).Stopped
}

func TestATaskLeavesCloudMapBeforeItIsStopped(t *testing.T) {
	inWorld(t, func(w *world) {
		w.mapped()
		w.let(5 * time.Second)
		tasks := w.live()
		for _, t := range tasks {
			w.said(t, func(st *agent.Status) { st.Health = agent.Healthy })
		}
		must(w.UpdateService(w.ctx, &ecsapi.UpdateServiceInput{Cluster: new("c"), Service: new("web"), DesiredCount: new(int32(1))}))
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		left := w.live()
		if len(left) != 1 {
			t.Fatalf("%d tasks", len(left))
		}
		gone := tasks[0]
		if gone.ID == left[0].ID {
			gone = tasks[1]
		}
		w.finds("scaled in", left...)
		if w.stopped(gone) {
			t.Error("it was told to stop before anybody could hear that it is gone")
		}
		w.let(2 * time.Second)
		if !w.stopped(gone) {
			t.Error("it still runs")
		}

		// StopTask does not wait, but the task is not found any more either.
		must(w.StopTask(w.ctx, &ecsapi.StopTaskInput{Cluster: new("c"), Task: &left[0].ID}))
		w.finds("stopped by a user")
		if !w.stopped(left[0]) {
			t.Error("it was not told to stop")
		}
	})
}
