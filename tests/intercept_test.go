package tests

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/logsapi"
)

// A task whose definition has a proxy configuration, seen from its application,
// from its proxy and from another task.
func TestInterception(t *testing.T) {
	w := platform(t)
	intercepts(w, w.pushProbe())
}

func intercepts(w world, image string) {
	w.Helper()
	n := w.network("dev")
	payment := w.address(n, "payment") + ":8080"
	arn := w.meshed(n, image, "192.0.2.1:443", payment, "169.254.170.2:80", "169.254.170.2:15010", "127.0.0.1:15001")
	w.eventually(60*time.Second, "the application has looked", func() (bool, error) {
		t := w.task(n, arn)
		return t.Containers[0].ExitCode != nil, nil
	})
	wanted := []string{
		`^heard :15001 took 192\.0\.2\.1:443$`, // to where nobody is
		"^heard :15001 took " + regexp.QuoteMeta(payment) + "$",
		"^failed: .*timeout",                     // the metadata endpoint, which waits for a question
		"^failed: .*connection refused",          // the mesh's configuration is the proxy's alone
		`^heard :15001 took 127\.0\.0\.1:15001$`, // its own
	}
	said := w.lines("p/app/"+arn[strings.LastIndexByte(arn, '/')+1:], len(wanted))
	for i, want := range wanted {
		if !regexp.MustCompile(want).MatchString(said[i]) {
			w.Errorf("the application says %q, want line %d to be %s", said, i, want)
		}
	}

	task := w.task(n, arn)
	if task.HealthStatus != "HEALTHY" {
		w.Errorf("the proxy, checked by its own program: %s", task.HealthStatus)
	}
	at := val(task.Containers[0].NetworkInterfaces[0].PrivateIpv4Address)
	for port, want := range map[string]string{"8080": "heard :15000 took " + at + ":8080", "8081": "heard :8081 took "} {
		_, heard := w.finished(n, w.probe(n, n.tasks, image, "hear", at+":"+port))
		if !strings.HasPrefix(heard, want) {
			w.Errorf("another task at port %s: %q, want %q", port, heard, want)
		}
	}
	call[ecsapi.StopTaskInput, ecsapi.StopTaskOutput](w, "ecs", "StopTask", &ecsapi.StopTaskInput{Cluster: &n.cluster, Task: &arn})
}

// meshed runs a task whose application hears at addresses, and whose proxy is a
// probe of the user 1337. Port 8080 is intercepted, 8081 is not.
func (w world) meshed(n network, image string, addresses ...string) string {
	w.Helper()
	logs := &ecsapi.LogConfiguration{LogDriver: "awslogs", Options: map[string]string{
		"awslogs-group": "/probe", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p", "awslogs-create-group": "true",
	}}
	properties := []ecsapi.KeyValuePair{}
	for _, kv := range [][2]string{{"IgnoredUID", "1337"}, {"ProxyIngressPort", "15000"}, {"ProxyEgressPort", "15001"}, {"AppPorts", "8080"}} {
		properties = append(properties, ecsapi.KeyValuePair{Name: &kv[0], Value: &kv[1]})
	}
	def := call[ecsapi.RegisterTaskDefinitionInput, ecsapi.RegisterTaskDefinitionOutput](w, "ecs", "RegisterTaskDefinition", &ecsapi.RegisterTaskDefinitionInput{
		Family: new("meshed"), NetworkMode: "awsvpc", Cpu: new("256"), Memory: new("512"), RequiresCompatibilities: []ecsapi.Compatibility{"FARGATE"},
		ExecutionRoleArn: new("arn:aws:iam::000000000000:role/probe"),
		ContainerDefinitions: []ecsapi.ContainerDefinition{
			{
				Name: new("app"), Image: &image, Command: append([]string{"hear"}, addresses...), Essential: new(false), LogConfiguration: logs,
				DependsOn: []ecsapi.ContainerDependency{{ContainerName: new("envoy"), Condition: "HEALTHY"}},
			},
			{
				Name: new("envoy"), Image: &image, Command: []string{"proxy", ":15000", ":15001", ":8081"}, Essential: new(true), LogConfiguration: logs,
				User: new("1337"), ReadonlyRootFilesystem: new(true), StopTimeout: new(int32(2)),
				HealthCheck: &ecsapi.HealthCheck{Command: []string{"CMD", "/app", "dial", "127.0.0.1:15001"}, Interval: new(int32(5))},
			},
		},
		ProxyConfiguration: &ecsapi.ProxyConfiguration{Type: "APPMESH", ContainerName: new("envoy"), Properties: properties},
	})
	out := call[ecsapi.RunTaskInput, ecsapi.RunTaskOutput](w, "ecs", "RunTask", &ecsapi.RunTaskInput{
		Cluster: &n.cluster, TaskDefinition: def.TaskDefinition.TaskDefinitionArn, LaunchType: "FARGATE",
		NetworkConfiguration: &ecsapi.NetworkConfiguration{AwsvpcConfiguration: &ecsapi.AwsVpcConfiguration{Subnets: n.subnets, SecurityGroups: []string{n.tasks}}},
	})
	if len(out.Tasks) != 1 {
		w.Fatalf("the task does not start: %v", out.Failures)
	}
	return val(out.Tasks[0].TaskArn)
}

// lines are what a container of a probe has said, once it has said so many.
func (w world) lines(stream string, count int) (said []string) {
	w.Helper()
	w.eventually(5*time.Second, "the lines of "+stream+" are in the log", func() (bool, error) {
		out, err := try[logsapi.GetLogEventsInput, logsapi.GetLogEventsOutput](w, "logs", "GetLogEvents",
			&logsapi.GetLogEventsInput{LogGroupName: new("/probe"), LogStreamName: &stream})
		if err != nil || len(out.Events) < count {
			return false, err
		}
		said = nil
		for _, ev := range out.Events {
			said = append(said, val(ev.Message))
		}
		return true, nil
	})
	return said
}
