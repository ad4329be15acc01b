package engine

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/service/applicationautoscaling"
	"github.com/slipway-dev/slipway/service/appmesh"
	"github.com/slipway-dev/slipway/service/cloudformation"
	"github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/service/ec2"
	"github.com/slipway-dev/slipway/service/ecr"
	"github.com/slipway-dev/slipway/service/ecs"
	"github.com/slipway-dev/slipway/service/elbv2"
	"github.com/slipway-dev/slipway/service/eventbridge"
	"github.com/slipway-dev/slipway/service/iam"
	"github.com/slipway-dev/slipway/service/logs"
	"github.com/slipway-dev/slipway/service/s3"
	"github.com/slipway-dev/slipway/service/servicediscovery"
	"github.com/slipway-dev/slipway/service/ssm"
	"github.com/slipway-dev/slipway/service/sts"
)

// everyService is every service by its folder. None of them is needed to say what its types are.
var everyService = map[string]service{
	"applicationautoscaling": (*applicationautoscaling.Service)(nil), "appmesh": (*appmesh.Service)(nil), "cloudformation": (*cloudformation.Service)(nil),
	"cloudwatch": (*cloudwatch.Service)(nil), "ec2": (*ec2.Service)(nil), "ecr": (*ecr.Service)(nil), "ecs": (*ecs.Service)(nil), "elbv2": (*elbv2.Service)(nil),
	"eventbridge": (*eventbridge.Service)(nil), "iam": (*iam.Service)(nil), "logs": (*logs.Service)(nil), "s3": (*s3.Service)(nil),
	"servicediscovery": (*servicediscovery.Service)(nil), "ssm": (*ssm.Service)(nil), "sts": (*sts.Service)(nil),
}

// everyType is every resource type of the engine, by name.
func everyType(t *testing.T) []cfn.Type {
	t.Helper()
	folders, err := os.ReadDir("../service")
	if err != nil {
		t.Fatal(err)
	}
	var types []cfn.Type
	for _, f := range folders {
		s, ok := everyService[f.Name()]
		if !ok {
			t.Fatalf("everyService lacks service/%s", f.Name())
		}
		types = append(types, s.Resources()...)
	}
	slices.SortFunc(types, func(a, b cfn.Type) int { return strings.Compare(a.Name(), b.Name()) })
	return types
}

// awsSchema is what AWS's resource schema says of a type. See testdata/schemas.py, which makes the file.
type awsSchema struct {
	Properties  []string `json:"properties"`
	CreateOnly  []string `json:"createOnly"`
	Conditional []string `json:"conditional"` // replaced or not, depending on more than the property
	ReadOnly    []string `json:"readOnly"`    // dotted below the top
	Required    []string `json:"required"`
}

