package ssm

import (
	"fmt"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Types, tiers and data types of parameters.
const (
	Secure   = "SecureString"
	list     = "StringList"
	Standard = "Standard"
	Advanced = "Advanced"
	text     = "text"
)

// awsKey is the key of SecureString parameters.
const awsKey = "alias/aws/ssm"

// Parameter is a name that stands for a value.
type Parameter struct {
	Scope  arn.Scope
	Name   string
	Latest int64 // number of the newest version
	Tags   map[string]string
}

// Parameters are keyed by name.
var Parameters = store.NewTable("ssm/parameter", func(p Parameter) string { return parameterKey(p.Scope, p.Name) })

func parameterKey(s arn.Scope, name string) string { return s.Key("parameter", name) }

// Version is a value that a parameter has or had.
type Version struct {
	Scope          arn.Scope
	Name           string
	Number         int64 // from 1
	Type           string
	Value          string // of a SecureString empty
	Sealed         []byte // the value of a SecureString
	Key            string // of a SecureString: alias/aws/ssm
	Description    string
	AllowedPattern string
	DataType       string
	Tier           string
	Modified       time.Time
	User           string // ARN of who wrote it
	Labels         []string
}

// Versions are keyed by name and number, the oldest first.
var Versions = store.NewTable("ssm/version", func(v Version) string { return versionKey(v.Scope, v.Name, v.Number) })

// A colon is in no name: the versions of /a and of /a/b are apart.
func versionKey(s arn.Scope, name string, number int64) string {
	return s.Key("version", fmt.Sprintf("%s:%012d", name, number))
}

// history lists the versions of a parameter, the oldest first.
func history(r store.Reader, s arn.Scope, name string) (all []Version) {
	for v := range Versions.List(r, s.Key("version", name+":")) {
		all = append(all, v)
	}
	return all
}

// latest is the newest version of a parameter.
func latest(r store.Reader, p Parameter) (Version, error) {
	return Versions.Get(r, versionKey(p.Scope, p.Name, p.Latest))
}

// nameARN is the ARN of a parameter; /a and a have the same one.
func nameARN(s arn.Scope, name string) string {
	return s.ARN("ssm", "parameter/"+strings.TrimPrefix(name, "/"))
}

// ARN of the parameter.
func (p Parameter) ARN() string { return nameARN(p.Scope, p.Name) }

// bound is the name that a version's sealed value is bound to.
func (v Version) bound() string {
	return fmt.Sprintf("ssm/%s/%s/%s/%d", v.Scope.Account, v.Scope.Region, v.Name, v.Number)
}
