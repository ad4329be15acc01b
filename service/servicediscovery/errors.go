package servicediscovery

import "github.com/slipway-dev/slipway/kernel/awsapi"

func invalid(format string, args ...any) error {
	return awsapi.Errorf("InvalidInput", 400, format, args...)
}

func noNamespace(id string) error {
	return awsapi.Errorf("NamespaceNotFound", 400, "Failed to find namespace %s", id)
}

func noService(id string) error {
	return awsapi.Errorf("ServiceNotFound", 400, "Failed to find service %s", id)
}

func noInstance(id string) error {
	return awsapi.Errorf("InstanceNotFound", 400, "Failed to find instance %s", id)
}

func noOperation(id string) error {
	return awsapi.Errorf("OperationNotFound", 400, "Failed to find operation %s", id)
}

func noResource(arn string) error {
	return awsapi.Errorf("ResourceNotFoundException", 400, "Failed to find resource %s", arn)
}

func namespaceExists(n Namespace) error {
	e := awsapi.Errorf("NamespaceAlreadyExists", 400, "The namespace %s already exists.", n.Name)
	e.Fields = map[string]any{"NamespaceId": n.ID, "CreatorRequestId": n.Creator}
	return e
}

func serviceExists(r Registry) error {
	e := awsapi.Errorf("ServiceAlreadyExists", 400, "Service already exists.")
	e.Fields = map[string]any{"ServiceId": r.ID, "ServiceArn": r.ARN(), "CreatorRequestId": r.Creator}
	return e
}

func inUse(format string, args ...any) error {
	return awsapi.Errorf("ResourceInUse", 400, format, args...)
}

func tooMany(format string, args ...any) error {
	return awsapi.Errorf("ResourceLimitExceeded", 400, format, args...)
}

func noCustomHealth(service string) error {
	return awsapi.Errorf("CustomHealthNotFound", 400, "Service %s does not have a custom health check", service)
}
