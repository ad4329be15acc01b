package synth

import "github.com/slipway-dev/slipway/manifest"

// roles renders a service's two roles: what ECS may do to start its tasks, and what the tasks themselves may do. Each allows exactly the
// actions used on exactly the resources they are used on.
func (r *renderer) roles(s *manifest.Service) {
	id := manifest.Camel(s.Name)
	start := []Object{allow("Logs", []string{"logs:CreateLogStream", "logs:PutLogEvents"}, getAtt(id+"LogGroup", "Arn"))}
	if s.Built() {
		start = append(
			start,
			// ecr:GetAuthorizationToken knows no resource: the token is the registry's.
			allow("RegistryLogin", []string{"ecr:GetAuthorizationToken"}, "*"),
			allow("Image", []string{"ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"}, getAtt(id+"Repository", "Arn")),
		)
	}
	r.role(id+"ExecutionRole", s.Name+"-execution", "Starts the tasks of "+s.Name, start)
	var run []Object
	if s.Exec { // ECS Exec's channels know no resource either
		run = append(run, allow("Exec", []string{
			"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
		}, "*"))
	}
	if r.meshed() {
		run = append(run, allow("Mesh", []string{"appmesh:StreamAggregatedResources"}, ref(id+"Node")))
	}
	r.role(id+"TaskRole", s.Name+"-task", "Tasks of "+s.Name, run)
}

func (r *renderer) role(id, name, description string, statements []Object) {
	r.roleFor("ecs-tasks.amazonaws.com", id, name, description, statements)
}

// roleFor renders a role that one of AWS's services takes on.
func (r *renderer) roleFor(principal, id, name, description string, statements []Object) {
	properties := Object{
		{"Description", description},
		{"AssumeRolePolicyDocument", document([]Object{{
			{"Effect", "Allow"}, {"Principal", Object{{"Service", principal}}}, {"Action", "sts:AssumeRole"},
		}})},
	}
	if len(statements) > 0 {
		properties = append(properties, Field{"Policies", []Object{{{"PolicyName", name}, {"PolicyDocument", document(statements)}}}})
	}
	r.add(id, "AWS::IAM::Role", append(properties, r.tagged(name)))
}

func document(statements []Object) Object {
	return Object{{"Version", "2012-10-17"}, {"Statement", statements}}
}

func allow(sid string, actions []string, resource any) Object {
	return Object{{"Sid", sid}, {"Effect", "Allow"}, {"Action", actions}, {"Resource", resource}}
}
