package gosdk

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// An account is reset while a task runs: the task is killed first, which the answer
// tells, and then nothing is left; the same can be made again.
func TestATaskThatRunsIsKilledByAReset(t *testing.T) {
	const account, region = "444444444444", "us-east-1"
	ctx, c := t.Context(), ecs.NewFromConfig(config(account, region))
	for range 2 {
		task := runTask(t, account, region, c)
		out := reset(t, map[string]string{"account": account})
		if out.Tasks != 1 || out.Stopping <= 0 || out.Stopping > out.Milliseconds {
			t.Errorf("the reset tells %+v, want one task and how long it took to end", out)
		}
		_, err := c.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String("web"), Tasks: []string{task}})
		refuses(t, err, "ClusterNotFoundException", new(*types.ClusterNotFoundException))
		groups, err := cloudwatchlogs.NewFromConfig(config(account, region)).DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{})
		if err != nil || len(groups.LogGroups) > 0 {
			t.Errorf("log groups are left: %+v %v", groups, err)
		}
		if out := reset(t, map[string]string{"account": account}); out.Rows != 0 || out.Tasks != 0 {
			t.Errorf("after a reset another removes %+v", out)
		}
	}
}

// runTask runs a task in a VPC of its own, and returns its ARN when it runs.
func runTask(t *testing.T, account, region string, c *ecs.Client) string {
	t.Helper()
	ctx := t.Context()
	// The SDK's EC2 takes minutes to compile.
	raw := awsapi.NewClient(awsapi.ClientConfig{Endpoint: home.Endpoint, Region: region, AccessKey: account, SecretKey: "any"})
	vpc, err := awsapi.Call[ec2api.CreateVpcInput, ec2api.CreateVpcOutput](ctx, raw, "ec2", "CreateVpc", &ec2api.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
	if err != nil {
		t.Fatal(err)
	}
	subnet, err := awsapi.Call[ec2api.CreateSubnetInput, ec2api.CreateSubnetOutput](ctx, raw, "ec2", "CreateSubnet",
		&ec2api.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String("10.0.1.0/24")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("web")}); err != nil {
		t.Fatal(err)
	}
	def, err := c.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("web"), NetworkMode: types.NetworkModeAwsvpc, Cpu: aws.String("256"), Memory: aws.String("512"),
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate}, ExecutionRoleArn: aws.String("arn:aws:iam::" + account + ":role/web"),
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("web"), Image: aws.String("840364872350.dkr.ecr.us-west-2.amazonaws.com/aws-appmesh-envoy:v1.29.12.1-prod"), // the built-in sidecar
			LogConfiguration: &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
				"awslogs-group": "/web", "awslogs-region": region, "awslogs-stream-prefix": "w", "awslogs-create-group": "true",
			}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.RunTask(ctx, &ecs.RunTaskInput{
		Cluster: aws.String("web"), TaskDefinition: def.TaskDefinition.TaskDefinitionArn, LaunchType: types.LaunchTypeFargate,
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{*subnet.Subnet.SubnetId}}},
	})
	if err != nil || len(out.Tasks) != 1 {
		t.Fatalf("%+v %v", out, err)
	}
	task := *out.Tasks[0].TaskArn
	soon(t, "the task runs", func() (bool, error) {
		out, err := c.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String("web"), Tasks: []string{task}})
		return err == nil && len(out.Tasks) == 1 && aws.ToString(out.Tasks[0].LastStatus) == "RUNNING", err
	})
	return task
}
