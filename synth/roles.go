package synth

import "github.com/slipway-dev/slipway/manifest"

// roles renders a service's two roles: what ECS may do to start its tasks, and what the tasks themselves may do. Each allows exactly the
// actions used on exactly the resources they are used on.
func (r *renderer) roles(s *manifest.Service) {
	id := manifest.Camel(s.Name)
	start := []Object{allow([]string{"logs:CreateLogStream", "logs:PutLogEvents"}, attribute(id+"LogGroup", "Arn"))}
	if s.Built() { // one statement: none of the actions exists on both resources
		start = []Object{allow(
			[]string{"logs:CreateLogStream", "logs:PutLogEvents", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"},
			[]Object{attribute(id+"LogGroup", "Arn"), attribute(id+"Repository", "Arn")},
		), allow([]string{"ecr:GetAuthorizationToken"}, "*")} // knows no resource: the token is the registry's
	}
	r.role(id+"ExecutionRole", s.Name+"-execution", start)
	var run []Object
	if s.Exec { // ECS Exec's channels know no resource either
		run = append(run, allow([]string{
			"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
		}, "*"))
	}
	if r.meshed() {
		run = append(run, allow([]string{"appmesh:StreamAggregatedResources"}, ref(id+"Node")))
	}
	r.role(id+"TaskRole", s.Name+"-task", run)
}

func (r *renderer) role(id, name string, statements []Object) {
	r.roleFor("ecs-tasks.amazonaws.com", id, name, statements)
}

// roleFor renders a role that one of AWS's services takes on.
func (r *renderer) roleFor(principal, id, policy string, statements []Object) {
	properties := Object{
		{"AssumeRolePolicyDocument", document([]Object{{
			{"Effect", "Allow"}, {"Principal", Object{{"Service", principal}}}, {"Action", "sts:AssumeRole"},
		}})},
	}
	if len(statements) > 0 {
		properties = append(properties, Field{"Policies", []Object{{{"PolicyName", policy}, {"PolicyDocument", document(statements)}}}})
	}
	r.add(id, "AWS::IAM::Role", properties)
}

func document(statements []Object) Object {
	return Object{{"Version", "2012-10-17"}, {"Statement", statements}}
}

func allow(actions []string, resource any) Object {
	return Object{{"Effect", "Allow"}, {"Action", oneOrList(actions)}, {"Resource", resource}}
}
