package tests

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

const paymentService = "payment-service-dev"

// attempts are revisions of a service, and how their deployment has to end.
var attempts = []struct {
	name   string
	spoil  func(*ecsapi.ContainerDefinition)
	status string
}{
	{"good", func(*ecsapi.ContainerDefinition) {}, "SUCCESSFUL"},
	{"crashes at start", func(c *ecsapi.ContainerDefinition) { c.Command = []string{"healthcheck"} }, "ROLLBACK_SUCCESSFUL"},
	{"good again", func(*ecsapi.ContainerDefinition) {}, "SUCCESSFUL"},
	{"never healthy", func(c *ecsapi.ContainerDefinition) {
		c.Environment = append(c.Environment, ecsapi.KeyValuePair{Name: new("PORT"), Value: new("18080")}) // where no balancer asks
	}, "ROLLBACK_SUCCESSFUL"},
	{"has no image", func(c *ecsapi.ContainerDefinition) { c.Image = new(*c.Image + "-missing") }, "ROLLBACK_SUCCESSFUL"},
}

// The engine is killed at random moments of deployments, rolling and
// blue/green, of revisions that are good and of others. Every deployment ends
// as it should: the good revision serves, of the bad one nothing is left; no
// task is lost or started twice, and in the end nothing stays behind.
//
// -chaos sets how often it is killed, -seed repeats a run.
func TestDeploymentsKilledAtRandom(t *testing.T) {
	before := rig.HostNow()
	w := newWorld(t)
	w.must(append(w.StartArgs(), "--speed", "20")...)
	w.must("up")
	strategies := []*ecsapi.DeploymentConfiguration{{Strategy: "ROLLING"}, {Strategy: "BLUE_GREEN", BakeTimeInMinutes: new(int32(0))}}
	for _, s := range strategies {
		s.DeploymentCircuitBreaker = &ecsapi.DeploymentCircuitBreaker{Enable: new(true), Rollback: new(true)}
	}
	random := rand.New(rand.NewPCG(*seed, 1))
	t.Logf("-seed %d", *seed)
	balancers := w.shiftable("payment")
	serves := *w.describe("payment").TaskDefinition
	kills, rounds := 0, 0
	var slowest time.Duration
	for ; kills < *repetitions; rounds++ {
		a := attempts[rounds%len(attempts)]
		release := fmt.Sprintf("d%d", rounds)
		revision := w.revise(serves, release, a.spoil)
		in := &ecsapi.UpdateServiceInput{
			Cluster: new("microservices-cluster-dev"), Service: new(paymentService), TaskDefinition: &revision,
			DeploymentConfiguration: strategies[rounds/len(attempts)%len(strategies)], HealthCheckGracePeriodSeconds: new(int32(0)),
		}
		if in.DeploymentConfiguration.Strategy == "BLUE_GREEN" {
			in.LoadBalancers = balancers
		}
		history := len(w.history())
		done := make(chan int)
		go func() { done <- w.killAtRandom(random, min(1+random.IntN(5), *repetitions-kills)) }()
		began := time.Now()
		asked[ecsapi.UpdateServiceInput, ecsapi.UpdateServiceOutput](w, "ecs", "UpdateService", in)
		n := <-done
		kills += n
		what := fmt.Sprintf("round %d: %s, %s, killed %d times", rounds, a.name, in.DeploymentConfiguration.Strategy, n)
		w.ended(what, a.status, history+1)
		slowest = max(slowest, time.Since(began))
		if a.status == "SUCCESSFUL" {
			serves = revision
		}
		w.onlyServes(what, serves)
	}
	t.Logf("%d deployments, %d kills: all ended as they should, the slowest after %s", rounds, kills, slowest.Round(time.Millisecond))
	st, err := w.Status()
	if err != nil {
		t.Fatal(err)
	}
	seen := rig.Descendants(st.Pid)
	w.must("down", "--all")
	if left := w.Leftovers(before, seen); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// revise registers a revision of payment's task definition that differs.
func (w world) revise(from, release string, spoil func(*ecsapi.ContainerDefinition)) (arn string) {
	w.Helper()
	d := asked[ecsapi.DescribeTaskDefinitionInput, ecsapi.DescribeTaskDefinitionOutput](w, "ecs", "DescribeTaskDefinition", &ecsapi.DescribeTaskDefinitionInput{TaskDefinition: &from}).TaskDefinition
	at := slices.IndexFunc(d.ContainerDefinitions, func(c ecsapi.ContainerDefinition) bool { return strings.HasSuffix(*c.Name, "-container") })
	c := &d.ContainerDefinitions[at]
	c.Environment = slices.DeleteFunc(c.Environment, func(kv ecsapi.KeyValuePair) bool { return *kv.Name == "RELEASE" })
	c.Environment = append(c.Environment, ecsapi.KeyValuePair{Name: new("RELEASE"), Value: &release})
	spoil(c)
	out := asked[ecsapi.RegisterTaskDefinitionInput, ecsapi.RegisterTaskDefinitionOutput](w, "ecs", "RegisterTaskDefinition", &ecsapi.RegisterTaskDefinitionInput{
		Family: d.Family, Cpu: d.Cpu, Memory: d.Memory, NetworkMode: d.NetworkMode, RequiresCompatibilities: d.RequiresCompatibilities,
		ExecutionRoleArn: d.ExecutionRoleArn, TaskRoleArn: d.TaskRoleArn, ContainerDefinitions: d.ContainerDefinitions, Volumes: d.Volumes, ProxyConfiguration: d.ProxyConfiguration,
	})
	return *out.TaskDefinition.TaskDefinitionArn
}

// killAtRandom kills the engine so often, at moments up to two seconds apart.
func (w world) killAtRandom(random *rand.Rand, times int) (kills int) {
	for range times {
		time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
		if st, err := w.Status(); err == nil && st.EnginePid != 0 && syscall.Kill(st.EnginePid, syscall.SIGKILL) == nil {
			kills++
		}
	}
	return kills
}

// asked is call for an engine that may be killed meanwhile: what got no answer
// is asked again, as every client does.
func asked[I, O any](w world, service, op string, in *I) (out *O) {
	w.Helper()
	w.eventually(time.Minute, service+" "+op, func() (bool, error) {
		var err error
		if out, err = try[I, O](w, service, op, in); err == nil {
			return true, nil
		}
		if e, refused := err.(*awsapi.Error); refused { //nolint:errorlint // call returns it bare
			w.Fatalf("%s %s: %v", service, op, e)
		}
		return false, err
	})
	return out
}

// history are the service deployments of payment, the newest first.
func (w world) history() []ecsapi.ServiceDeploymentBrief {
	w.Helper()
	var all []ecsapi.ServiceDeploymentBrief
	in := &ecsapi.ListServiceDeploymentsInput{Cluster: new("microservices-cluster-dev"), Service: new(paymentService)}
	for {
		out := asked[ecsapi.ListServiceDeploymentsInput, ecsapi.ListServiceDeploymentsOutput](w, "ecs", "ListServiceDeployments", in)
		all = append(all, out.ServiceDeployments...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return all
		}
	}
}

// ended waits for the end of payment's deployment, which has to be as wanted,
// and the only one that was begun.
func (w world) ended(what, status string, history int) {
	w.Helper()
	w.eventually(90*time.Second, what, func() (bool, error) {
		d := w.history()[0]
		return d.FinishedAt != nil, fmt.Errorf("it is %s: %s", d.Status, val(d.StatusReason))
	})
	all := w.history()
	if string(all[0].Status) != status || len(all) != history {
		w.Fatalf("%s: the deployment ended %s (%s), want %s; there are %d of them, want %d", what, all[0].Status, val(all[0].StatusReason), status, len(all), history)
	}
}

// onlyServes waits until two tasks of a revision are all that is left of the
// service, and six of the platform.
func (w world) onlyServes(what, revision string) {
	w.Helper()
	w.eventually(time.Minute, what+": two tasks of "+revision, func() (bool, error) {
		out := asked[ecsapi.DescribeServicesInput, ecsapi.DescribeServicesOutput](w, "ecs", "DescribeServices", &ecsapi.DescribeServicesInput{
			Cluster: new("microservices-cluster-dev"), Services: []string{paymentService},
		})
		s := out.Services[0]
		own, all := w.tasks("payment"), w.tasks("")
		good := *s.TaskDefinition == revision && *s.RunningCount == 2 && *s.PendingCount == 0 && len(s.Deployments) == 1 &&
			s.Deployments[0].RolloutState == "COMPLETED" && len(own) == 2 && len(all) == 6
		return good, fmt.Errorf("%s, %d running, %d pending, %d deployments, %s; %d processes of it, %d of all",
			*s.TaskDefinition, *s.RunningCount, *s.PendingCount, len(s.Deployments), s.Deployments[0].RolloutState, len(own), len(all))
	})
	w.eventually(30*time.Second, what+": an answer", func() (bool, error) { a := w.once("payment"); return a.Status == 200, fmt.Errorf("%s", a) })
}
