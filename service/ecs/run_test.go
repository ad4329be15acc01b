package ecs

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/ec2"
)

// What a task would not get is refused when it is asked for.
func TestWhatNoTaskGetsIsRefused(t *testing.T) {
	type definition = ecsapi.RegisterTaskDefinitionInput
	web := func(change func(*ecsapi.ContainerDefinition)) func(*definition) {
		return func(d *definition) { change(&d.ContainerDefinitions[0]) }
	}
	secret := func(name, from string) func(*definition) {
		return func(d *definition) {
			d.ExecutionRoleArn = new("arn:aws:iam::000000000000:role/x")
			c := &d.ContainerDefinitions[0]
			c.Environment = []ecsapi.KeyValuePair{{Name: new("B"), Value: new("b")}}
			c.Secrets = []ecsapi.Secret{{Name: &name, ValueFrom: &from}}
		}
	}
	tests := []struct {
		name, want string
		change     func(*definition)
	}{
		{"nothing special", "", func(*definition) {}},
		{"pid mode", "pidMode task is not supported", func(d *definition) { d.PidMode = "task" }},
		{"Windows", "WINDOWS_SERVER_2022_CORE", func(d *definition) {
			d.RuntimePlatform = &ecsapi.RuntimePlatform{OperatingSystemFamily: "WINDOWS_SERVER_2022_CORE"}
		}},
		{"a path of the host", "host.sourcePath", func(d *definition) {
			d.Volumes = []ecsapi.Volume{{Name: new("v"), Host: &ecsapi.HostVolumeProperties{SourcePath: new("/")}}}
		}},
		{"EFS", "efsVolumeConfiguration of volume 'v'", func(d *definition) {
			d.Volumes = []ecsapi.Volume{{Name: new("v"), EfsVolumeConfiguration: &ecsapi.EFSVolumeConfiguration{FileSystemId: new("fs-1")}}}
		}},
		{"ephemeral storage", "between 21 and 200 GiB", func(d *definition) { d.EphemeralStorage = &ecsapi.EphemeralStorage{SizeInGiB: new(int32(5))} }},
		{"secrets without a role", "also specify a value for 'executionRoleArn'", web(func(c *ecsapi.ContainerDefinition) {
			c.Secrets = []ecsapi.Secret{{Name: new("A"), ValueFrom: new("/a")}}
		})},
		{"secrets", "", secret("A", "/a")},
		{"a secret by its ARN", "", secret("A", "arn:aws:ssm:eu-central-1:000000000000:parameter/a")},
		{"a secret of nothing", "name or ARN of a parameter", secret("A", "arn:aws:s3:::bucket")},
		{"a secret in place of a variable", "such as 'B'", secret("B", "/a")},
		{"a secret of Secrets Manager", "secrets from Secrets Manager of container 'web'", secret("A", "arn:aws:secretsmanager:eu-central-1:000000000000:secret:a-123456")},
		{"links", "networkMode=awsvpc", web(func(c *ecsapi.ContainerDefinition) { c.Links = []string{"db"} })},
		{"restarts", "restartPolicy", web(func(c *ecsapi.ContainerDefinition) {
			c.RestartPolicy = &ecsapi.ContainerRestartPolicy{Enabled: new(true)}
		})},
		{"restarts switched off", "", web(func(c *ecsapi.ContainerDefinition) {
			c.RestartPolicy = &ecsapi.ContainerRestartPolicy{Enabled: new(false)}
		})},
		{"another log driver", "log driver splunk", web(func(c *ecsapi.ContainerDefinition) {
			c.LogConfiguration = &ecsapi.LogConfiguration{LogDriver: "splunk"}
		})},
		{"logs without a group", "awslogs-group", func(d *definition) {
			d.ExecutionRoleArn = new("arn:aws:iam::000000000000:role/x")
			d.ContainerDefinitions[0].LogConfiguration = &ecsapi.LogConfiguration{LogDriver: "awslogs"}
		}},
		{"logs without a role", "execution role ARN to support log driver awslogs", web(func(c *ecsapi.ContainerDefinition) {
			c.LogConfiguration = &ecsapi.LogConfiguration{LogDriver: "awslogs", Options: map[string]string{"awslogs-group": "/g"}}
		})},
	}
	inWorld(t, func(w *world) {
		for _, tt := range tests {
			in := &definition{
				Family: new("web"), Cpu: new("256"), Memory: new("512"), RequiresCompatibilities: []ecsapi.Compatibility{"FARGATE"},
				ContainerDefinitions: []ecsapi.ContainerDefinition{{Name: new("web"), Image: new("good")}},
			}
			tt.change(in)
			_, err := w.RegisterTaskDefinition(w.ctx, in)
			if got := messageIn(err); !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			}
		}
	})
}

func messageIn(err error) string {
	if err == nil {
		return ""
	}
	return messageOf(err)
}

func (w *world) run(change func(*ecsapi.RunTaskInput)) (*ecsapi.RunTaskOutput, error) {
	in := &ecsapi.RunTaskInput{
		Cluster: new("c"), TaskDefinition: new("web"),
		NetworkConfiguration: &ecsapi.NetworkConfiguration{AwsvpcConfiguration: &ecsapi.AwsVpcConfiguration{Subnets: []string{"subnet-a"}, SecurityGroups: []string{"sg-1"}}},
	}
	change(in)
	return w.RunTask(w.ctx, in)
}

