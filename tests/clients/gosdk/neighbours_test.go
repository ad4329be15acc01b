package gosdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/appmesh"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/servicediscovery"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// neighbour is a test suite of its own, in an account and a region.
type neighbour struct {
	account, region string
	config          aws.Config
}

// bucket is what alone needs another name in each: those of buckets are everybody's.
func (n neighbour) bucket() string { return "results-" + n.account + "-" + n.region }

// furnish makes the same things under the same names in every suite.
func (n neighbour) furnish(t *testing.T) {
	ctx := t.Context()
	name := aws.String("web")
	for what, make := range map[string]func() error{
		"cluster": func() error {
			_, err := ecs.NewFromConfig(n.config).CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: name})
			return err
		},
		"repository": func() error {
			_, err := ecr.NewFromConfig(n.config).CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: name})
			return err
		},
		"log group": func() error {
			_, err := cloudwatchlogs.NewFromConfig(n.config).CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: name})
			return err
		},
		"mesh": func() error {
			_, err := appmesh.NewFromConfig(n.config).CreateMesh(ctx, &appmesh.CreateMeshInput{MeshName: name})
			return err
		},
		"namespace": func() error {
			_, err := servicediscovery.NewFromConfig(n.config).CreateHttpNamespace(ctx, &servicediscovery.CreateHttpNamespaceInput{Name: name})
			return err
		},
		"parameter": func() error {
			_, err := ssm.NewFromConfig(n.config).PutParameter(ctx, &ssm.PutParameterInput{Name: name, Value: aws.String(n.account + n.region), Type: ssmtypes.ParameterTypeString})
			return err
		},
		"metric": func() error {
			_, err := cloudwatch.NewFromConfig(n.config).PutMetricData(ctx, &cloudwatch.PutMetricDataInput{
				Namespace: name, MetricData: []cwtypes.MetricDatum{{MetricName: name, Value: aws.Float64(1)}},
			})
			return err
		},
		"bucket": func() error {
			c := s3.NewFromConfig(n.config, func(o *s3.Options) { o.UsePathStyle = true })
			in := &s3.CreateBucketInput{Bucket: aws.String(n.bucket())}
			if n.region != "us-east-1" {
				in.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(n.region)}
			}
			if _, err := c.CreateBucket(ctx, in); err != nil {
				return err
			}
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(n.bucket()), Key: name, Body: bytes.NewReader(make([]byte, 1<<16))})
			return err
		},
		"user": func() error {
			_, err := iam.NewFromConfig(n.config).CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("web-" + n.region)}) // users are of all regions
			return err
		},
	} {
		if err := make(); err != nil {
			t.Errorf("%s in %s %s: %v", what, n.account, n.region, err)
		}
	}
}

// sees lists what a suite finds, by kind.
func (n neighbour) sees(t *testing.T) map[string][]string {
	ctx, all := t.Context(), map[string][]string{}
	check := func(err error) {
		if err != nil {
			t.Errorf("in %s %s: %v", n.account, n.region, err)
		}
	}
	who, err := sts.NewFromConfig(n.config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	check(err)
	if err == nil && *who.Account != n.account {
		t.Errorf("%s is told that it is %s", n.account, *who.Account)
	}
	if out, err := ecs.NewFromConfig(n.config).ListClusters(ctx, &ecs.ListClustersInput{}); err == nil {
		all["clusters"] = out.ClusterArns
	} else {
		check(err)
	}
	if out, err := ecr.NewFromConfig(n.config).DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{}); err == nil {
		for _, r := range out.Repositories {
			all["repositories"] = append(all["repositories"], *r.RepositoryArn)
		}
	} else {
		check(err)
	}
	if out, err := cloudwatchlogs.NewFromConfig(n.config).DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{}); err == nil {
		for _, g := range out.LogGroups {
			all["log groups"] = append(all["log groups"], *g.LogGroupArn)
		}
	} else {
		check(err)
	}
	if out, err := appmesh.NewFromConfig(n.config).ListMeshes(ctx, &appmesh.ListMeshesInput{}); err == nil {
		for _, m := range out.Meshes {
			all["meshes"] = append(all["meshes"], *m.Arn)
		}
	} else {
		check(err)
	}
	if out, err := servicediscovery.NewFromConfig(n.config).ListNamespaces(ctx, &servicediscovery.ListNamespacesInput{}); err == nil {
		for _, m := range out.Namespaces {
			all["namespaces"] = append(all["namespaces"], *m.Arn)
		}
	} else {
		check(err)
	}
	if out, err := ssm.NewFromConfig(n.config).DescribeParameters(ctx, &ssm.DescribeParametersInput{}); err == nil {
		for _, p := range out.Parameters {
			all["parameters"] = append(all["parameters"], *p.ARN)
		}
	} else {
		check(err)
	}
	if out, err := cloudwatch.NewFromConfig(n.config).ListMetrics(ctx, &cloudwatch.ListMetricsInput{}); err == nil {
		for _, m := range out.Metrics {
			all["metrics"] = append(all["metrics"], *m.MetricName)
		}
	} else {
		check(err)
	}
	if out, err := s3.NewFromConfig(n.config, func(o *s3.Options) { o.UsePathStyle = true }).ListBuckets(ctx, &s3.ListBucketsInput{BucketRegion: &n.region}); err == nil {
		for _, b := range out.Buckets {
			all["buckets"] = append(all["buckets"], *b.Name)
		}
	} else {
		check(err)
	}
	if out, err := iam.NewFromConfig(n.config).ListUsers(ctx, &iam.ListUsersInput{}); err == nil {
		for _, u := range out.Users {
			all["users"] = append(all["users"], *u.Arn)
		}
	} else {
		check(err)
	}
	return all
}

