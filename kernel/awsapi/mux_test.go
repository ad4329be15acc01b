package awsapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/stsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi/sigv4"
)

// bench is a Mux with a few operations, called with hand-made requests.
type bench struct {
	mux    *Mux
	caller Caller
	now    time.Time
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newBench(change func(*Config)) *bench {
	b := &bench{now: noon}
	c := testConfig()
	c.Now = func() time.Time { return b.now }
	if change != nil {
		change(&c)
	}
	ecs, ec2, sts, ecr := NewService("ecs"), NewService("ec2"), NewService("sts"), NewService("ecr")
	Handle(ecs, "ListClusters", func(ctx context.Context, in *ecsapi.ListClustersInput) (*ecsapi.ListClustersOutput, error) {
		b.caller = CallerOf(ctx)
		page, next, err := Page([]string{"a", "b", "c"}, func(s string) string { return s }, in.NextToken, 0, 2)
		if err != nil {
			return nil, err
		}
		return &ecsapi.ListClustersOutput{ClusterArns: page, NextToken: next}, nil
	})
	Handle(ecs, "DescribeServices", func(context.Context, *ecsapi.DescribeServicesInput) (*ecsapi.DescribeServicesOutput, error) {
		return nil, &Error{Code: "ClusterNotFoundException", Message: "Cluster not found.", Fields: map[string]any{"clusterName": "x"}}
	})
	Handle(ecs, "CreateCluster", func(context.Context, *ecsapi.CreateClusterInput) (*ecsapi.CreateClusterOutput, error) {
		panic("boom")
	})
	Handle(ec2, "DescribeVpcs", func(context.Context, *ec2api.DescribeVpcsInput) (*ec2api.DescribeVpcsOutput, error) {
		return nil, Errorf("InvalidVpcID.NotFound", 400, "The vpc ID 'vpc-<1>' does not exist")
	})
	Handle(ecs, "ListTasks", func(context.Context, *ecsapi.ListTasksInput) (*ecsapi.ListTasksOutput, error) {
		return &ecsapi.ListTasksOutput{}, nil
	})
	Handle(ec2, "DescribeSubnets", func(context.Context, *ec2api.DescribeSubnetsInput) (*ec2api.DescribeSubnetsOutput, error) {
		return &ec2api.DescribeSubnetsOutput{}, nil
	})
	Handle(sts, "GetCallerIdentity", func(ctx context.Context, _ *stsapi.GetCallerIdentityInput) (*stsapi.GetCallerIdentityOutput, error) {
		c := CallerOf(ctx)
		return &stsapi.GetCallerIdentityOutput{Account: &c.Account, Arn: &c.ARN, UserId: &c.UserID}, nil
	})
	Handle(sts, "AssumeRoleWithWebIdentity", func(context.Context, *stsapi.AssumeRoleWithWebIdentityInput) (*stsapi.AssumeRoleWithWebIdentityOutput, error) {
		return nil, Errorf("InvalidIdentityToken", 0, "no")
	})
	Handle(ecr, "DeleteRepository", func(context.Context, *ecrapi.DeleteRepositoryInput) (*ecrapi.DeleteRepositoryOutput, error) {
		return nil, io.ErrUnexpectedEOF
	})
	b.mux = NewMux(c, ecs, ec2, sts, ecr)
	return b
}

// jsonCall is an unsigned call of a JSON service.
func jsonCall(target, body string) *http.Request {
	r := httptest.NewRequest("POST", "http://127.0.0.1:4566/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", target)
	return r
}

func formCall(form string) *http.Request {
	r := httptest.NewRequest("POST", "http://127.0.0.1:4566/", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return r
}

const (
	listClusters = "AmazonEC2ContainerServiceV20141113.ListClusters"
	ecsPrefix    = "AmazonEC2ContainerServiceV20141113."
	identity     = "Action=GetCallerIdentity&Version=2011-06-15"
)

// signed signs r for the service as of the bench's time.
func (b *bench) signed(r *http.Request, service string, key sigv4.Key) *http.Request {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	sigv4.Sign(r, key, service, "eu-central-1", sigv4.Hash(body), b.now)
	return r
}

func (b *bench) do(r *http.Request) (status int, body string, header http.Header) {
	w := httptest.NewRecorder()
	b.mux.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

var goodKey = sigv4.Key{AccessKey: testKey, Secret: testSecret}

func TestAnswersAreAWSs(t *testing.T) {
	wrong := sigv4.Key{AccessKey: testKey, Secret: "wrong"}
	stranger := sigv4.Key{AccessKey: "AKIDNOBODY", Secret: testSecret}
	tokened := sigv4.Key{AccessKey: testKey, Secret: testSecret, SessionToken: "stray"}
	for _, c := range []struct {
		name    string
		request *http.Request
		service string
		key     sigv4.Key
		status  int
		want    []string
	}{
		{"json: good", jsonCall(listClusters, "{}"), "ecs", goodKey, 200, []string{`{"clusterArns":["a","b"],"nextToken":`}},
		{"json: nothing found", jsonCall(ecsPrefix+"ListTasks", "{}"), "ecs", goodKey, 200, []string{`{"taskArns":[]}`}},
		{"json: wrong secret", jsonCall(listClusters, "{}"), "ecs", wrong, 400, []string{`"__type":"InvalidSignatureException"`, "does not match the signature you provided"}},
		{"json: unknown key", jsonCall(listClusters, "{}"), "ecs", stranger, 400, []string{`"UnrecognizedClientException"`, "The security token included in the request is invalid."}},
		{"json: stray token", jsonCall(listClusters, "{}"), "ecs", tokened, 400, []string{`"UnrecognizedClientException"`}},
		{"json: unsigned", jsonCall(listClusters, "{}"), "", goodKey, 400, []string{`"MissingAuthenticationTokenException"`, "Missing Authentication Token"}},
		{"json: modelled error", jsonCall(ecsPrefix+"DescribeServices", `{"services":["x"]}`), "ecs", goodKey, 400, []string{`{"__type":"ClusterNotFoundException","message":"Cluster not found.","clusterName":"x"}`}},
		{"json: panic", jsonCall(ecsPrefix+"CreateCluster", "{}"), "ecs", goodKey, 500, []string{`"ServerException"`, "An internal error occurred"}},
		{"json: unimplemented", jsonCall(ecsPrefix+"DeleteCluster", "{}"), "ecs", goodKey, 400, []string{`"UnknownOperationException"`, "DeleteCluster of ecs is not implemented by this engine"}},
		{"json: unknown operation", jsonCall(ecsPrefix+"Frobnicate", "{}"), "ecs", goodKey, 400, []string{`"UnknownOperationException"`, "Frobnicate"}},
		{"json: unknown service", jsonCall("TrentService.ListKeys", "{}"), "kms", goodKey, 400, []string{`"UnknownOperationException"`, "is not a service implemented by this engine"}},
		{"json: not json", jsonCall(listClusters, "{"), "ecs", goodKey, 400, []string{`"SerializationException"`}},
		{"json: wrong type", jsonCall(listClusters, `{"nextToken":7}`), "ecs", goodKey, 400, []string{`"SerializationException"`, "NUMBER_VALUE can not be converted to a String"}},
		{"json: missing value in ECS", jsonCall(ecsPrefix+"DescribeServices", "{}"), "ecs", goodKey, 400, []string{`"InvalidParameterException"`, "Services can not be blank."}},
		{"json: enumeration in ECS", jsonCall(listClusters, `{}`), "ecs", goodKey, 200, nil},
		{"json: pattern in ECR", jsonCall("AmazonEC2ContainerRegistry_V20150921.DeleteRepository", `{"repositoryName":"UPPER"}`), "ecr", goodKey, 400, []string{`"InvalidParameterException"`, "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression"}},
		{"json: not our error", jsonCall("AmazonEC2ContainerRegistry_V20150921.DeleteRepository", `{"repositoryName":"fine"}`), "ecr", goodKey, 500, []string{`"InternalFailure"`}},
		{"json: foreign page token", jsonCall(listClusters, `{"nextToken":"abc"}`), "ecs", goodKey, 400, []string{`"InvalidParameterException"`, "Invalid token"}},
		{"query: good", formCall(identity), "sts", goodKey, 200, []string{`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>`, "<Arn>arn:aws:iam::123456789012:root</Arn>", "<ResponseMetadata><RequestId>"}},
		{"query: wrong secret", formCall(identity), "sts", wrong, 403, []string{"<Code>SignatureDoesNotMatch</Code>", "<Type>Sender</Type>"}},
		{"query: unknown key", formCall(identity), "sts", stranger, 403, []string{"<Code>InvalidClientTokenId</Code>"}},
		{"query: unsigned", formCall(identity), "", goodKey, 403, []string{"<Code>MissingAuthenticationToken</Code>"}},
		{"query: unsigned where allowed", formCall("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/x&RoleSessionName=xx&WebIdentityToken=abcd"), "", goodKey, 400, []string{"<Code>InvalidIdentityToken</Code>"}},
		{"query: validation", formCall("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=short&RoleSessionName=xx"), "", goodKey, 400, []string{"<Code>ValidationError</Code>", "2 validation errors detected: Value &#39;short&#39; at &#39;roleArn&#39;"}},
		{"query: unimplemented", formCall("Action=GetSessionToken&Version=2011-06-15"), "sts", goodKey, 400, []string{"<Code>InvalidAction</Code>", "GetSessionToken of sts is not implemented by this engine"}},
		{"ec2: error", formCall("Action=DescribeVpcs&Version=2016-11-15"), "ec2", goodKey, 400, []string{"<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>The vpc ID 'vpc-&lt;1&gt;' does not exist</Message>", "<RequestID>"}},
		{"ec2: nothing found", formCall("Action=DescribeSubnets&Version=2016-11-15"), "ec2", goodKey, 200, []string{"</requestId><subnetSet></subnetSet></DescribeSubnetsResponse>"}},
		{"ec2: wrong secret", formCall("Action=DescribeVpcs&Version=2016-11-15"), "ec2", wrong, 401, []string{"<Code>AuthFailure</Code>"}},
		{"ec2: range", formCall("Action=DescribeVpcs&Version=2016-11-15&MaxResults=2"), "ec2", goodKey, 400, []string{"<Code>InvalidParameterValue</Code>", "Expecting a value greater than or equal to 5"}},
		{"ec2: not a number", formCall("Action=DescribeVpcs&Version=2016-11-15&MaxResults=two"), "ec2", goodKey, 400, []string{"<Code>InvalidParameterValue</Code>", "MaxResults"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(nil)
			if c.service != "" {
				b.signed(c.request, c.service, c.key)
			}
			status, body, header := b.do(c.request)
			if status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			for _, want := range c.want {
				if !strings.Contains(strings.ReplaceAll(body, "'", "&#39;"), strings.ReplaceAll(want, "'", "&#39;")) {
					t.Errorf("body %s\nlacks %s", body, want)
				}
			}
			if header.Get("X-Amzn-Requestid") == "" {
				t.Error("no request id")
			}
		})
	}
}

func TestClockSkew(t *testing.T) {
	for _, c := range []struct {
		name    string
		off     time.Duration
		request func() *http.Request
		service string
		status  int
		want    string
	}{
		{"a little slow", -14 * time.Minute, func() *http.Request { return jsonCall(listClusters, "{}") }, "ecs", 200, ""},
		{"a little fast", 14 * time.Minute, func() *http.Request { return jsonCall(listClusters, "{}") }, "ecs", 200, ""},
		{"slow", -16 * time.Minute, func() *http.Request { return jsonCall(listClusters, "{}") }, "ecs", 400, "Signature expired: 20261123T114400Z is now earlier than 20261123T114500Z (20261123T120000Z - 15 min.)"},
		{"fast", 16 * time.Minute, func() *http.Request { return jsonCall(listClusters, "{}") }, "ecs", 400, "Signature not yet current: 20261123T121600Z is still later than 20261123T121500Z (20261123T120000Z + 15 min.)"},
		{"slow in a query service", -16 * time.Minute, func() *http.Request { return formCall(identity) }, "sts", 403, "SignatureDoesNotMatch"},
		{"slow in EC2", -16 * time.Minute, func() *http.Request { return formCall("Action=DescribeVpcs&Version=2016-11-15") }, "ec2", 400, "<Code>RequestExpired</Code>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(nil)
			b.now = noon.Add(c.off)
			r := b.signed(c.request(), c.service, goodKey)
			b.now = noon
			if status, body, _ := b.do(r); status != c.status || !strings.Contains(body, c.want) {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

func TestSessionCredentials(t *testing.T) {
	cred := Credential{AccessKey: "ASIA1", SecretKey: "s", SessionToken: "tok", Expires: noon.Add(time.Hour), Account: "210987654321", ARN: "arn:aws:sts::210987654321:assumed-role/r/s", UserID: "AROA:s"}
	b := newBench(func(c *Config) { c.Credentials = func(id string) (Credential, bool) { return cred, id == "ASIA1" } })
	key := sigv4.Key{AccessKey: "ASIA1", Secret: "s", SessionToken: "tok"}
	if status, body, _ := b.do(b.signed(jsonCall(listClusters, "{}"), "ecs", key)); status != 200 {
		t.Fatal(body)
	}
	if b.caller.Account != "210987654321" || b.caller.Region != "eu-central-1" || b.caller.ARN != cred.ARN || b.caller.UserID != "AROA:s" {
		t.Errorf("caller is %+v", b.caller)
	}
	key.SessionToken = ""
	if _, body, _ := b.do(b.signed(jsonCall(listClusters, "{}"), "ecs", key)); !strings.Contains(body, "UnrecognizedClientException") {
		t.Error(body)
	}
	key.SessionToken = "tok"
	b.now = noon.Add(2 * time.Hour)
	if _, body, _ := b.do(b.signed(jsonCall(listClusters, "{}"), "ecs", key)); !strings.Contains(body, "ExpiredTokenException") {
		t.Error(body)
	}
}

func TestBodyIsWhatWasSigned(t *testing.T) {
	b := newBench(nil)
	r := b.signed(jsonCall(listClusters, "{}"), "ecs", goodKey)
	r.Body = io.NopCloser(strings.NewReader(`{"maxResults":1}`))
	if status, body, _ := b.do(r); status != 400 || !strings.Contains(body, "InvalidSignatureException") {
		t.Errorf("%d %s", status, body)
	}
}

func TestTargetMustBeSigned(t *testing.T) {
	b := newBench(nil)
	r := jsonCall(listClusters, "{}")
	r.Header.Del("X-Amz-Target")
	b.signed(r, "ecs", goodKey)
	r.Header.Set("X-Amz-Target", listClusters)
	if status, _, _ := b.do(r); status != 400 {
		t.Error("an unsigned X-Amz-Target was obeyed")
	}
}

func TestAnyAuth(t *testing.T) {
	b := newBench(func(c *Config) { c.AnyAuth = true })
	if status, body, _ := b.do(jsonCall(listClusters, "{}")); status != 200 || b.caller.ARN != "arn:aws:iam::123456789012:root" {
		t.Errorf("unsigned: %d %s %+v", status, body, b.caller)
	}
	r := b.signed(formCall(identity), "sts", sigv4.Key{AccessKey: "test", Secret: "test"})
	if status, body, _ := b.do(r); status != 200 || !strings.Contains(body, ":root") {
		t.Errorf("any key: %d %s", status, body)
	}
	for key, account := range map[string]string{
		"210987654321": "210987654321", "21098765432": "123456789012", "2109876543210": "123456789012", "21098765432x": "123456789012",
	} {
		r := b.signed(formCall(identity), "sts", sigv4.Key{AccessKey: key, Secret: "any"})
		if status, body, _ := b.do(r); status != 200 || !strings.Contains(body, "<Arn>arn:aws:iam::"+account+":root</Arn>") {
			t.Errorf("key %s: %d %s, want the root of %s", key, status, body, account)
		}
	}
}

func TestPresigned(t *testing.T) {
	b := newBench(nil)
	presigned := func() *http.Request {
		r := httptest.NewRequest("GET", "http://127.0.0.1:4566/?"+identity, http.NoBody)
		sigv4.Presign(r, goodKey, "sts", "eu-central-1", noon, time.Minute)
		return r
	}
	if status, body, _ := b.do(presigned()); status != 200 {
		t.Fatal(body)
	}
	b.now = noon.Add(2 * time.Minute)
	if status, body, _ := b.do(presigned()); status != 403 || !strings.Contains(body, "Signature expired") {
		t.Errorf("%d %s", status, body)
	}
	b.now = noon
	r := presigned()
	q := r.URL.Query()
	q.Set("Action", "GetSessionToken")
	r.URL = &url.URL{Path: "/", RawQuery: q.Encode()}
	if status, _, _ := b.do(r); status != 403 {
		t.Errorf("a changed query was accepted: %d", status)
	}
}

func TestLimitsAndPacking(t *testing.T) {
	b := newBench(func(c *Config) { c.MaxBody = 1000 })
	big := `{"nextToken":"` + strings.Repeat("x", 2000) + `"}`
	if status, body, _ := b.do(b.signed(jsonCall(listClusters, big), "ecs", goodKey)); status != 413 || !strings.Contains(body, "RequestEntityTooLarge") {
		t.Errorf("%d %s", status, body)
	}
	for packed, want := range map[string]int{"{}": 200, big: 413} {
		var z bytes.Buffer
		zw := gzip.NewWriter(&z)
		_, _ = zw.Write([]byte(packed))
		_ = zw.Close()
		r := jsonCall(listClusters, z.String())
		r.Header.Set("Content-Encoding", "gzip")
		if status, body, _ := b.do(b.signed(r, "ecs", goodKey)); status != want {
			t.Errorf("%d %s", status, body)
		}
	}
}

func TestPagesFollowEachOther(t *testing.T) {
	b := newBench(nil)
	client := NewClient(ClientConfig{Endpoint: "http://127.0.0.1:4566", Region: "eu-central-1", AccessKey: testKey, SecretKey: testSecret, HTTP: &http.Client{Transport: inProcess{b.mux}}})
	b.mux.config.Now = time.Now
	first, err := Call[ecsapi.ListClustersInput, ecsapi.ListClustersOutput](t.Context(), client, "ecs", "ListClusters", &ecsapi.ListClustersInput{})
	if err != nil || len(first.ClusterArns) != 2 || first.NextToken == nil {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := Call[ecsapi.ListClustersInput, ecsapi.ListClustersOutput](t.Context(), client, "ecs", "ListClusters", &ecsapi.ListClustersInput{NextToken: first.NextToken})
	if err != nil || len(second.ClusterArns) != 1 || second.NextToken != nil {
		t.Fatalf("%+v, %v", second, err)
	}
	_, err = Call[ecsapi.DescribeServicesInput, ecsapi.DescribeServicesOutput](t.Context(), client, "ecs", "DescribeServices", &ecsapi.DescribeServicesInput{Services: []string{"x"}})
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != "ClusterNotFoundException" || e.Message != "Cluster not found." || e.Fields["clusterName"] != "x" {
		t.Errorf("%#v", err)
	}
}

// inProcess is a transport that calls the handler.
type inProcess struct{ http.Handler }

func (h inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

func TestMetricsAndCoverage(t *testing.T) {
	b := newBench(func(c *Config) { c.Log = slog.New(slog.DiscardHandler) })
	b.do(b.signed(jsonCall(listClusters, "{}"), "ecs", goodKey))
	b.do(b.signed(jsonCall(listClusters, `{"nextToken":"abc"}`), "ecs", goodKey))
	b.do(b.signed(jsonCall(ecsPrefix+"CreateCluster", "{}"), "ecs", goodKey))
	got := b.mux.Metrics()
	if len(got) != 2 || got[0].Operation != "CreateCluster" || got[0].ServerErrors != 1 || got[1].Count != 2 || got[1].ClientErrors != 1 {
		t.Errorf("%+v", got)
	}
	w := httptest.NewRecorder()
	b.mux.MetricsHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", http.NoBody))
	for _, want := range []string{
		`slipway_api_errors_total{service="ecs",operation="ListClusters",side="client"} 1`,
		`slipway_api_request_duration_seconds_bucket{service="ecs",operation="ListClusters",le="+Inf"} 2`,
		`slipway_api_request_duration_seconds_count{service="ecs",operation="ListClusters"} 2`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	implemented := 0
	for _, o := range Coverage(b.mux.services...) {
		if o.Implemented {
			implemented++
		}
	}
	if implemented != 9 {
		t.Errorf("%d implemented", implemented)
	}
}
