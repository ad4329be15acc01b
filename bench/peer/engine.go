package main

import (
	"archive/tar"
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

//go:embed template.json
var template string

const cluster = "bench"

// peer is an engine with one service.
type peer struct {
	*rig.Engine
	client  *awsapi.Client
	load    *load
	reach   *reach
	outputs map[string]string

	mu      sync.Mutex
	made    int    // services so far; each has a name of its own
	service string // empty: none
}

// start starts the engine, makes what a service needs and pushes the images.
func (p *peer) start(ctx context.Context, app string) error {
	if out, err := p.Run(ctx, p.StartArgs()...); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	var err error
	if p.client, err = p.Client(); err != nil {
		return err
	}
	if _, err := do[cloudformationapi.CreateStackInput, cloudformationapi.CreateStackOutput](ctx, p, "cloudformation", "CreateStack",
		&cloudformationapi.CreateStackInput{StackName: new("bench"), TemplateBody: &template}); err != nil {
		return err
	}
	err = rig.Until(ctx, time.Minute, "the stack is complete", func() (bool, error) {
		out, err := do[cloudformationapi.DescribeStacksInput, cloudformationapi.DescribeStacksOutput](ctx, p, "cloudformation", "DescribeStacks",
			&cloudformationapi.DescribeStacksInput{StackName: new("bench")})
		if err != nil {
			return false, err
		}
		p.outputs = map[string]string{}
		for _, o := range out.Stacks[0].Outputs {
			p.outputs[*o.OutputKey] = *o.OutputValue
		}
		return out.Stacks[0].StackStatus == "CREATE_COMPLETE", fmt.Errorf("stack is %s", out.Stacks[0].StackStatus)
	})
	if err != nil {
		return err
	}
	return p.push(ctx, app)
}

func do[I, O any](ctx context.Context, p *peer, service, op string, in *I) (*O, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, err := awsapi.Call[I, O](ctx, p.client, service, op, in)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", service, op, err)
	}
	return out, nil
}

// push pushes an image for each version that the benchmark knows.
func (p *peer) push(ctx context.Context, app string) error {
	program, err := os.ReadFile(app)
	if err != nil {
		return err
	}
	token, err := do[ecrapi.GetAuthorizationTokenInput, ecrapi.GetAuthorizationTokenOutput](ctx, p, "ecr", "GetAuthorizationToken", &ecrapi.GetAuthorizationTokenInput{})
	if err != nil {
		return err
	}
	secret, err := base64.StdEncoding.DecodeString(*token.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		return err
	}
	user, password, _ := strings.Cut(string(secret), ":")
	for _, version := range []string{"v1", "v2", "bad", "sick"} {
		img, err := imageOf(program, version)
		if err != nil {
			return err
		}
		ref, err := name.ParseReference(p.outputs["Repository"]+":"+version, name.Insecure)
		if err != nil {
			return err
		}
		if err := remote.Write(ref, img, remote.WithContext(ctx), remote.WithAuth(&authn.Basic{Username: user, Password: password})); err != nil {
			return fmt.Errorf("push %s: %w", ref, err)
		}
	}
	return nil
}

// imageOf is an image that holds the program at /app and its version in the
// environment.
func imageOf(program []byte, version string) (v1.Image, error) {
	var layer bytes.Buffer
	tw := tar.NewWriter(&layer)
	err := tw.WriteHeader(&tar.Header{Name: "app", Mode: 0o755, Size: int64(len(program))})
	if err == nil {
		_, err = tw.Write(program)
	}
	if err := errors.Join(err, tw.Close()); err != nil {
		return nil, err
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, l)
	if err != nil {
		return nil, err
	}
	return mutate.Config(img, v1.Config{Entrypoint: []string{"/app"}, Env: []string{"VERSION=" + version}})
}

// define registers a revision of the task definition. Images named swhc:
// have a health check of their own, at the shortest interval that ECS has.
func (p *peer) define(ctx context.Context, image string) (string, error) {
	kind, version, _ := strings.Cut(image, ":")
	c := ecsapi.ContainerDefinition{
		Name: new("web"), Image: new(p.outputs["Repository"] + ":" + version), Essential: new(true),
		Environment:  []ecsapi.KeyValuePair{{Name: new("SERVICE_NAME"), Value: new("web")}}, // by which the rig knows a task's process
		PortMappings: []ecsapi.PortMapping{{ContainerPort: new(int32(8080))}}, StopTimeout: new(int32(10)),
	}
	if kind == "swhc" {
		c.HealthCheck = &ecsapi.HealthCheck{Command: []string{"CMD", "/app", "-check"}, Interval: new(int32(5)), Timeout: new(int32(2)), Retries: new(int32(3))}
	}
	out, err := do[ecsapi.RegisterTaskDefinitionInput, ecsapi.RegisterTaskDefinitionOutput](ctx, p, "ecs", "RegisterTaskDefinition", &ecsapi.RegisterTaskDefinitionInput{
		Family: new("web"), Cpu: new("256"), Memory: new("512"), NetworkMode: "awsvpc", RequiresCompatibilities: []ecsapi.Compatibility{"FARGATE"},
		ContainerDefinitions: []ecsapi.ContainerDefinition{c},
	})
	if err != nil {
		return "", err
	}
	return *out.TaskDefinition.TaskDefinitionArn, nil
}

