package eventbridge

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/control/rollout"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/service/ecr"
	"github.com/slipway-dev/slipway/service/ecs"
)

func detail(e map[string]any, name string) string {
	d, _ := e["detail"].(map[string]any)
	return fmt.Sprint(d[name])
}

func TestPushesAreTold(t *testing.T) {
	inWorld(t, func(w *world) {
		push := func(tag, digest string) {
			w.update(func(tx *store.Tx) {
				ecr.Tags.Put(tx, ecr.Tag{Scope: here, Repository: "shop/web", Tag: tag, Digest: digest, PushedAt: time.Now()})
			})
		}
		push("old", "sha256:0") // before there is a rule
		w.rule("pushes", `{"source":["aws.ecr"],"detail-type":["ECR Image Action"],"detail":{"action-type":["PUSH"],"image-tag":["latest"]}}`, nil)
		push("latest", "sha256:1")
		push("other", "sha256:1")
		got := w.told()
		if len(got) != 1 || detail(got[0], "repository-name") != "shop/web" || detail(got[0], "image-digest") != "sha256:1" || detail(got[0], "result") != "SUCCESS" {
			t.Fatalf("%v", got)
		}
		if got[0]["account"] != here.Account || got[0]["region"] != here.Region || got[0]["version"] != "0" {
			t.Errorf("%v", got[0])
		}
		time.Sleep(time.Second)
		push("latest", "sha256:1") // the same image again is a push, too
		if got := w.told(); len(got) != 1 {
			t.Errorf("%v", got)
		}
		w.rule("all", `{"source":["aws.ecr"]}`, nil)
		w.update(func(tx *store.Tx) { ecr.Tags.Delete(tx, here.Key("shop/web:other")) })
		if got := w.told(); len(got) != 1 || detail(got[0], "action-type") != "DELETE" || detail(got[0], "image-tag") != "other" || detail(got[0], "image-digest") != "sha256:1" {
			t.Errorf("%v", got)
		}
	})
}

func TestTasksAndServicesAreTold(t *testing.T) {
	inWorld(t, func(w *world) {
		w.rule("all", `{"source":["aws.ecs"]}`, nil)
		task := ecs.Task{Scope: here, ARN: here.ARN("ecs", "task/c/1"), ID: "1", Cluster: "c", DesiredStatus: "RUNNING"}
		w.update(func(tx *store.Tx) { ecs.Tasks.Put(tx, task) })
		w.told()
		w.update(func(tx *store.Tx) { agent.Statuses.Put(tx, agent.Status{ARN: task.ARN, LastStatus: "RUNNING"}) })
		got := w.told()
		if len(got) != 1 || got[0]["detail-type"] != "ECS Task State Change" || detail(got[0], "lastStatus") != "RUNNING" || detail(got[0], "taskArn") != task.ARN {
			t.Fatalf("%v", got)
		}
		w.update(func(tx *store.Tx) { ecs.Tasks.Delete(tx, task.ARN) })
		row := ecs.ServiceRow{Scope: here, Cluster: "c", Name: "web", Deployments: []ecs.Deployment{{
			Deployment: rollout.Deployment{ID: "ecs-svc/1", RolloutState: rollout.InProgress, Reason: "ECS deployment ecs-svc/1 in progress."},
		}}}
		w.update(func(tx *store.Tx) { ecs.Services.Put(tx, row) })
		if got := w.told(); len(got) != 1 || detail(got[0], "eventName") != "SERVICE_DEPLOYMENT_IN_PROGRESS" || detail(got[0], "eventType") != "INFO" {
			t.Errorf("%v", got)
		}
		row.SteadyAnnounced, row.Deployments = true, []ecs.Deployment{{Deployment: rollout.Deployment{ID: "ecs-svc/1", RolloutState: rollout.Completed}}}
		w.update(func(tx *store.Tx) { ecs.Services.Put(tx, row) })
		if got := w.told(); len(got) != 2 {
			t.Errorf("%v", got)
		}
		row.Deployments = []ecs.Deployment{{Deployment: rollout.Deployment{ID: "ecs-svc/2", RolloutState: rollout.Failed}}}
		w.update(func(tx *store.Tx) { ecs.Services.Put(tx, row) })
		if got := w.told(); len(got) != 1 || detail(got[0], "eventType") != "ERROR" {
			t.Errorf("%v", got)
		}
	})
}

func TestAlarmsAreTold(t *testing.T) {
	inWorld(t, func(w *world) {
		alarm := cloudwatch.Alarm{Scope: here, Name: "cpu", Namespace: "AWS/ECS", Metric: "CPUUtilization", State: "OK", StateAt: time.Now(), TransitionedAt: time.Now()}
		w.rule("alarms", `{"source":["aws.cloudwatch"]}`, nil)
		w.update(func(tx *store.Tx) { cloudwatch.Alarms.Put(tx, alarm) })
		if got := w.told(); len(got) != 0 {
			t.Errorf("a new alarm: %v", got)
		}
		time.Sleep(time.Minute)
		alarm.State, alarm.StateAt, alarm.TransitionedAt = "ALARM", time.Now(), time.Now()
		w.update(func(tx *store.Tx) { cloudwatch.Alarms.Put(tx, alarm) })
		got := w.told()
		if len(got) != 1 || detail(got[0], "alarmName") != "cpu" {
			t.Fatalf("%v", got)
		}
		d := got[0]["detail"].(map[string]any)
		if d["state"].(map[string]any)["value"] != "ALARM" || d["previousState"].(map[string]any)["value"] != "OK" {
			t.Errorf("%v", d)
		}
		synctest.Wait()
	})
}
