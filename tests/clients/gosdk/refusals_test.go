package gosdk

import (
	"bytes"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/appmesh"
	amtypes "github.com/aws/aws-sdk-go-v2/service/appmesh/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/servicediscovery"
	sdtypes "github.com/aws/aws-sdk-go-v2/service/servicediscovery/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// What is refused arrives in every protocol under the code, and as the type, that the SDK
// has for it: programs branch on them.
func TestRefusalsAreOfTheSDKsTypes(t *testing.T) {
	ctx, at, none := t.Context(), config("555555555555", "us-east-1"), aws.String("none")
	objects := s3.NewFromConfig(at, func(o *s3.Options) { o.UsePathStyle = true })
	for name, c := range map[string]struct {
		code string
		kind any // nil: the model has no type for it
		call func() error
	}{
		"ecs": {"ClusterNotFoundException", new(*ecstypes.ClusterNotFoundException), func() error {
			_, err := ecs.NewFromConfig(at).ListTasks(ctx, &ecs.ListTasksInput{Cluster: none})
			return err
		}},
		"ecr": {"RepositoryNotFoundException", new(*ecrtypes.RepositoryNotFoundException), func() error {
			_, err := ecr.NewFromConfig(at).ListImages(ctx, &ecr.ListImagesInput{RepositoryName: none})
			return err
		}},
		"logs": {"ResourceNotFoundException", new(*logstypes.ResourceNotFoundException), func() error {
			_, err := cloudwatchlogs.NewFromConfig(at).DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: none})
			return err
		}},
		"ssm": {"ParameterNotFound", new(*ssmtypes.ParameterNotFound), func() error {
			_, err := ssm.NewFromConfig(at).GetParameter(ctx, &ssm.GetParameterInput{Name: none})
			return err
		}},
		"appmesh": {"NotFoundException", new(*amtypes.NotFoundException), func() error {
			_, err := appmesh.NewFromConfig(at).DescribeMesh(ctx, &appmesh.DescribeMeshInput{MeshName: none})
			return err
		}},
		"servicediscovery": {"NamespaceNotFound", new(*sdtypes.NamespaceNotFound), func() error {
			_, err := servicediscovery.NewFromConfig(at).GetNamespace(ctx, &servicediscovery.GetNamespaceInput{Id: aws.String("ns-abcdefghijklmnop")})
			return err
		}},
		"applicationautoscaling": {"ObjectNotFoundException", new(*astypes.ObjectNotFoundException), func() error {
			_, err := applicationautoscaling.NewFromConfig(at).DeregisterScalableTarget(ctx, &applicationautoscaling.DeregisterScalableTargetInput{
				ServiceNamespace: astypes.ServiceNamespaceEcs, ScalableDimension: astypes.ScalableDimensionECSServiceDesiredCount, ResourceId: aws.String("service/none/none"),
			})
			return err
		}},
		"cloudwatch": {"ResourceNotFound", new(*cwtypes.ResourceNotFound), func() error {
			_, err := cloudwatch.NewFromConfig(at).DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"none"}})
			return err
		}},
		"cloudformation": {"ValidationError", nil, func() error {
			_, err := cloudformation.NewFromConfig(at).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: none})
			return err
		}},
		"iam": {"NoSuchEntity", new(*iamtypes.NoSuchEntityException), func() error {
			_, err := iam.NewFromConfig(at).GetRole(ctx, &iam.GetRoleInput{RoleName: none})
			return err
		}},
		"sts": {"ValidationError", nil, func() error {
			_, err := sts.NewFromConfig(at).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::555555555555:role/none"), RoleSessionName: aws.String("!")})
			return err
		}},
		"s3, a bucket": {"NoSuchBucket", new(*s3types.NoSuchBucket), func() error {
			_, err := objects.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("there-is-none-of-this-name")})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, c.call(), c.code, c.kind) })
	}
}

// Objects go through the SDK's checksums and chunks, and come back as they were.
func TestObjectsThroughTheSDK(t *testing.T) {
	ctx, c := t.Context(), s3.NewFromConfig(config("666666666666", "us-east-1"), func(o *s3.Options) { o.UsePathStyle = true })
	bucket, key := aws.String("objects-666666666666"), aws.String("a/key with ünusual=letters")
	if _, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("0123456789"), 50_000)
	for _, algorithm := range s3types.ChecksumAlgorithm("").Values()[:4] { // those of before 2025
		put, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: bytes.NewReader(want), ChecksumAlgorithm: algorithm})
		if err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		got, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key, ChecksumMode: s3types.ChecksumModeEnabled})
		if err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		b, err := io.ReadAll(got.Body) // checks the checksum
		if err != nil || !bytes.Equal(b, want) || aws.ToString(got.ETag) != aws.ToString(put.ETag) {
			t.Errorf("%s: %d bytes, %v, ETag %s put %s", algorithm, len(b), err, aws.ToString(got.ETag), aws.ToString(put.ETag))
		}
	}
	_, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("none")})
	refuses(t, err, "NoSuchKey", new(*s3types.NoSuchKey))
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: bytes.NewReader(want), IfNoneMatch: aws.String("*")})
	refuses(t, err, "PreconditionFailed", nil)
}
