// Package gosdk lets the AWS SDK for Go speak to an engine that is started as a
// test suite of others would start it, in several accounts and regions at once,
// and to CloudWatch in the binary protocol (RPC v2 CBOR), with compressed
// requests. It is a module of its own, so that the SDK weighs on nobody who
// builds Slipway.
package gosdk

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	engine "github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// client is the SDK's client of a CloudWatch, and how many of its requests
// were compressed.
func client(t *testing.T) (*cloudwatch.Client, *atomic.Int32) {
	db, err := store.Open(store.Config{}, engine.Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := metrics.Open(metrics.Config{Path: filepath.Join(t.TempDir(), "metrics")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	mux := awsapi.NewMux(awsapi.Config{DefaultScope: arn.Scope{Account: "123456789012", Region: "us-east-1"}, AnyAuth: true}, engine.New(engine.Config{Store: db, Metrics: m}).API())
	compressed := &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Smithy-Protocol"); got != "rpc-v2-cbor" {
			t.Errorf("%s comes in protocol %q", r.URL.Path, got)
		}
		if r.Header.Get("Content-Encoding") == "gzip" {
			compressed.Add(1)
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return cloudwatch.New(cloudwatch.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
	}), compressed
}

func TestMetricsAndAlarms(t *testing.T) {
	c, compressed := client(t)
	ctx, at := t.Context(), time.Now().UTC().Truncate(time.Hour)
	var data []types.MetricDatum
	for i := range 200 {
		data = append(data, types.MetricDatum{
			MetricName: aws.String("CPU"), Timestamp: &at, Value: aws.Float64(float64(i)), Unit: types.StandardUnitPercent,
			Dimensions: []types.Dimension{{Name: aws.String("Host"), Value: aws.String(fmt.Sprintf("a-host-with-quite-a-long-name-%d", i%2))}},
		})
	}
	if _, err := c.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("App"), MetricData: data}); err != nil {
		t.Fatal(err)
	}
	if compressed.Load() != 1 {
		t.Errorf("%d requests were compressed", compressed.Load())
	}
	end := at.Add(time.Hour)
	out, err := c.GetMetricData(ctx, &cloudwatch.GetMetricDataInput{StartTime: &at, EndTime: &end, MetricDataQueries: []types.MetricDataQuery{
		{Id: aws.String("twice"), Expression: aws.String("m*2")},
		{Id: aws.String("m"), ReturnData: aws.Bool(false), MetricStat: &types.MetricStat{Period: aws.Int32(60), Stat: aws.String("Sum"), Metric: &types.Metric{
			Namespace: aws.String("App"), MetricName: aws.String("CPU"), Dimensions: []types.Dimension{{Name: aws.String("Host"), Value: aws.String("a-host-with-quite-a-long-name-0")}},
		}}},
	}})
	if err != nil || len(out.MetricDataResults) != 1 || len(out.MetricDataResults[0].Values) != 1 || out.MetricDataResults[0].Values[0] != 2*9900 || !out.MetricDataResults[0].Timestamps[0].Equal(at) {
		t.Errorf("%+v %v", out, err)
	}
	if _, err := c.PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{
		AlarmName: aws.String("high"), Namespace: aws.String("App"), MetricName: aws.String("CPU"), Statistic: types.StatisticAverage, Period: aws.Int32(60),
		EvaluationPeriods: aws.Int32(3), Threshold: aws.Float64(70), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
	}); err != nil {
		t.Fatal(err)
	}
	alarms, err := c.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{})
	if err != nil || len(alarms.MetricAlarms) != 1 || *alarms.MetricAlarms[0].Threshold != 70 || alarms.MetricAlarms[0].StateValue != types.StateValueInsufficientData {
		t.Errorf("%+v %v", alarms, err)
	}
	_, err = c.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"none"}})
	if err == nil || !strings.Contains(err.Error(), "ResourceNotFound") {
		t.Errorf("%v", err)
	}
}
