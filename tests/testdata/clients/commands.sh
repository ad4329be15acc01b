# The commands that people type at a platform on ECS, as they type them at AWS:
# endpoint and credentials come from the environment alone. Needs aws (version
# 2), cdk, docker, skopeo, curl, and slipway for the images that services start
# from. Run in the project's folder.
set -euo pipefail

# run shows a command and runs it.
run() {
  printf '\n$ %s\n' "$1"
  eval "$1"
}

context="--context environmentSuffix=dev"
run "cdk bootstrap aws://$AWS_ACCOUNT_ID/$AWS_REGION"
run "slipway push"
run "cdk synth --quiet $context"
run "cdk diff $context"
run "cdk deploy --require-approval never $context"
run "cdk diff --method=template $context"

run 'ECR_URI=$(aws ecr describe-repositories --repository-names payment-service-dev --query "repositories[0].repositoryUri" --output text)'
run 'aws ecr get-login-password --region $AWS_REGION | docker login --username AWS --password-stdin ${ECR_URI%%/*}'
run 'TAG=$(aws ecr list-images --repository-name payment-service-dev --query "imageIds[0].imageTag" --output text)'
run 'printf "FROM $ECR_URI:$TAG\nENV BUILT_BY=docker\n" | docker build -q -t payment-service -'
run 'docker tag payment-service $ECR_URI:latest'
run 'docker push $ECR_URI:latest'
run 'skopeo copy --src-tls-verify=false --dest-tls-verify=false docker://$ECR_URI:latest docker://$ECR_URI:copied'

run "LB=\$(aws cloudformation describe-stacks --stack-name TapStackdev --query \"Stacks[0].Outputs[?OutputKey=='LoadBalancerDns'].OutputValue\" --output text); echo \$LB"
run 'aws ecs list-services --cluster microservices-cluster-dev --output text'
run "aws ecs describe-services --cluster microservices-cluster-dev --services payment-service-dev --query 'services[0].events[0:5]' --output table"
run 'aws appmesh list-virtual-nodes --mesh-name microservices-mesh-dev --query "virtualNodes[].virtualNodeName" --output text'
run 'aws appmesh list-virtual-services --mesh-name microservices-mesh-dev --query "virtualServices[].virtualServiceName" --output text'
run 'NODE=$(aws appmesh list-virtual-nodes --mesh-name microservices-mesh-dev --query "virtualNodes[0].virtualNodeName" --output text)'
run 'aws appmesh describe-virtual-node --mesh-name microservices-mesh-dev --virtual-node-name $NODE --query "virtualNode.spec.listeners[0].tls.mode" --output text'
run 'TG=$(aws elbv2 describe-target-groups --query "TargetGroups[0].TargetGroupArn" --output text)'
run 'aws elbv2 describe-target-health --target-group-arn $TG --query "TargetHealthDescriptions[].TargetHealth.State" --output text'
run 'aws ec2 describe-security-groups --filters "Name=tag:Name,Values=*microservices*" --query "SecurityGroups[].GroupName" --output text'
run 'timeout 8 aws logs tail /ecs/payment-service-dev --follow --since 1h || [ $? = 124 ]'
run 'timeout 8 aws logs tail /ecs/payment-service-dev --follow --since 1h --filter-pattern "envoy" || [ $? = 124 ]'
for service in payment order notification; do
  run "curl -fsS http://\$LB/$service/health"
done

run "cdk destroy --force $context"
