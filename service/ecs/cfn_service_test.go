package ecs

import (
	"testing"

	"github.com/slipway-dev/slipway/api/ecsapi"
)

// A strategy that the template no longer names is given up.
func TestATemplateWithoutStrategyRolls(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create("good", 1)
		row := must(Services.Get(w.store.Snapshot(), here.Key("c", "web")))
		r := serviceResource{w.Service}
		properties := func(strategy ecsapi.DeploymentStrategy) *serviceProperties {
			p := &serviceProperties{Cluster: "c", ServiceArn: row.ARN(), TaskDefinition: "web", DeploymentConfiguration: &ecsapi.DeploymentConfiguration{Strategy: strategy}}
			p.NetworkConfiguration = &networkProperties{AwsvpcConfiguration: row.Deployments[0].Network.AwsvpcConfiguration}
			return p
		}
		for _, strategy := range []ecsapi.DeploymentStrategy{"BLUE_GREEN", ""} {
			if err := r.Update(w.ctx, properties(""), properties(strategy)); err != nil {
				t.Fatal(err)
			}
			want := strategy
			if want == "" {
				want = "ROLLING"
			}
			if got := must(Services.Get(w.store.Snapshot(), Services.Key(row))).Configuration.Strategy; got != want {
				t.Errorf("%q makes it %s", strategy, got)
			}
		}
	})
}

// A rollback may undo more than the task definition: the stack has to see
// that what runs is not what its template asks for.
func TestATemplateKnowsItsRevision(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create("good", 1)
		row := must(Services.Get(w.store.Snapshot(), here.Key("c", "web")))
		rev := row.Deployments[0].Revision
		asked := func() *serviceProperties {
			return &serviceProperties{
				Cluster: "c", ServiceArn: row.ARN(), TaskDefinition: "web", LoadBalancers: rev.LoadBalancers, CapacityProviderStrategy: rev.Strategy,
				NetworkConfiguration: &networkProperties{AwsvpcConfiguration: rev.Network.AwsvpcConfiguration},
			}
		}
		r := serviceResource{w.Service}
		if !r.wanted(w.ctx, asked(), rev) {
			t.Error("the revision as it was asked for is not recognised")
		}
		for name, change := range map[string]func(*serviceProperties){
			"other subnets": func(p *serviceProperties) {
				p.NetworkConfiguration = &networkProperties{AwsvpcConfiguration: &ecsapi.AwsVpcConfiguration{Subnets: []string{"subnet-b"}}}
			},
			"no balancer":      func(p *serviceProperties) { p.LoadBalancers = nil },
			"other definition": func(p *serviceProperties) { p.TaskDefinition = w.define("good") },
		} {
			p := asked()
			change(p)
			if r.wanted(w.ctx, p, rev) {
				t.Errorf("%s: taken for what runs", name)
			}
		}
		p := asked()
		p.LoadBalancers = nil
		if err := r.Update(w.ctx, asked(), p); err != nil {
			t.Fatal(err)
		}
		if now := must(Services.Get(w.store.Snapshot(), Services.Key(row))); len(now.Deployments[0].LoadBalancers) != 0 {
			t.Error("the balancer that the template no longer has is still there")
		}
	})
}
