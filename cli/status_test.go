package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
)

// taskFor is a task of a service in the state a test wants.
func taskFor(service, deployment, id, status string, change func(*ecsapi.Task)) ecsapi.Task {
	t := ecsapi.Task{
		TaskArn: new("arn:aws:ecs:us-east-1:000000000000:task/shop-cluster-dev/" + id), Group: new("service:" + service), StartedBy: &deployment,
		TaskDefinitionArn: new("arn:aws:ecs:us-east-1:000000000000:task-definition/" + service + ":7"), LastStatus: &status, DesiredStatus: new("RUNNING"),
		AvailabilityZone: new("us-east-1a"), CapacityProviderName: new("FARGATE_SPOT"), CreatedAt: new(time.Now().Add(-90 * time.Second)), HealthStatus: "HEALTHY",
		Attachments: []ecsapi.Attachment{{Details: []ecsapi.KeyValuePair{{Name: new("privateIPv4Address"), Value: new("10.0.3." + id[:1])}}}},
		Containers:  []ecsapi.Container{{Name: new("payment-container"), Image: new("localhost:4566/payment:1"), LastStatus: &status, RuntimeId: new(id + "-1")}},
	}
	if change != nil {
		change(&t)
	}
	return t
}

// sick is a platform in the middle of a deployment that goes wrong.
func sick(t *testing.T) *cloud {
	c := newCloud(t)
	c.stack("UPDATE_IN_PROGRESS")
	now := time.Now()
	service := func(name string, deployments ...ecsapi.Deployment) ecsapi.Service {
		return ecsapi.Service{
			ServiceArn: new(serviceARN + name), ServiceName: &name, Status: new("ACTIVE"), DesiredCount: new(int32(2)), RunningCount: new(int32(2)), PendingCount: new(int32(1)),
			LoadBalancers: []ecsapi.LoadBalancer{{TargetGroupArn: new(groupOne)}}, Deployments: deployments,
			Events: []ecsapi.ServiceEvent{{Id: new("1"), CreatedAt: &now, Message: new("(service " + name + ") registered 1 targets in (target-group " + groupOne + ")")}},
		}
	}
	c.services(service("payment-service-dev",
		ecsapi.Deployment{
			Id: new("ecs-svc/2"), Status: new("PRIMARY"), TaskDefinition: new("td/payment-service-dev:8"), RolloutState: "IN_PROGRESS", RolloutStateReason: new("ECS deployment ecs-svc/2 in progress."),
			DesiredCount: new(int32(2)), RunningCount: new(int32(1)), PendingCount: new(int32(1)), FailedTasks: new(int32(1)), CreatedAt: new(now.Add(-90 * time.Second)),
		},
		ecsapi.Deployment{
			Id: new("ecs-svc/1"), Status: new("ACTIVE"), TaskDefinition: new("td/payment-service-dev:7"), RolloutState: "COMPLETED",
			RunningCount: new(int32(1)), CreatedAt: new(now.Add(-50 * time.Hour)),
		}))
	c.tasks(
		taskFor("payment-service-dev", "ecs-svc/2", "1aaaaaaaaaaa", "RUNNING", nil),
		taskFor("payment-service-dev", "ecs-svc/2", "2bbbbbbbbbbb", "PENDING", func(t *ecsapi.Task) { t.HealthStatus = "UNKNOWN" }),
		taskFor("payment-service-dev", "ecs-svc/1", "3ccccccccccc", "RUNNING", func(t *ecsapi.Task) { t.CreatedAt = new(now.Add(-50 * time.Hour)) }),
		taskFor("payment-service-dev", "ecs-svc/1", "5eeeeeeeeeee", "DEACTIVATING", func(t *ecsapi.Task) {
			t.DesiredStatus, t.StopCode, t.StoppedReason = new("STOPPED"), "ServiceSchedulerInitiated", new("Scaling activity initiated by (deployment ecs-svc/2)")
		}),
		taskFor("payment-service-dev", "ecs-svc/2", "4ddddddddddd", "STOPPED", func(t *ecsapi.Task) {
			t.DesiredStatus, t.StopCode, t.StoppedReason, t.StoppedAt = new("STOPPED"), "EssentialContainerExited", new("Essential container in task exited"), new(now.Add(-20*time.Second))
			t.Containers[0].ExitCode = new(int32(3))
		}),
	)
	c.targets(
		target("10.0.3.1", "unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [500]"),
		target("10.0.3.3", "healthy", "", ""), target("10.0.3.5", "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"),
	)
	return c
}

func TestStatus(t *testing.T) {
	for name, args := range map[string][]string{"status": {"status"}, "status-json": {"status", "--json"}, "ps": {"ps", "-a"}} {
		synctest.Test(t, func(t *testing.T) {
			c := sick(t)
			code := c.run(t.Context(), args...)
			if want := map[bool]int{true: exitFailed, false: exitOK}[args[0] == "status"]; code != want {
				t.Errorf("%s: exit code %d, want %d: %s", name, code, want, c.err.String())
			}
			golden(t, name, c.out.String())
		})
	}
}

// golden compares with testdata/<name>.golden; UPDATE=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if os.Getenv("UPDATE") != "" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs from its golden (UPDATE=1 go test writes it):\n%s", name, got)
	}
}

func TestStatusOfNothing(t *testing.T) {
	c := newCloud(t)
	c.stack("")
	if code := c.run(t.Context(), "status", "--json"); code != exitFailed {
		t.Errorf("exit code %d: %s", code, c.err.String())
	}
	var r statusReport
	if err := json.Unmarshal(c.out.Bytes(), &r); err != nil || r.State != "NOT_DEPLOYED" || r.Services == nil {
		t.Errorf("%+v %v", r, err)
	}
}

func TestAge(t *testing.T) {
	now := time.Now()
	for want, d := range map[string]time.Duration{
		"0s": -time.Second, "59s": 59 * time.Second, "1m": 119 * time.Second, "1h1m": 61 * time.Minute, "47h59m": 48*time.Hour - time.Second, "2d": 50 * time.Hour,
	} {
		if got := age(now.Add(-d), now); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
}
