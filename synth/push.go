package synth

import "github.com/slipway-dev/slipway/manifest"

// push renders what deploys a service when its image is pushed: a rule that sees the push, and an automation that asks ECS for a new
// deployment. EventBridge has no target that updates a service, so a document of Systems Manager does; there is no code to keep.
// Source: "Amazon ECR events and EventBridge" in the ECR user guide, "aws:executeAwsApi" in the Systems Manager user guide.
func (r *renderer) push(s *manifest.Service) {
	if !s.Deploy.OnPush || !s.Built() {
		return
	}
	id := manifest.Camel(s.Name)
	automation := sub("arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:automation-definition/${" + id + "Redeploy}:$DEFAULT")
	r.roleFor("ssm.amazonaws.com", id+"RedeployRole", s.Name+"-redeploy", []Object{allow([]string{"ecs:UpdateService"}, ref(id+"Service"))})
	r.add(id+"Redeploy", "AWS::SSM::Document", Object{
		{"DocumentType", "Automation"},
		{"Content", Object{
			{"schemaVersion", "0.3"},
			{"assumeRole", attribute(id+"RedeployRole", "Arn")},
			{"mainSteps", []Object{{
				{"name", "deploy"},
				{"action", "aws:executeAwsApi"},
				{"inputs", Object{
					{"Service", "ecs"}, {"Api", "UpdateService"}, {"cluster", ref("Cluster")}, {"service", attribute(id+"Service", "Name")}, {"forceNewDeployment", true},
				}},
			}}},
		}},
	})
	r.roleFor("events.amazonaws.com", id+"PushRole", s.Name+"-push", []Object{
		allow([]string{"ssm:StartAutomationExecution"}, automation),
		allow([]string{"iam:PassRole"}, attribute(id+"RedeployRole", "Arn")),
	})
	r.add(id+"Push", "AWS::Events::Rule", Object{
		{"EventPattern", Object{
			{"source", []string{"aws.ecr"}},
			{"detail-type", []string{"ECR Image Action"}},
			{"detail", Object{
				{"action-type", []string{"PUSH"}},
				{"result", []string{"SUCCESS"}},
				{"repository-name", []any{ref(id + "Repository")}},
				{"image-tag", []any{ref(ImageParameter(s.Name))}},
			}},
		}},
		{"Targets", []Object{{{"Id", "deploy"}, {"Arn", automation}, {"RoleArn", attribute(id+"PushRole", "Arn")}}}},
	})
}
