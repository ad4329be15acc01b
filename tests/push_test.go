package tests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/api/ssmapi"
)

// A push under the tag that a service uses deploys it; one under another tag
// does not. A parameter reaches the container as a secret, when the execution
// role may read it.
func TestPushDeploys(t *testing.T) {
	w := newWorld(t)
	w.must(w.StartArgs()...)
	w.must("up", "--file", w.variantManifest("    port: 8080 ", "    deploy: {on_push: true}\n    port: 8080 "))
	const repository = "payment-service-dev"
	images := call[ecrapi.ListImagesInput, ecrapi.ListImagesOutput](w, "ecr", "ListImages", &ecrapi.ListImagesInput{RepositoryName: new(repository)})
	used := val(images.ImageIds[0].ImageTag)
	push := func(tag, by string) {
		t.Helper()
		ref := func(tag string) name.Reference {
			r, err := name.ParseReference(w.registry()+"/"+repository+":"+tag, name.Insecure)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		auth := remote.WithAuth(w.registryAuth())
		image, err := remote.Image(ref(used), auth)
		if err != nil {
			t.Fatal(err)
		}
		file, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		file.Config.Env = append(file.Config.Env, "PUSHED_BY="+by)
		if image, err = mutate.Config(image, file.Config); err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref(tag), image, auth); err != nil {
			t.Fatal(err)
		}
	}
	before := w.pids("payment")
	push("another", "nobody")
	_, stop := w.load(4, 10*time.Millisecond, "payment")
	push(used, "story")
	w.eventually(2*time.Minute, "what was pushed runs alone", func() (bool, error) {
		tasks, fresh := w.tasks("payment"), 0
		for _, p := range tasks {
			if p.Env("PUSHED_BY") == "story" {
				fresh++
			}
		}
		return fresh == len(before) && len(tasks) == fresh, fmt.Errorf("%d of %d tasks run what was pushed", fresh, len(tasks))
	})
	if f := stop().Failures(); len(f) > 0 {
		t.Errorf("%d requests failed meanwhile, the first: %s", len(f), f[0])
	}
	w.secret()
}

// secret gives a new revision of the service a parameter: first one that its
// role may not read, then the right.
func (w world) secret() {
	w.Helper()
	const cluster, service = "microservices-cluster-dev", "payment-service-dev"
	call[ssmapi.PutParameterInput, ssmapi.PutParameterOutput](w, "ssm", "PutParameter",
		&ssmapi.PutParameterInput{Name: new("/payment/key"), Value: new("tell nobody"), Type: ssmapi.ParameterTypeSecureString})
	d := call[ecsapi.DescribeTaskDefinitionInput, ecsapi.DescribeTaskDefinitionOutput](w, "ecs", "DescribeTaskDefinition",
		&ecsapi.DescribeTaskDefinitionInput{TaskDefinition: new(service)}).TaskDefinition
	for i := range d.ContainerDefinitions {
		if val(d.ContainerDefinitions[i].Name) == "payment-container" {
			d.ContainerDefinitions[i].Secrets = []ecsapi.Secret{{Name: new("PAYMENT_KEY"), ValueFrom: new("/payment/key")}}
		}
	}
	revision := call[ecsapi.RegisterTaskDefinitionInput, ecsapi.RegisterTaskDefinitionOutput](w, "ecs", "RegisterTaskDefinition", &ecsapi.RegisterTaskDefinitionInput{
		Family: d.Family, ContainerDefinitions: d.ContainerDefinitions, Cpu: d.Cpu, Memory: d.Memory, NetworkMode: d.NetworkMode,
		RequiresCompatibilities: d.RequiresCompatibilities, ExecutionRoleArn: d.ExecutionRoleArn, TaskRoleArn: d.TaskRoleArn,
		ProxyConfiguration: d.ProxyConfiguration, RuntimePlatform: d.RuntimePlatform,
	}).TaskDefinition.TaskDefinitionArn
	one := call[ecsapi.DescribeServicesInput, ecsapi.DescribeServicesOutput](w, "ecs", "DescribeServices",
		&ecsapi.DescribeServicesInput{Cluster: new(cluster), Services: []string{service}}).Services[0]
	run := func() string {
		out := call[ecsapi.RunTaskInput, ecsapi.RunTaskOutput](w, "ecs", "RunTask", &ecsapi.RunTaskInput{
			Cluster: new(cluster), TaskDefinition: revision, NetworkConfiguration: one.NetworkConfiguration, LaunchType: "FARGATE",
		})
		return val(out.Tasks[0].TaskArn)
	}
	stopped := func(task string) ecsapi.Task {
		return call[ecsapi.DescribeTasksInput, ecsapi.DescribeTasksOutput](w, "ecs", "DescribeTasks", &ecsapi.DescribeTasksInput{Cluster: new(cluster), Tasks: []string{task}}).Tasks[0]
	}
	task := run()
	w.eventually(time.Minute, "a task without permission fails", func() (bool, error) {
		t := stopped(task)
		return val(t.LastStatus) == "STOPPED", fmt.Errorf("it is %s", val(t.LastStatus))
	})
	says(w, val(stopped(task).StoppedReason), "ResourceInitializationError: unable to pull secrets or registry auth", "AccessDeniedException", "ssm:GetParameters")

	role := val(d.ExecutionRoleArn)
	role = role[strings.LastIndexByte(role, '/')+1:]
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ssm:GetParameters","Resource":"arn:aws:ssm:*:*:parameter/payment/*"}]}`
	call[iamapi.PutRolePolicyInput, iamapi.PutRolePolicyOutput](w, "iam", "PutRolePolicy",
		&iamapi.PutRolePolicyInput{RoleName: &role, PolicyName: new("secrets"), PolicyDocument: &policy})
	run()
	w.eventually(time.Minute, "the secret is in the environment", func() (bool, error) {
		for _, p := range w.tasks("payment") {
			if p.Env("PAYMENT_KEY") == "tell nobody" {
				return true, nil
			}
		}
		return false, fmt.Errorf("%d tasks run without it", len(w.tasks("payment")))
	})
}