func (p *peer) create(ctx context.Context, n int32, image string) error {
	definition, err := p.define(ctx, image)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.made++
	p.service = fmt.Sprintf("web-%d", p.made)
	p.mu.Unlock()
	p.load.phase("create " + image)
	_, err = do[ecsapi.CreateServiceInput, ecsapi.CreateServiceOutput](ctx, p, "ecs", "CreateService", &ecsapi.CreateServiceInput{
		Cluster: new(cluster), ServiceName: &p.service, TaskDefinition: &definition, DesiredCount: &n, LaunchType: "FARGATE",
		NetworkConfiguration: &ecsapi.NetworkConfiguration{AwsvpcConfiguration: &ecsapi.AwsVpcConfiguration{
			Subnets: strings.Split(p.outputs["Subnets"], ","), SecurityGroups: []string{p.outputs["Group"]}, AssignPublicIp: "ENABLED",
		}},
		LoadBalancers:           []ecsapi.LoadBalancer{{TargetGroupArn: new(p.outputs["TargetGroup"]), ContainerName: new("web"), ContainerPort: new(int32(8080))}},
		DeploymentConfiguration: &ecsapi.DeploymentConfiguration{DeploymentCircuitBreaker: &ecsapi.DeploymentCircuitBreaker{Enable: new(true), Rollback: new(true)}},
	})
	return err
}

func (p *peer) change(ctx context.Context, in *ecsapi.UpdateServiceInput) error {
	p.mu.Lock()
	in.Cluster, in.Service = new(cluster), new(p.service)
	p.mu.Unlock()
	_, err := do[ecsapi.UpdateServiceInput, ecsapi.UpdateServiceOutput](ctx, p, "ecs", "UpdateService", in)
	return err
}

func (p *peer) update(ctx context.Context, image string) error {
	definition, err := p.define(ctx, image)
	if err != nil {
		return err
	}
	p.load.phase("update " + image)
	return p.change(ctx, &ecsapi.UpdateServiceInput{TaskDefinition: &definition})
}

func (p *peer) scale(ctx context.Context, n int32) error {
	p.load.phase(fmt.Sprintf("scale %d", n))
	return p.change(ctx, &ecsapi.UpdateServiceInput{DesiredCount: &n})
}

func (p *peer) remove(ctx context.Context) error {
	p.load.phase("")
	p.mu.Lock()
	service := p.service
	p.service = ""
	p.mu.Unlock()
	if service == "" {
		return nil
	}
	_, err := do[ecsapi.DeleteServiceInput, ecsapi.DeleteServiceOutput](ctx, p, "ecs", "DeleteService",
		&ecsapi.DeleteServiceInput{Cluster: new(cluster), Service: &service, Force: new(true)})
	return err
}

func (p *peer) kill(id string) error {
	p.load.phase("kill")
	pid, ok := p.reach.pid(id)
	if !ok {
		return fmt.Errorf("no task %s", id)
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// state is the newest deployment in the benchmark's words.
func (p *peer) state(ctx context.Context) string {
	p.mu.Lock()
	service := p.service
	p.mu.Unlock()
	if service == "" {
		return "none"
	}
	out, err := do[ecsapi.ListServiceDeploymentsInput, ecsapi.ListServiceDeploymentsOutput](ctx, p, "ecs", "ListServiceDeployments",
		&ecsapi.ListServiceDeploymentsInput{Cluster: new(cluster), Service: &service})
	if err != nil || len(out.ServiceDeployments) == 0 {
		return "none"
	}
	switch out.ServiceDeployments[0].Status {
	case "SUCCESSFUL":
		return "completed"
	case "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS":
		return "rolling_back"
	case "ROLLBACK_SUCCESSFUL":
		return "rolled_back"
	case "STOPPED", "ROLLBACK_FAILED":
		return "paused"
	}
	return "updating"
}
