package synth

import (
	"strings"

	"github.com/slipway-dev/slipway/manifest"
)

// Names are the physical names that users type and scripts depend on, and the template's ids for the things of one service. Everything
// else is named by CloudFormation, so that it can be replaced (new before old) without two resources claiming one name.
type Names struct{ Platform, Environment string }

// NamesOf gives the names of a manifest's platform.
func NamesOf(m *manifest.Manifest) Names { return Names{m.Name, m.Environment} }

// Cluster is the ECS cluster: microservices-cluster-dev.
func (n Names) Cluster() string { return n.Platform + "-cluster-" + n.Environment }

// Dashboard is the CloudWatch dashboard: microservices-dashboard-dev.
func (n Names) Dashboard() string { return n.Platform + "-dashboard-" + n.Environment }

// LoadBalancer is the load balancer: microservices-dev.
func (n Names) LoadBalancer() string { return n.Platform + "-" + n.Environment }

// Namespace is the private DNS namespace: dev.local.
func (n Names) Namespace() string { return n.Environment + ".local" }

// Service is the ECS service and the task definition's family: payment-service-dev.
func (n Names) Service(svc string) string { return svc + "-service-" + n.Environment }

// Repository is the ECR repository, which has the service's name.
func (n Names) Repository(svc string) string { return n.Service(svc) }

// LogGroup is the log group: /ecs/payment-service-dev.
func (n Names) LogGroup(svc string) string { return "/ecs/" + n.Service(svc) }

// Container is the application's container in the task definition: payment-container.
func (n Names) Container(svc string) string { return svc + "-container" }

// Host is the private name: payment.dev.local.
func (n Names) Host(s *manifest.Service) string { return s.DNS + "." + n.Namespace() }

// Mesh is the service mesh: microservices-mesh-dev.
func (n Names) Mesh() string { return n.Platform + "-mesh-" + n.Environment }

// Node is a service's virtual node: payment-node-dev.
func (n Names) Node(svc string) string { return svc + "-node-" + n.Environment }

// Router is a service's virtual router: payment-router-dev.
func (n Names) Router(svc string) string { return svc + "-router-" + n.Environment }

// Route is a service's route: payment-route-dev.
func (n Names) Route(svc string) string { return svc + "-route-" + n.Environment }

// Tag is a Name tag's value: microservices-dev-vpc.
func (n Names) Tag(what string) string { return n.Platform + "-" + n.Environment + "-" + what }

// ImageParameter is the template parameter that holds the tag of a built service's image: PaymentImageTag.
func ImageParameter(svc string) string { return manifest.Camel(svc) + "ImageTag" }

// RepositoryOutput is the output that holds the URI of a built service's repository: EcrRepoPayment.
func RepositoryOutput(svc string) string { return "EcrRepo" + manifest.Camel(svc) }

// addressVariable is the environment variable in which a caller finds a service: PAYMENT_URL.
func addressVariable(svc string) string {
	return strings.ToUpper(strings.ReplaceAll(svc, "-", "_")) + "_URL"
}
