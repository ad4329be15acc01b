// The reference platform as a team would write it with the CDK and its ECS
// patterns: three services in Fargate that find each other by name, load
// balancers, scaling, an alarm. It needs in the working directory, for each
// service, a folder with its image's Dockerfile. Context, all optional:
//   release   an environment variable of the tasks
//   command   what the payment service runs
//   port      of the payment service's target group
//   retention of the logs, in days; the CDK does not look whether CloudWatch Logs has it
const cdk = require('aws-cdk-lib');
const cloudwatch = require('aws-cdk-lib/aws-cloudwatch');
const ec2 = require('aws-cdk-lib/aws-ec2');
const ecs = require('aws-cdk-lib/aws-ecs');
const elbv2 = require('aws-cdk-lib/aws-elasticloadbalancingv2');
const logs = require('aws-cdk-lib/aws-logs');
const patterns = require('aws-cdk-lib/aws-ecs-patterns');

class Platform extends cdk.Stack {
  constructor(scope, id, props) {
    super(scope, id, props);
    this.vpc = new ec2.Vpc(this, 'Vpc', { maxAzs: 2, natGateways: 1 });
    this.cluster = new ecs.Cluster(this, 'Cluster', {
      vpc: this.vpc, enableFargateCapacityProviders: true, containerInsightsV2: ecs.ContainerInsights.ENABLED,
      defaultCloudMapNamespace: { name: 'js.local' },
    });

    const payment = new patterns.ApplicationLoadBalancedFargateService(this, 'Payment', {
      ...this.shared('payment'), taskImageOptions: this.image('payment', 8080, this.value('command')),
    });
    check(payment.targetGroup, '/payment/health');
    payment.targetGroup.node.defaultChild.port = Number(this.value('port') ?? 80);
    payment.service.autoScaleTaskCount({ minCapacity: 1, maxCapacity: 4 }).scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: 70 });

    const notification = new ecs.FargateService(this, 'Notification', {
      ...this.shared('notification'), taskDefinition: this.definition('notification', 8082),
    });
    check(payment.listener.addTargets('Notification', {
      priority: 12, port: 80, targets: [notification],
      conditions: [elbv2.ListenerCondition.pathPatterns(['/notification', '/notification/*'])],
    }), '/notification/health');

    const order = new patterns.ApplicationMultipleTargetGroupsFargateService(this, 'Order', {
      ...this.shared('order'), taskDefinition: this.definition('order', 8081),
      targetGroups: [{ containerPort: 8081 }],
    });
    check(order.targetGroup, '/order/health');
    for (const [to, port] of [[payment.service, 8080], [notification, 8082]]) {
      to.connections.allowFrom(order.service, ec2.Port.tcp(port));
    }

    new cloudwatch.Alarm(this, 'Unhealthy', { metric: payment.targetGroup.metrics.unhealthyHostCount(), threshold: 1, evaluationPeriods: 2 });
    new cdk.CfnOutput(this, 'PaymentHost', { value: payment.loadBalancer.loadBalancerDnsName });
    new cdk.CfnOutput(this, 'OrderHost', { value: order.loadBalancer.loadBalancerDnsName });
  }

  value(name) { return this.node.tryGetContext(name); }

  shared(name) {
    return {
      cluster: this.cluster, desiredCount: 1, minHealthyPercent: 100, circuitBreaker: { rollback: true }, cloudMapOptions: { name },
    };
  }

  image(name, port, command) {
    const logGroup = new logs.LogGroup(this, `${name}Logs`, { retention: Number(this.value('retention') ?? 7), removalPolicy: cdk.RemovalPolicy.DESTROY });
    return {
      image: ecs.ContainerImage.fromAsset(name), containerPort: port, command: command && [command],
      environment: {
        SERVICE_NAME: name, PORT: String(port), RELEASE: this.value('release') ?? 'first',
        ...(name === 'order' && { PAYMENT_URL: 'http://payment.js.local:8080', NOTIFICATION_URL: 'http://notification.js.local:8082' }),
      },
      logDriver: ecs.LogDrivers.awsLogs({ streamPrefix: name, logGroup }),
    };
  }

  definition(name, port) {
    const definition = new ecs.FargateTaskDefinition(this, `${name}Task`);
    const { containerPort, logDriver: logging, ...container } = this.image(name, port);
    definition.addContainer(name, { ...container, logging, portMappings: [{ containerPort }] });
    return definition;
  }
}

function check(group, path) {
  group.configureHealthCheck({ path, interval: cdk.Duration.seconds(5), timeout: cdk.Duration.seconds(2), healthyThresholdCount: 2 });
  group.setAttribute('deregistration_delay.timeout_seconds', '5');
}

const env = { account: process.env.CDK_DEFAULT_ACCOUNT, region: process.env.CDK_DEFAULT_REGION };
new Platform(new cdk.App(), 'Js', { env });
