package elbv2_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/seal"
	"github.com/slipway-dev/slipway/service/elbv2"
	"github.com/slipway-dev/slipway/service/s3"
)

// logged is a world with buckets for access logs.
type logged struct {
	*world
	s3 *s3.Service
}

func newLogged(t *testing.T, speed float64) *logged {
	l := &logged{}
	l.world = newWorld(t, func(c *elbv2.Config) {
		keys, err := seal.OpenKeyring(filepath.Join(t.TempDir(), "master.key"))
		if err != nil {
			t.Fatal(err)
		}
		if l.s3, err = s3.New(s3.Config{Store: c.Store, Dir: t.TempDir(), Keys: keys}); err != nil {
			t.Fatal(err)
		}
		c.Speed, c.Deliver = speed, l.s3.Deliver
	})
	return l
}

// bucket makes one with a statement in its policy for a principal.
func (l *logged) bucket(name, principal, resource string) {
	l.t.Helper()
	must(l.s3.CreateBucket(l.ctx, &s3api.CreateBucketInput{Bucket: &name}))(l.t)
	if principal == "" {
		return
	}
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":%s,"Action":"s3:PutObject","Resource":"arn:aws:s3:::%s"}]}`, principal, resource)
	must(l.s3.PutBucketPolicy(l.ctx, &s3api.PutBucketPolicyInput{Bucket: &name, Policy: &policy}))(l.t)
}

// enable asks for access logs.
func (l *logged) enable(lb elbv2api.LoadBalancer, bucket, prefix string) error {
	attribute := func(key, value string) elbv2api.LoadBalancerAttribute {
		return elbv2api.LoadBalancerAttribute{Key: new("access_logs.s3." + key), Value: &value}
	}
	_, err := l.s.ModifyLoadBalancerAttributes(l.ctx, &elbv2api.ModifyLoadBalancerAttributesInput{LoadBalancerArn: lb.LoadBalancerArn, Attributes: []elbv2api.LoadBalancerAttribute{
		attribute("enabled", "true"), attribute("bucket", bucket), attribute("prefix", prefix),
	}})
	return err
}

// keys are those of a bucket's objects.
func (l *logged) keys(bucket string) (keys []string) {
	l.t.Helper()
	for _, o := range must(l.s3.ListObjectsV2(l.ctx, &s3api.ListObjectsV2Input{Bucket: &bucket}))(l.t).Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

const (
	deliverer = `{"Service":"logdelivery.elasticloadbalancing.amazonaws.com"}`
	older     = `{"AWS":"arn:aws:iam::127311923021:root"}`
)

// Who asks for access logs is told at once whether the bucket takes them.
func TestAccessLogsNeedTheBucketsPermission(t *testing.T) {
	l := newLogged(t, 20)
	lb := l.balancer("web")
	l.bucket("no-policy", "", "")
	l.bucket("for-others", `{"Service":"delivery.logs.amazonaws.com"}`, "for-others/*")
	l.bucket("elsewhere-in-it", deliverer, "elsewhere-in-it/other/*")
	l.bucket("by-service", deliverer, "by-service/AWSLogs/123456789012/*")
	l.bucket("by-account", older, "by-account/web/AWSLogs/123456789012/*")
	for _, c := range []struct{ bucket, prefix, test string }{
		{"", "", ""},
		{"not-there", "", ""},
		{"no-policy", "", ""},
		{"for-others", "", ""},
		{"elsewhere-in-it", "", ""},
		{"by-account", "", ""},
		{"by-service", "", "AWSLogs/123456789012/ELBAccessLogTestFile"},
		{"by-account", "web", "web/AWSLogs/123456789012/ELBAccessLogTestFile"},
	} {
		err := l.enable(lb, c.bucket, c.prefix)
		was, _ := elbv2.LoadBalancers.Get(l.store.Snapshot(), *lb.LoadBalancerArn)
		switch {
		case c.test != "":
			if err != nil || !slices.Equal(l.keys(c.bucket), []string{c.test}) {
				t.Errorf("%s: %v, has %v", c.bucket, err, l.keys(c.bucket))
			}
		case code(err) != "InvalidConfigurationRequest" || c.bucket != "" && !strings.HasSuffix(err.Error(), "Access Denied for bucket: "+c.bucket+". Please check S3bucket permission"):
			t.Errorf("%s: %v", c.bucket, err)
		case was.Attributes["access_logs.s3.enabled"] != "":
			t.Errorf("%s: refused, and on", c.bucket)
		}
	}
	// A bucket of another region.
	far := scope
	far.Region = "eu-west-1"
	abroad := awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: far})
	must(l.s3.CreateBucket(abroad, &s3api.CreateBucketInput{Bucket: new("far"), CreateBucketConfiguration: &s3api.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}))(t)
	must(l.s3.PutBucketPolicy(abroad, &s3api.PutBucketPolicyInput{
		Bucket: new("far"), Policy: new(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + deliverer + `,"Action":"s3:PutObject","Resource":"arn:aws:s3:::far/*"}]}`),
	}))(t)
	if err := l.enable(lb, "far", ""); code(err) != "InvalidConfigurationRequest" {
		t.Error(err)
	}
}

// Every five minutes of the engine's clock there is a file of what was asked
// since, and a last one at the end.
func TestAccessLogsAreDelivered(t *testing.T) {
	l := newLogged(t, 3000)
	lb := l.balancer("web")
	l.listener(*lb.LoadBalancerArn, 80, notFound)
	l.bucket("logs", deliverer, "logs/*")
	if err := l.enable(lb, "logs", "web/front"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(l.ctx)
	done := make(chan error, 1)
	go func() { done <- l.s.DeliverLogs(ctx) }()
	l.until("logging", func() bool { l.curl("web.elb.localhost", "/first"); return len(l.keys("logs")) > 2 })
	l.curl("web.elb.localhost", "/last")
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^web/front/AWSLogs/123456789012/elasticloadbalancing/us-east-1/\d{4}/\d\d/\d\d/` +
		`123456789012_elasticloadbalancing_us-east-1_app\.web\.[0-9a-f]{16}_\d{8}T\d{4}Z_10\.0\.0\.\d+_[A-Z2-7]{8}\.log\.gz$`)
	var text strings.Builder
	for _, key := range l.keys("logs") {
		if strings.HasSuffix(key, "/ELBAccessLogTestFile") {
			continue
		}
		if !name.MatchString(key) {
			t.Errorf("a file is called %s", key)
		}
		out := must(l.s3.GetObject(l.ctx, &s3api.GetObjectInput{Bucket: new("logs"), Key: &key}))(t)
		zip, err := gzip.NewReader(out.Body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&text, zip); err != nil {
			t.Fatal(err)
		}
		_ = out.Body.Close()
	}
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) < 3 || !strings.Contains(text.String(), `"GET http://web.elb.localhost:80/last HTTP/1.1"`) {
		t.Errorf("%d lines:\n%s", len(lines), text.String())
	}
	entry := regexp.MustCompile(`^http \S+Z app/web/[0-9a-f]{16} 127\.0\.0\.1:\d+ - -1 -1 -1 404 - \d+ \d+ "GET `)
	for _, line := range lines {
		if !entry.MatchString(line) {
			t.Errorf("an entry is %s", line)
		}
	}
}
