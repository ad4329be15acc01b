package servicediscovery

import "github.com/slipway-dev/slipway/kernel/awsapi"

// API is the service with the operations it implements. Public DNS namespaces
// are left out: there is no public DNS here.
func (s *Service) API() *awsapi.Service {
	a := awsapi.NewService("servicediscovery")
	awsapi.Handle(a, "CreateHttpNamespace", s.CreateHttpNamespace)
	awsapi.Handle(a, "CreatePrivateDnsNamespace", s.CreatePrivateDnsNamespace)
	awsapi.Handle(a, "CreateService", s.CreateService)
	awsapi.Handle(a, "DeleteNamespace", s.DeleteNamespace)
	awsapi.Handle(a, "DeleteService", s.DeleteService)
	awsapi.Handle(a, "DeleteServiceAttributes", s.DeleteServiceAttributes)
	awsapi.Handle(a, "DeregisterInstance", s.DeregisterInstance)
	awsapi.Handle(a, "DiscoverInstances", s.DiscoverInstances)
	awsapi.Handle(a, "DiscoverInstancesRevision", s.DiscoverInstancesRevision)
	awsapi.Handle(a, "GetInstance", s.GetInstance)
	awsapi.Handle(a, "GetInstancesHealthStatus", s.GetInstancesHealthStatus)
	awsapi.Handle(a, "GetNamespace", s.GetNamespace)
	awsapi.Handle(a, "GetOperation", s.GetOperation)
	awsapi.Handle(a, "GetService", s.GetService)
	awsapi.Handle(a, "GetServiceAttributes", s.GetServiceAttributes)
	awsapi.Handle(a, "ListInstances", s.ListInstances)
	awsapi.Handle(a, "ListNamespaces", s.ListNamespaces)
	awsapi.Handle(a, "ListOperations", s.ListOperations)
	awsapi.Handle(a, "ListServices", s.ListServices)
	awsapi.Handle(a, "ListTagsForResource", s.ListTagsForResource)
	awsapi.Handle(a, "RegisterInstance", s.RegisterInstance)
	awsapi.Handle(a, "TagResource", s.TagResource)
	awsapi.Handle(a, "UntagResource", s.UntagResource)
	awsapi.Handle(a, "UpdateHttpNamespace", s.UpdateHttpNamespace)
	awsapi.Handle(a, "UpdateInstanceCustomHealthStatus", s.UpdateInstanceCustomHealthStatus)
	awsapi.Handle(a, "UpdatePrivateDnsNamespace", s.UpdatePrivateDnsNamespace)
	awsapi.Handle(a, "UpdateService", s.UpdateService)
	awsapi.Handle(a, "UpdateServiceAttributes", s.UpdateServiceAttributes)
	return a
}
