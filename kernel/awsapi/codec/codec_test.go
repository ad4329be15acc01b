package codec

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/api/kmsapi"
)

func TestFormsAsClientsSendThem(t *testing.T) {
	p := planOf[ec2api.DescribeSecurityGroupsInput](t, "ec2", "DescribeSecurityGroups")
	form, _ := url.ParseQuery("Action=x&Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1&Filter.1.Value.3=vpc-9&Filter.2.Name=group-name&Filter.2.Value.1=web&GroupId.1=sg-1&DryRun=true&MaxResults=7")
	tree, err := ParseForm(form)
	if err != nil {
		t.Fatal(err)
	}
	var in ec2api.DescribeSecurityGroupsInput
	if err := Bind(p, EC2, tree, &in); err != nil {
		t.Fatal(err)
	}
	want := ec2api.DescribeSecurityGroupsInput{
		Filters:  []ec2api.Filter{{Name: new("vpc-id"), Values: []string{"vpc-1", "vpc-9"}}, {Name: new("group-name"), Values: []string{"web"}}},
		GroupIds: []string{"sg-1"}, DryRun: new(true), MaxResults: new(int32(7)),
	}
	if !reflect.DeepEqual(in, want) {
		t.Errorf("%+v", in)
	}
}

func TestJSONValuesAndTheirRefusals(t *testing.T) {
	p := planOf[ecsapi.CreateServiceInput](t, "ecs", "CreateService")
	for body, want := range map[string]string{
		`{"serviceName":"web","desiredCount":2.0}`:                    "",
		`{"unknown":{"a":[1]},"serviceName":"web"}`:                   "",
		`{"serviceName":1}`:                                           "serviceName: NUMBER_VALUE can not be converted to a String",
		`{"desiredCount":2.5}`:                                        "desiredCount: NUMBER_VALUE can not be converted to an Integer",
		`{"desiredCount":99999999999}`:                                "desiredCount: NUMBER_VALUE can not be converted to an Integer",
		`{"desiredCount":true}`:                                       "desiredCount: TRUE_VALUE can not be converted to an Integer",
		`{"loadBalancers":{}}`:                                        "loadBalancers: Start of structure or map found where not expected",
		`{"loadBalancers":[{"containerPort":"x"}]}`:                   "loadBalancers.1.containerPort: STRING_VALUE can not be converted to an Integer",
		`{"networkConfiguration":[]}`:                                 "networkConfiguration: Start of list found where not expected",
		`{"serviceName":"a"}{}`:                                       "could not parse request body: data follows the JSON value",
		strings.Repeat(`{"a":`, 500) + "1" + strings.Repeat("}", 500): "the request body is nested too deeply",
	} {
		tree, err := ParseJSON([]byte(body))
		if err == nil {
			err = Bind(p, JSON, tree, new(ecsapi.CreateServiceInput))
		}
		if got := message(err); got != want {
			t.Errorf("%.40s: %q, want %q", body, got, want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestValidation(t *testing.T) {
	role := planOf[iamapi.CreateRoleInput](t, "iam", "CreateRole")
	found := Validate(role, &iamapi.CreateRoleInput{RoleName: new("bad name!"), Path: new("/"), MaxSessionDuration: new(int32(60))})
	var got []string
	for _, v := range found {
		got = append(got, v.Path+" "+[]string{"required", "min length", "max length", "min", "max", "pattern", "enum"}[v.Rule]+" "+v.Limit)
	}
	want := `roleName pattern [\w+=,.@-]+|assumeRolePolicyDocument required |maxSessionDuration min 3600`
	if strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}
	encrypt := planOf[kmsapi.EncryptInput](t, "kms", "Encrypt")
	found = Validate(encrypt, &kmsapi.EncryptInput{KeyId: new("k"), Plaintext: make([]byte, 5000)})
	if len(found) != 1 || found[0].Rule != MaxLength || found[0].Value != "***" {
		t.Errorf("a sensitive value shows: %+v", found)
	}
}

// TestPatternsAreUnderstood lists the patterns that RE2 cannot check. A new one
// wants a look: can it be translated, or must the service check it?
func TestPatternsAreUnderstood(t *testing.T) {
	for _, name := range api.Names() {
		m, err := api.Model(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range Untested(m) {
			if !strings.Contains(p, "(?!") && !strings.Contains(p, "(?=") && !strings.Contains(p, "(?<") {
				t.Errorf("%s: %s", name, p)
			}
		}
	}
}

func TestTimesAreReadInEveryFormat(t *testing.T) {
	want := time.Date(2026, 11, 23, 3, 4, 5, 0, time.UTC)
	for _, node := range []any{"2026-11-23T03:04:05Z", "2026-11-23T03:04:05.000Z", "2026-11-23T04:04:05+01:00", "Mon, 23 Nov 2026 03:04:05 GMT", "1795403045", float64(1795403045), int64(1795403045)} {
		if got, ok := moment(node); !ok || !got.Equal(want) {
			t.Errorf("%v: %v %v", node, got, ok)
		}
	}
	for _, node := range []any{"yesterday", "", float64(1e300), true} {
		if got, ok := moment(node); ok {
			t.Errorf("%v was read as %v", node, got)
		}
	}
}

func TestEventsSurviveTheWire(t *testing.T) {
	frame := AppendEvent(nil, []byte("payload"), ":event-type", "sessionUpdate", ":message-type", "event")
	e, err := ReadEvent(strings.NewReader(string(frame)))
	if err != nil || string(e.Payload) != "payload" || e.Headers[":event-type"] != "sessionUpdate" {
		t.Fatalf("%+v %v", e, err)
	}
	for i := range frame {
		broken := append([]byte(nil), frame...)
		broken[i] ^= 1
		if _, err := ReadEvent(strings.NewReader(string(broken))); err == nil {
			t.Errorf("a changed byte %d was not noticed", i)
		}
	}
}
