package tests

import (
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/logsapi"
)

// What may reach what, seen from inside tasks; and two platforms with the same
// addresses that know nothing of each other.
func TestNetwork(t *testing.T) {
	w := platform(t)
	w.must("up", "--environment", "twin")
	t.Cleanup(func() { w.must("down", "--environment", "twin") })

	image := w.pushProbe()
	dev, twin := w.network("dev"), w.network("twin")
	if dev.vpc == twin.vpc {
		t.Fatalf("both platforms are in %s", dev.vpc)
	}
	stranger := w.group(dev.vpc, "stranger")
	payment := w.address(dev, "payment")
	twinPayment := w.address(twin, "payment")

	type probe struct {
		story    string
		from     network
		group    string
		how, to  string
		through  bool
		answered string // regular expression
	}
	probes := []probe{
		{"private names resolve", dev, dev.tasks, "resolve", "payment.dev.local", true, `resolved \[10\.0\.[345]\.\d+ 10\.0\.[345]\.\d+\]`},
		{"a name of nobody does not", dev, dev.tasks, "resolve", "nobody.dev.local", false, "no such host"},
		{"tasks reach tasks by name", dev, dev.tasks, "dial", "payment.dev.local:8080", true, "connected to 10.0."},
		{"by address", dev, dev.tasks, "dial", payment + ":8080", true, "connected to " + payment},
		{"not on another port", dev, dev.tasks, "dial", payment + ":9999", false, "refused|timeout"},
		{"another security group does not reach them", dev, stranger, "dial", payment + ":8080", false, "i/o timeout|deadline"},
		{"but resolves", dev, stranger, "resolve", "payment.dev.local", true, "resolved"},
		{"the twin has its own names", twin, twin.tasks, "resolve", "payment.twin.local", true, `resolved \[10\.0\.`},
		{"and not the other's", twin, twin.tasks, "resolve", "payment.dev.local", false, "no such host"},
		{"and its own tasks, at addresses that may be the other's too", twin, twin.tasks, "dial", twinPayment + ":8080", true, "connected"},
		{"the user's own machine is out of reach", dev, dev.tasks, "hear", w.hostService(), false, "EOF|refused|timeout|unreachable|reset"},
	}
	arns := make([]string, len(probes))
	for i, p := range probes {
		arns[i] = w.probe(p.from, p.group, image, p.how, p.to)
	}
	for i, p := range probes {
		code, said := w.finished(p.from, arns[i])
		if (code == 0) != p.through || !regexp.MustCompile(p.answered).MatchString(said) {
			t.Errorf("%s: %s %s exits with %d and says %q", p.story, p.how, p.to, code, said)
		}
	}
	for _, env := range []string{"dev", "twin"} {
		host := strings.TrimSpace(w.must("outputs", "LoadBalancerDns", "--environment", env))
		body, err := w.tool("curl", "-fsS", "--max-time", "5", "http://"+host+"/payment/health")
		if err != nil {
			t.Error(err)
		}
		says(t, body, `"status":"ok"`)
	}
}

// hostService greets on every address of this machine and returns one that is not loopback, if it has one.
func (w world) hostService() string {
	w.Helper()
	l, err := net.Listen("tcp4", ":0")
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("this is the user's own machine"))
			c.Close()
		}
	}()
	_, number, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		w.Fatal(err)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		w.Fatal(err)
	}
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			return net.JoinHostPort(ip.IP.String(), number)
		}
	}
	return net.JoinHostPort("127.0.0.1", number)
}

// network is where a platform's tasks run.
type network struct {
	cluster, vpc, tasks string
	subnets             []string
}

func (w world) network(environment string) network {
	w.Helper()
	n := network{cluster: "microservices-cluster-" + environment}
	out := call[ecsapi.DescribeServicesInput, ecsapi.DescribeServicesOutput](w, "ecs", "DescribeServices",
		&ecsapi.DescribeServicesInput{Cluster: &n.cluster, Services: []string{"payment-service-" + environment}})
	if len(out.Services) != 1 {
		w.Fatalf("no platform %s: %v", environment, out.Failures)
	}
	c := out.Services[0].NetworkConfiguration.AwsvpcConfiguration
	n.subnets, n.tasks = c.Subnets, c.SecurityGroups[0]
	subnets := call[ec2api.DescribeSubnetsInput, ec2api.DescribeSubnetsOutput](w, "ec2", "DescribeSubnets", &ec2api.DescribeSubnetsInput{SubnetIds: n.subnets[:1]})
	n.vpc = val(subnets.Subnets[0].VpcId)
	return n
}

