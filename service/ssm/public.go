package ssm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
)

// publicRoot is where AWS's own parameters are. They have no account, and
// nobody can change them.
const publicRoot = "/aws/service/"

// published is when all of them were.
var published = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// public finds a parameter of AWS's own.
func public(s arn.Scope, name string) (Version, bool) {
	if !strings.HasPrefix(name, publicRoot) {
		return Version{}, false
	}
	for _, p := range publicIn(s.Region) {
		if p.name == name {
			return p.version(s), true
		}
	}
	return Version{}, false
}

// publicBelow lists AWS's own parameters below a path, by name. They are found
// only by who asks for a path of theirs.
func publicBelow(s arn.Scope, path string, recursive bool) (all []Version) {
	if !strings.HasPrefix(path+"/", publicRoot) {
		return nil
	}
	for _, p := range publicIn(s.Region) {
		if below(p.name, path, recursive) {
			all = append(all, p.version(s))
		}
	}
	return all
}

type publicParameter struct{ name, value, dataType string }

func (p publicParameter) version(s arn.Scope) Version {
	return Version{
		Scope: arn.Scope{Region: s.Region}, Name: p.name, Number: 1, Type: "String", Value: p.value, DataType: p.dataType, Tier: Standard, Modified: published,
	}
}

// publicIn are AWS's own parameters as a region has them, by name: those that
// templates for containers and networks use.
func publicIn(region string) []publicParameter {
	all := slices.Concat(machineImages(region), infrastructure())
	slices.SortFunc(all, func(a, b publicParameter) int { return strings.Compare(a.name, b.name) })
	return all
}

// machineImages are the names of images that launch templates use. The ids are
// of the form of AWS's and tell region and name apart, but name nothing: this
// engine has no machines.
func machineImages(region string) (all []publicParameter) {
	add := func(name, value, dataType string) {
		all = append(all, publicParameter{publicRoot + name, value, dataType})
	}
	for _, name := range []string{
		"al2023-ami-kernel-default-x86_64", "al2023-ami-kernel-default-arm64", "al2023-ami-minimal-kernel-default-x86_64", "al2023-ami-minimal-kernel-default-arm64",
		"amzn2-ami-hvm-x86_64-gp2", "amzn2-ami-hvm-arm64-gp2", "amzn2-ami-kernel-5.10-hvm-x86_64-gp2", "amzn2-ami-kernel-5.10-hvm-arm64-gp2",
	} {
		add("ami-amazon-linux-latest/"+name, imageID(region, name), "aws:ec2:image")
	}
	for _, system := range []string{"amazon-linux-2023", "amazon-linux-2023/arm64", "amazon-linux-2", "amazon-linux-2/arm64"} {
		base := "ecs/optimized-ami/" + system + "/recommended"
		id := imageID(region, base)
		add(base, fmt.Sprintf(`{"image_id":%q,"image_name":%q,"os":"Amazon Linux","schema_version":1}`, id, strings.ReplaceAll(system, "/", "-")+"-ecs-hvm"), text)
		add(base+"/image_id", id, "aws:ec2:image")
	}
	return all
}

func imageID(region, name string) string {
	sum := sha256.Sum256([]byte(region + "/" + name))
	return "ami-" + hex.EncodeToString(sum[:])[:17]
}

// infrastructure are the regions and what they have.
func infrastructure() (all []publicParameter) {
	add := func(value string, path ...string) {
		all = append(all, publicParameter{publicRoot + "global-infrastructure/" + strings.Join(path, "/"), value, text})
	}
	for _, s := range servedHere {
		add(s, "services", s)
	}
	for _, r := range regions {
		add(r.name, "regions", r.name)
		add("amazonaws.com", "regions", r.name, "domain")
		add(r.country, "regions", r.name, "geolocationCountry")
		add(r.long, "regions", r.name, "longName")
		add(arn.Partition, "regions", r.name, "partition")
		for n := range 3 {
			zone := fmt.Sprintf("%s-az%d", regionCode(r.name), n+1)
			add(zone, "regions", r.name, "availability-zones", zone)
			add(zone, "availability-zones", zone)
		}
		for _, s := range servedHere {
			add(s, "regions", r.name, "services", s)
		}
	}
	return all
}

// servedHere are services of this engine, by the names that this tree has for
// them.
var servedHere = []string{
	"application-autoscaling", "appmesh", "cloudformation", "cloudwatch", "ec2", "ecr", "ecs", "elb", "iam", "logs", "s3", "servicediscovery", "ssm", "sts",
}

var regions = []struct{ name, country, long string }{
	{"ap-northeast-1", "JP", "Asia Pacific (Tokyo)"},
	{"ap-northeast-2", "KR", "Asia Pacific (Seoul)"},
	{"ap-northeast-3", "JP", "Asia Pacific (Osaka)"},
	{"ap-south-1", "IN", "Asia Pacific (Mumbai)"},
	{"ap-southeast-1", "SG", "Asia Pacific (Singapore)"},
	{"ap-southeast-2", "AU", "Asia Pacific (Sydney)"},
	{"ca-central-1", "CA", "Canada (Central)"},
	{"eu-central-1", "DE", "Europe (Frankfurt)"},
	{"eu-north-1", "SE", "Europe (Stockholm)"},
	{"eu-west-1", "IE", "Europe (Ireland)"},
	{"eu-west-2", "GB", "Europe (London)"},
	{"eu-west-3", "FR", "Europe (Paris)"},
	{"sa-east-1", "BR", "South America (Sao Paulo)"},
	{"us-east-1", "US", "US East (N. Virginia)"},
	{"us-east-2", "US", "US East (Ohio)"},
	{"us-west-1", "US", "US West (N. California)"},
	{"us-west-2", "US", "US West (Oregon)"},
}

// regionCode is a region's short form: us-east-1 is use1, ap-southeast-2 apse2.
func regionCode(region string) string {
	short := strings.NewReplacer("north", "n", "south", "s", "east", "e", "west", "w", "central", "c")
	return strings.ReplaceAll(short.Replace(region), "-", "")
}