// Suites of several accounts and regions run side by side, with the same names, and
// none sees another; one is reset, and the others have all that they had.
func TestNeighboursDoNotSeeEachOther(t *testing.T) {
	var all []neighbour
	for _, account := range []string{"111111111111", "222222222222", "333333333333"} {
		for _, region := range []string{"us-east-1", "eu-central-1"} {
			all = append(all, neighbour{account, region, config(account, region)})
		}
	}
	var group sync.WaitGroup
	for _, n := range all {
		group.Go(func() { n.furnish(t) })
	}
	group.Wait()
	full := func(n neighbour, users int) {
		t.Helper()
		sees := n.sees(t)
		for _, kind := range []string{"clusters", "repositories", "log groups", "meshes", "namespaces", "parameters", "metrics", "buckets"} {
			if len(sees[kind]) != 1 {
				t.Errorf("%s %s sees the %s %q, want its own", n.account, n.region, kind, sees[kind])
			}
		}
		if len(sees["users"]) != users {
			t.Errorf("%s sees the users %q, want %d", n.account, sees["users"], users)
		}
	}
	for _, n := range all {
		full(n, 2)
	}

	if c := reset(t, map[string]string{"account": "222222222222"}); c.Rows == 0 || c.Tasks != 0 {
		t.Errorf("the reset has removed %+v", c)
	}
	if c := reset(t, map[string]string{"account": "333333333333", "region": "us-east-1"}); c.Rows == 0 {
		t.Errorf("the reset has removed %+v", c)
	}
	for _, n := range all {
		switch {
		case n.account == "222222222222":
			if sees := n.sees(t); len(sees) > 0 && slices.ContainsFunc(slices.Collect(values(sees)), func(s []string) bool { return len(s) > 0 }) {
				t.Errorf("after its reset %s %s sees %q", n.account, n.region, sees)
			}
			continue
		case n.account == "333333333333" && n.region == "us-east-1":
			if sees := n.sees(t); len(sees["clusters"])+len(sees["buckets"])+len(sees["metrics"]) > 0 || len(sees["users"]) != 2 {
				t.Errorf("after the reset of its region %s %s sees %q", n.account, n.region, sees)
			}
			continue
		}
		full(n, 2)
	}
	again := all[slices.IndexFunc(all, func(n neighbour) bool { return n.account == "222222222222" })]
	again.furnish(t)
	full(again, 1)
}

func values[K comparable, V any](m map[K]V) func(func(V) bool) {
	return func(yield func(V) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

type cleared struct {
	Rows, Tasks            int
	Milliseconds, Stopping float64
}

// reset asks for it as any program would: the engine takes any credentials.
func reset(t *testing.T, what map[string]string) (c cleared) {
	t.Helper()
	body, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Timeout: 2 * time.Minute}).Post(home.Endpoint+"/_slipway/reset", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		t.Fatalf("reset %v: %v", what, err)
	}
	t.Logf("reset of %v: %s", what, bytes.TrimSpace(text))
	return c
}
