package servicediscovery

import (
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Types of namespaces.
const (
	Private = "DNS_PRIVATE"
	HTTP    = "HTTP"
)

// Namespace is a domain whose names are found in one VPC, or a set of names for
// the API alone.
type Namespace struct {
	Scope       arn.Scope
	ID          string // ns-...
	Name        string // "dev.local"
	Type        string // Private or HTTP
	VPC         string // of a private one
	Zone        string // id of the hosted zone of a private one
	TTL         int64  // of the SOA record, seconds
	Description string
	Creator     string // CreatorRequestId
	Created     time.Time
	Tags        map[string]string
}

// ARN of the namespace.
func (n Namespace) ARN() string { return n.Scope.ARN("servicediscovery", "namespace/"+n.ID) }

// Namespaces are keyed by id.
var Namespaces = store.NewTable("servicediscovery/namespace",
	func(n Namespace) string { return n.Scope.Key("namespace", n.ID) },
	store.Index("vpc", func(n Namespace) []string {
		if n.VPC == "" {
			return nil
		}
		return []string{n.VPC}
	}),
	store.Index("name", func(n Namespace) []string { return []string{n.Scope.Key(strings.ToLower(n.Name))} }),
)

// Registry is a Cloud Map service: a name with which instances are registered.
type Registry struct {
	Scope       arn.Scope
	ID          string // srv-...
	Name        string
	Namespace   string // id
	Description string
	Routing     string   // MULTIVALUE or WEIGHTED
	Records     []Record // none: found through the API alone
	APIOnly     bool     // Type HTTP was asked for
	Custom      bool     // health is told by UpdateInstanceCustomHealthStatus
	Attributes  map[string]string
	Revision    int64 // grows with every change of the instances
	Creator     string
	Created     time.Time
	Tags        map[string]string
}

// Record is a DNS record that every instance gets.
type Record struct {
	Type string // A, AAAA, SRV, CNAME
	TTL  int64  // seconds
}

// ARN of the service.
func (r Registry) ARN() string { return r.Scope.ARN("servicediscovery", "service/"+r.ID) }

// Services are keyed by id.
var Services = store.NewTable("servicediscovery/service",
	func(r Registry) string { return r.Scope.Key("service", r.ID) },
	store.Index("id", func(r Registry) []string { return []string{r.ID} }),
	store.Index("namespace", func(r Registry) []string { return []string{r.Namespace} }),
)

// Instance is one registered instance.
type Instance struct {
	Scope      arn.Scope
	Service    string // id
	ID         string
	Attributes map[string]string
	Unhealthy  bool
	Creator    string
	Registered time.Time
}

// Instances are keyed by service and id.
var Instances = store.NewTable("servicediscovery/instance",
	func(i Instance) string { return i.Scope.Key("instance", i.Service, i.ID) })

// Operation is something that AWS does in the background. Here it is done.
type Operation struct {
	Scope   arn.Scope
	ID      string
	Type    string // CREATE_NAMESPACE, ...
	Targets map[string]string
	Created time.Time
}

// Operations are keyed by id.
var Operations = store.NewTable("servicediscovery/operation",
	func(o Operation) string { return o.Scope.Key("operation", o.ID) })
