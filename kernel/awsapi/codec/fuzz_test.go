package codec

import (
	"bytes"
	"net/url"
	"reflect"
	"testing"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/api/dynamodbapi"
	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/api/s3api"
)

func planOf[T any](tb testing.TB, service, op string) *Plan {
	tb.Helper()
	m, err := api.Model(service)
	if err != nil {
		tb.Fatal(err)
	}
	return new(Plans).For(m.Operations[op].Input.Shape, reflect.TypeFor[T]())
}

// What binds must encode, and decode again to the same value.

func FuzzJSON(f *testing.F) {
	p := planOf[dynamodbapi.PutItemInput](f, "dynamodb", "PutItem")
	f.Add([]byte(`{"TableName":"t","Item":{"a":{"L":[{"N":"1"},{"BOOL":true},{"NULL":true},{"B":"AAE="}]},"b":{"M":{}}}}`))
	f.Add([]byte(`{"TableName":null,"Item":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		tree, err := ParseJSON(body)
		if err != nil {
			return
		}
		var in, again dynamodbapi.PutItemInput
		if Bind(p, JSON, tree, &in) != nil {
			return
		}
		Validate(p, &in)
		out := AppendJSON(nil, p, reflect.ValueOf(in))
		if tree, err = ParseJSON(out); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if err := Bind(p, JSON, tree, &again); err != nil || !bytes.Equal(out, AppendJSON(nil, p, reflect.ValueOf(again))) {
			t.Fatalf("%s: %v", out, err)
		}
	})
}

func FuzzCBOR(f *testing.F) {
	p := planOf[cloudwatchapi.PutMetricDataInput](f, "cloudwatch", "PutMetricData")
	in := cloudwatchapi.PutMetricDataInput{Namespace: new("n"), MetricData: []cloudwatchapi.MetricDatum{{MetricName: new("m"), Value: new(1.5), Values: []float64{1, -2}}}}
	f.Add(AppendCBOR(nil, p, reflect.ValueOf(in)))
	f.Add([]byte{0xbf, 0x61, 'a', 0x9f, 0xf9, 0x3c, 0x00, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, body []byte) {
		tree, err := ParseCBOR(body)
		if err != nil {
			return
		}
		var in, again cloudwatchapi.PutMetricDataInput
		if Bind(p, CBOR, tree, &in) != nil {
			return
		}
		out := AppendCBOR(nil, p, reflect.ValueOf(in))
		if tree, err = ParseCBOR(out); err != nil {
			t.Fatalf("%x: %v", out, err)
		}
		if err := Bind(p, CBOR, tree, &again); err != nil || !bytes.Equal(out, AppendCBOR(nil, p, reflect.ValueOf(again))) {
			t.Fatalf("%x: %v", out, err)
		}
	})
}

func FuzzQuery(f *testing.F) {
	p := planOf[elbv2api.CreateTargetGroupInput](f, "elbv2", "CreateTargetGroup")
	f.Add("Name=web&Port=80&Tags.member.1.Key=a&Tags.member.1.Value=b&Matcher.HttpCode=200")
	f.Add("Tags=&Tags.member.x=1&Name.a.b=1")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		tree, err := ParseForm(form)
		if err != nil {
			return
		}
		var in elbv2api.CreateTargetGroupInput
		if Bind(p, Query, tree, &in) != nil {
			return
		}
		// An empty structure in a list has no form, so the first encoding may
		// leave a gap. The second and the third are the same.
		var rounds []string
		for range 3 {
			out := url.Values{}
			EncodeForm(out, Query, p, reflect.ValueOf(&in))
			rounds = append(rounds, out.Encode())
			if tree, err = ParseForm(out); err != nil {
				t.Fatal(err)
			}
			in = elbv2api.CreateTargetGroupInput{}
			if err := Bind(p, Query, tree, &in); err != nil {
				t.Fatal(err)
			}
		}
		if rounds[1] != rounds[2] {
			t.Fatalf("%q", rounds)
		}
	})
}

func FuzzEC2(f *testing.F) {
	p := planOf[ec2api.AuthorizeSecurityGroupIngressInput](f, "ec2", "AuthorizeSecurityGroupIngress")
	f.Add("GroupId=sg-1&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=80&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		tree, err := ParseForm(form)
		if err != nil {
			return
		}
		var in ec2api.AuthorizeSecurityGroupIngressInput
		if Bind(p, EC2, tree, &in) == nil {
			Validate(p, &in)
		}
	})
}

func FuzzXML(f *testing.F) {
	p := planOf[s3api.DeleteObjectsInput](f, "s3", "DeleteObjects").Payload().Plan
	f.Add([]byte(`<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a&amp;b</Key></Object><Object><Key>c</Key></Object><Quiet>true</Quiet></Delete>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		root, err := ParseXML(body)
		if err != nil || root == nil {
			return
		}
		var in, again s3api.Delete
		if Bind(p, XML, root, &in) != nil {
			return
		}
		out := AppendXML(nil, "Delete", p, reflect.ValueOf(in), "")
		if root, err = ParseXML(out); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if err := Bind(p, XML, root, &again); err != nil || !bytes.Equal(out, AppendXML(nil, "Delete", p, reflect.ValueOf(again), "")) {
			t.Fatalf("%q: %v", out, err)
		}
	})
}

func FuzzEvents(f *testing.F) {
	f.Add(AppendEvent(nil, []byte("{}"), ":message-type", "event"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := bytes.NewReader(body)
		for {
			if _, err := ReadEvent(r); err != nil {
				return
			}
		}
	})
}
