package awsapi

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi/sigv4"
)

// benchMux serves one small describe call.
func benchMux() *Mux {
	s := NewService("ecs")
	Handle(s, "DescribeServices", func(_ context.Context, in *ecsapi.DescribeServicesInput) (*ecsapi.DescribeServicesOutput, error) {
		now := time.Now()
		out := &ecsapi.DescribeServicesOutput{}
		for _, name := range in.Services {
			out.Services = append(out.Services, ecsapi.Service{
				ServiceName: &name, ClusterArn: in.Cluster, Status: new("ACTIVE"), CreatedAt: &now,
				DesiredCount: new(int32(2)), RunningCount: new(int32(2)), LaunchType: ecsapi.LaunchTypeFargate,
				Events: []ecsapi.ServiceEvent{{Id: new("1"), CreatedAt: &now, Message: new("(service web) has reached a steady state.")}},
			})
		}
		return out, nil
	})
	return NewMux(testConfig(), s)
}

const describeBody = `{"cluster":"default","services":["payment","order","notification"]}`

func describeCall() *http.Request {
	r := jsonCall(ecsPrefix+"DescribeServices", describeBody)
	sigv4.Sign(r, goodKey, "ecs", "eu-central-1", sigv4.Hash([]byte(describeBody)), time.Now())
	return r
}

// BenchmarkRequest is one signed request through the Mux, without the network:
// verify, decode, validate, call, encode.
func BenchmarkRequest(b *testing.B) {
	mux := benchMux()
	signed := describeCall()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := signed.Clone(signed.Context())
			r.Body = io.NopCloser(strings.NewReader(describeBody))
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Fatal(w.Body.String())
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// BenchmarkOverLoopback is the same over TCP with kept connections, the client
// sharing the machine.
func BenchmarkOverLoopback(b *testing.B) {
	server := httptest.NewServer(benchMux())
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	template := describeCall()
	template.Host = strings.TrimPrefix(server.URL, "http://")
	sigv4.Sign(template, goodKey, "ecs", "eu-central-1", sigv4.Hash([]byte(describeBody)), time.Now())
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := http.NewRequest(http.MethodPost, server.URL, strings.NewReader(describeBody))
			if err != nil {
				b.Fatal(err)
			}
			r.Header = template.Header
			resp, err := client.Do(r)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				b.Fatal(resp.Status)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// BenchmarkLoadModels is what the engine spends on models when it starts.
func BenchmarkLoadModels(b *testing.B) {
	for b.Loop() {
		for _, name := range []string{"ecs", "ecr", "elbv2", "ec2", "iam", "sts", "logs", "servicediscovery", "cloudformation"} {
			NewService(name)
		}
	}
}