func awsSchemas(t *testing.T) map[string]awsSchema {
	t.Helper()
	raw, err := os.ReadFile("testdata/schemas.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]awsSchema
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestReplacement: an update of a property of any resource type does what it does in AWS: it replaces the resource, or it does not.
func TestReplacement(t *testing.T) {
	aws := awsSchemas(t)
	for _, typ := range everyType(t) {
		want, ok := aws[typ.Name()]
		if !ok {
			continue // TestEveryTypeIsKnown
		}
		s := typ.Schema()
		for name := range s.Properties {
			at := "/properties/" + name
			if slices.Contains(s.ReadOnly, at) || slices.Contains(want.Conditional, name) {
				continue
			}
			got, should := slices.Contains(s.CreateOnly, at), slices.Contains(want.CreateOnly, name)
			if got != should && unlike[typ.Name()+"."+name] == "" {
				t.Errorf("%s.%s: a change replaces the resource: %v, in AWS %v", typ.Name(), name, got, should)
			}
		}
	}
}

// TestProperties: what a type takes is what AWS has, and what AWS requires is required.
func TestProperties(t *testing.T) {
	aws := awsSchemas(t)
	for _, typ := range everyType(t) {
		want, ok := aws[typ.Name()]
		if !ok {
			continue
		}
		s := typ.Schema()
		for name := range s.Properties {
			if slices.Contains(s.ReadOnly, "/properties/"+name) || unlike[typ.Name()+"."+name] != "" {
				continue
			}
			if !slices.Contains(want.Properties, name) || slices.Contains(want.ReadOnly, name) {
				t.Errorf("%s.%s: AWS has no such property", typ.Name(), name)
			}
			if got, should := slices.Contains(s.Required, name), slices.Contains(want.Required, name); got != should {
				t.Errorf("%s.%s: is required %v, in AWS %v", typ.Name(), name, got, should)
			}
		}
		for _, name := range want.Required {
			if _, ok := s.Properties[name]; !ok && unlike[typ.Name()+"."+name] == "" {
				t.Errorf("%s.%s: missing, and required in AWS", typ.Name(), name)
			}
		}
	}
}

// TestAttributes: GetAtt answers what it answers in AWS.
func TestAttributes(t *testing.T) {
	aws := awsSchemas(t)
	for _, typ := range everyType(t) {
		for _, name := range aws[typ.Name()].ReadOnly {
			if !typ.HasAttribute(name) && unlike[typ.Name()+"."+name] == "" {
				t.Errorf("%s: GetAtt of %s is not answered", typ.Name(), name)
			}
		}
		for _, name := range typ.Attributes() {
			top, _, _ := strings.Cut(name, ".")
			want, ok := aws[typ.Name()]
			if ok && !slices.Contains(want.ReadOnly, name) && !slices.Contains(want.Properties, top) && unlike[typ.Name()+"."+name] == "" {
				t.Errorf("%s: AWS has no attribute %s", typ.Name(), name)
			}
		}
	}
}

// TestEveryTypeIsKnown: a new resource type is compared too.
func TestEveryTypeIsKnown(t *testing.T) {
	aws := awsSchemas(t)
	for _, typ := range everyType(t) {
		if _, ok := aws[typ.Name()]; !ok {
			t.Errorf("testdata/schemas.json lacks %s: run testdata/schemas.py", typ.Name())
		}
	}
}

// unlike is where a type and AWS's schema differ, with the reason.
var unlike = map[string]string{
	"AWS::CDK::Metadata.Analytics":                                                  "AWS publishes no schema of it",
	"AWS::CloudFormation::CustomResource.ServiceToken":                              "an update of it fails: Modifying service token is not allowed",
	"AWS::CloudFormation::CustomResource.Data":                                      "what the provider answers is the type's attributes",
	"AWS::CloudFormation::Stack.Outputs":                                            "GetAtt Outputs.Name",
	"AWS::EC2::NatGateway.SubnetId":                                                 "regional NAT gateways, which have none, are not implemented: the API asks for it",
	"AWS::EC2::NatGateway.AutoProvisionZones":                                       "of regional NAT gateways",
	"AWS::EC2::NatGateway.AutoScalingIps":                                           "of regional NAT gateways",
	"AWS::EC2::NatGateway.RouteTableId":                                             "of regional NAT gateways",
	"AWS::EC2::NetworkInterface.PrimaryIpv6Address":                                 "there is no IPv6",
	"AWS::EC2::NetworkInterface.PublicIpDnsNameOptions":                             "interfaces have no public names",
	"AWS::EC2::VPCCidrBlock.IpSource":                                               "of IPv6 blocks",
	"AWS::EC2::VPCCidrBlock.Ipv6AddressAttribute":                                   "of IPv6 blocks",
	"AWS::S3::Bucket.MetadataConfiguration.Destination":                             noTables,
	"AWS::S3::Bucket.MetadataConfiguration.InventoryTableConfiguration.TableArn":    noTables,
	"AWS::S3::Bucket.MetadataConfiguration.InventoryTableConfiguration.TableName":   noTables,
	"AWS::S3::Bucket.MetadataConfiguration.JournalTableConfiguration.TableArn":      noTables,
	"AWS::S3::Bucket.MetadataConfiguration.JournalTableConfiguration.TableName":     noTables,
	"AWS::S3::Bucket.MetadataTableConfiguration.S3TablesDestination.TableArn":       noTables,
	"AWS::S3::Bucket.MetadataTableConfiguration.S3TablesDestination.TableNamespace": noTables,
}

const noTables = "buckets with S3 Tables are refused"