// group makes a security group that lets everything out and nothing in.
func (w world) group(vpc, name string) string {
	w.Helper()
	out := call[ec2api.CreateSecurityGroupInput, ec2api.CreateSecurityGroupOutput](w, "ec2", "CreateSecurityGroup",
		&ec2api.CreateSecurityGroupInput{GroupName: &name, Description: new("of a story"), VpcId: &vpc})
	w.Cleanup(func() {
		w.eventually(20*time.Second, "the group can be deleted", func() (bool, error) {
			_, err := try[ec2api.DeleteSecurityGroupInput, ec2api.DeleteSecurityGroupOutput](w, "ec2", "DeleteSecurityGroup", &ec2api.DeleteSecurityGroupInput{GroupId: out.GroupId})
			return err == nil, err
		})
	})
	return val(out.GroupId)
}

// address is the private address of one of a service's tasks.
func (w world) address(n network, service string) string {
	w.Helper()
	list := call[ecsapi.ListTasksInput, ecsapi.ListTasksOutput](w, "ecs", "ListTasks",
		&ecsapi.ListTasksInput{Cluster: &n.cluster, ServiceName: new(service + strings.Replace(n.cluster, "microservices-cluster", "-service", 1))})
	if len(list.TaskArns) == 0 {
		w.Fatalf("no task of %s runs", service)
	}
	t := w.task(n, list.TaskArns[0])
	return val(t.Containers[0].NetworkInterfaces[0].PrivateIpv4Address)
}

func (w world) task(n network, arn string) ecsapi.Task {
	w.Helper()
	out := call[ecsapi.DescribeTasksInput, ecsapi.DescribeTasksOutput](w, "ecs", "DescribeTasks", &ecsapi.DescribeTasksInput{Cluster: &n.cluster, Tasks: []string{arn}})
	if len(out.Tasks) != 1 {
		w.Fatalf("task %s: %v", arn, out.Failures)
	}
	return out.Tasks[0]
}

// probe runs the probe as a task and returns its ARN.
func (w world) probe(n network, group, image string, command ...string) string {
	w.Helper()
	def := call[ecsapi.RegisterTaskDefinitionInput, ecsapi.RegisterTaskDefinitionOutput](w, "ecs", "RegisterTaskDefinition", &ecsapi.RegisterTaskDefinitionInput{
		Family: new("probe"), NetworkMode: "awsvpc", Cpu: new("256"), Memory: new("512"), RequiresCompatibilities: []ecsapi.Compatibility{"FARGATE"},
		ExecutionRoleArn: new("arn:aws:iam::000000000000:role/probe"),
		ContainerDefinitions: []ecsapi.ContainerDefinition{{
			Name: new("probe"), Image: &image, Command: command, Essential: new(true),
			LogConfiguration: &ecsapi.LogConfiguration{LogDriver: "awslogs", Options: map[string]string{
				"awslogs-group": "/probe", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p", "awslogs-create-group": "true",
			}},
		}},
	})
	out := call[ecsapi.RunTaskInput, ecsapi.RunTaskOutput](w, "ecs", "RunTask", &ecsapi.RunTaskInput{
		Cluster: &n.cluster, TaskDefinition: def.TaskDefinition.TaskDefinitionArn, LaunchType: "FARGATE",
		NetworkConfiguration: &ecsapi.NetworkConfiguration{AwsvpcConfiguration: &ecsapi.AwsVpcConfiguration{Subnets: n.subnets, SecurityGroups: []string{group}}},
	})
	if len(out.Tasks) != 1 {
		w.Fatalf("the probe does not start: %v", out.Failures)
	}
	return val(out.Tasks[0].TaskArn)
}

// finished waits for a probe's end and returns its exit code and what it said.
func (w world) finished(n network, arn string) (code int32, said string) {
	w.Helper()
	var t ecsapi.Task
	w.eventually(30*time.Second, "the probe ends", func() (bool, error) {
		t = w.task(n, arn)
		return val(t.LastStatus) == "STOPPED", nil
	})
	c := t.Containers[0]
	if c.ExitCode == nil {
		w.Fatalf("the probe did not run: %s %s", val(t.StoppedReason), val(c.Reason))
	}
	stream := "p/probe/" + arn[strings.LastIndexByte(arn, '/')+1:]
	w.eventually(5*time.Second, "the probe's line is in the log", func() (bool, error) {
		out, err := try[logsapi.GetLogEventsInput, logsapi.GetLogEventsOutput](w, "logs", "GetLogEvents",
			&logsapi.GetLogEventsInput{LogGroupName: new("/probe"), LogStreamName: &stream})
		if err != nil || len(out.Events) == 0 {
			return false, err
		}
		for ev := range slices.Values(out.Events) {
			said += val(ev.Message)
		}
		return true, nil
	})
	return *c.ExitCode, said
}