func TestRunTaskRefusals(t *testing.T) {
	strategy := func(items ...ecsapi.CapacityProviderStrategyItem) func(*ecsapi.RunTaskInput) {
		return func(in *ecsapi.RunTaskInput) { in.CapacityProviderStrategy = items }
	}
	item := func(name string, base, weight int32) ecsapi.CapacityProviderStrategyItem {
		return ecsapi.CapacityProviderStrategyItem{CapacityProvider: &name, Base: &base, Weight: &weight}
	}
	tests := map[string]func(*ecsapi.RunTaskInput){
		"Count must be between": func(in *ecsapi.RunTaskInput) { in.Count = new(int32(11)) },
		"ID 'subnet-x' does not exist": func(in *ecsapi.RunTaskInput) {
			in.NetworkConfiguration.AwsvpcConfiguration.Subnets = []string{"subnet-a", "subnet-x"}
		},
		"No Fargate configuration":        func(in *ecsapi.RunTaskInput) { in.Overrides = &ecsapi.TaskOverride{Cpu: new("1 vCPU")} },
		"propagateTags":                   func(in *ecsapi.RunTaskInput) { in.PropagateTags = "SERVICE" },
		"Placement constraints":           func(in *ecsapi.RunTaskInput) { in.PlacementStrategy = []ecsapi.PlacementStrategy{{Type: "random"}} },
		"provider mine was not found":     strategy(item("mine", 0, 1)),
		"Only one capacity provider":      strategy(item("FARGATE", 1, 1), item("FARGATE_SPOT", 1, 1)),
		"a weight greater than 0":         strategy(item("FARGATE", 0, 0), item("FARGATE_SPOT", 0, 0)),
		"both a launch type and capacity": func(in *ecsapi.RunTaskInput) { in.LaunchType = "FARGATE"; strategy(item("FARGATE", 0, 1))(in) },
	}
	inWorld(t, func(w *world) {
		w.define("good")
		for want, change := range tests {
			if _, err := w.run(change); !strings.Contains(messageIn(err), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		for range Tasks.List(w.store.Snapshot(), "") {
			t.Error("a refused request has started a task")
		}
	})
}

func TestRunTask(t *testing.T) {
	inWorld(t, func(w *world) {
		w.define("good")
		three := func(in *ecsapi.RunTaskInput) {
			in.Count, in.ClientToken, in.EnableECSManagedTags = new(int32(3)), new("once"), new(true)
			in.Tags = []ecsapi.Tag{{Key: new("team"), Value: new("a")}}
			in.CapacityProviderStrategy = []ecsapi.CapacityProviderStrategyItem{{CapacityProvider: new("FARGATE_SPOT"), Weight: new(int32(0))}}
		}
		first := must(w.run(three))
		again := must(w.run(three))
		if len(first.Tasks) != 3 || len(again.Tasks) != 3 || *first.Tasks[0].TaskArn != *again.Tasks[0].TaskArn && *first.Tasks[0].TaskArn != *again.Tasks[1].TaskArn && *first.Tasks[0].TaskArn != *again.Tasks[2].TaskArn {
			t.Errorf("%d tasks, and %d others for the same token", len(first.Tasks), len(again.Tasks))
		}
		_, err := w.run(func(in *ecsapi.RunTaskInput) { three(in); in.Group = new("other") })
		if e, ok := errors.AsType[*awsapi.Error](err); !ok || e.Code != "ConflictException" {
			t.Errorf("another request with the token: %v", err)
		}
		task := first.Tasks[0]
		if tags := tagset.Of(task.Tags); tags["aws:ecs:clusterName"] != "c" || tags["team"] != "a" {
			t.Errorf("tags %v", tags)
		}
		if *task.CapacityProviderName != "FARGATE_SPOT" || *task.EphemeralStorage.SizeInGiB != 20 {
			t.Errorf("on %s with %d GiB", *task.CapacityProviderName, *task.EphemeralStorage.SizeInGiB)
		}
		a, err := agent.Tasks.Get(w.store.Snapshot(), *task.TaskArn)
		if err != nil || a.DNS != "10.0.0.2" {
			t.Errorf("resolver %q, %v", a.DNS, err)
		}

		w.let(5 * time.Second)
		stop := &ecsapi.StopTaskInput{Cluster: new("c"), Task: task.TaskArn, Reason: new("enough")}
		must(w.StopTask(w.ctx, stop))
		w.let(5 * time.Second)
		stopped := must(w.StopTask(w.ctx, &ecsapi.StopTaskInput{Cluster: new("c"), Task: task.TaskArn, Reason: new("too late")})).Task
		if *stopped.LastStatus != "STOPPED" || *stopped.StoppedReason != "enough" || stopped.StopCode != "UserInitiated" {
			t.Errorf("stopped twice: %s, %s, %s", *stopped.LastStatus, *stopped.StoppedReason, stopped.StopCode)
		}
		list := must(w.ListTasks(w.ctx, &ecsapi.ListTasksInput{Cluster: new("c"), DesiredStatus: "STOPPED"})).TaskArns
		running := must(w.ListTasks(w.ctx, &ecsapi.ListTasksInput{Cluster: new("c")})).TaskArns
		if len(list) != 1 || list[0] != *task.TaskArn || len(running) != 2 {
			t.Errorf("stopped %v, running %v", list, running)
		}
	})
}

// A subnet without addresses is a failure of each task, not of the request.
func TestRunTaskWithoutAddresses(t *testing.T) {
	inWorld(t, func(w *world) {
		w.define("good")
		w.update(func(tx *store.Tx) error {
			ec2.Subnets.Put(tx, ec2.Subnet{Meta: ec2.Meta{Scope: here, ID: "subnet-small"}, VPC: "vpc-1", AZ: "us-east-1a", CIDR: "10.0.9.0/28"})
			for range 9 { // eleven addresses
				must(ec2.CreateInterface(tx, here, ec2.InterfaceSpec{ID: newTaskID(), SubnetID: "subnet-small", GroupIDs: []string{"sg-1"}}))
			}
			return nil
		})
		out := must(w.run(func(in *ecsapi.RunTaskInput) {
			in.Count = new(int32(3))
			in.NetworkConfiguration.AwsvpcConfiguration.Subnets = []string{"subnet-small"}
		}))
		if len(out.Tasks) != 2 || len(out.Failures) != 1 || *out.Failures[0].Reason != "RESOURCE:ENI" {
			t.Errorf("%d tasks, failures %+v", len(out.Tasks), out.Failures)
		}
	})
}

// A service that was deleted is shown for an hour, its name is free at once,
// and the revisions it used go when they are deleted.
func TestADeletedServiceIsForgotten(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create("good", 1)
		w.let(10 * time.Second)
		ref := w.service().TaskDefinition
		must(w.DeregisterTaskDefinition(w.ctx, &ecsapi.DeregisterTaskDefinitionInput{TaskDefinition: ref}))
		must(w.DeleteTaskDefinitions(w.ctx, &ecsapi.DeleteTaskDefinitionsInput{TaskDefinitions: []string{*ref}}))
		w.let(5 * time.Minute)
		if d := must(w.DescribeTaskDefinition(w.ctx, &ecsapi.DescribeTaskDefinitionInput{TaskDefinition: ref})); d.TaskDefinition.Status != "DELETE_IN_PROGRESS" {
			t.Errorf("in use, and %s", d.TaskDefinition.Status)
		}
		must(w.DeleteService(w.ctx, &ecsapi.DeleteServiceInput{Cluster: new("c"), Service: new("web"), Force: new(true)}))
		w.let(2 * time.Minute)
		if s := w.service(); *s.Status != "INACTIVE" || len(s.Events) == 0 {
			t.Errorf("deleted service is %s with %d events", *s.Status, len(s.Events))
		}
		if _, err := w.DescribeTaskDefinition(w.ctx, &ecsapi.DescribeTaskDefinitionInput{TaskDefinition: ref}); err == nil {
			t.Error("the deleted revision is still there")
		}
		w.create("good", 2)
		w.let(10 * time.Second)
		if s := w.service(); *s.Status != "ACTIVE" || *s.RunningCount != 2 {
			t.Errorf("made again: %s, %d running", *s.Status, *s.RunningCount)
		}
		must(w.DeleteService(w.ctx, &ecsapi.DeleteServiceInput{Cluster: new("c"), Service: new("web"), Force: new(true)}))
		time.Sleep(2 * keptStopped)
		synctest.Wait()
		out := must(w.DescribeServices(w.ctx, &ecsapi.DescribeServicesInput{Cluster: new("c"), Services: []string{"web"}}))
		if len(out.Services) != 0 || len(out.Failures) != 1 {
			t.Errorf("two hours later: %+v", out.Services)
		}
	})
}

// Tags are read without a write, and none of them is ours.
func TestTagsOfADefinition(t *testing.T) {
	inWorld(t, func(w *world) {
		ref := w.define("good")
		before := w.store.Snapshot().Revision()
		if tags := must(w.ListTagsForResource(w.ctx, &ecsapi.ListTagsForResourceInput{ResourceArn: &ref})).Tags; len(tags) != 0 {
			t.Errorf("%v", tags)
		}
		if w.store.Snapshot().Revision() != before {
			t.Error("reading tags has written")
		}
		must(w.TagResource(w.ctx, &ecsapi.TagResourceInput{ResourceArn: &ref, Tags: []ecsapi.Tag{{Key: new("a"), Value: new("1")}, {Key: new("b"), Value: new("2")}}}))
		must(w.UntagResource(w.ctx, &ecsapi.UntagResourceInput{ResourceArn: &ref, TagKeys: []string{"a"}}))
		if tags := tagset.Of(must(w.ListTagsForResource(w.ctx, &ecsapi.ListTagsForResourceInput{ResourceArn: &ref})).Tags); len(tags) != 1 || tags["b"] != "2" {
			t.Errorf("%v", tags)
		}
	})
}
