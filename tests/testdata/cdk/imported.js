// A stack of one parameter, and with the context adopt=yes of what somebody
// else has made: a log group, a repository, a bucket and a parameter. The
// context retention is the log group's, in days.
const cdk = require('aws-cdk-lib');
const ecr = require('aws-cdk-lib/aws-ecr');
const logs = require('aws-cdk-lib/aws-logs');
const s3 = require('aws-cdk-lib/aws-s3');
const ssm = require('aws-cdk-lib/aws-ssm');

class Adopter extends cdk.Stack {
  constructor(scope, id, props) {
    super(scope, id, props);
    new ssm.StringParameter(this, 'Own', { parameterName: '/adopter/own', stringValue: 'mine' });
    if (this.node.tryGetContext('adopt') !== 'yes') return;
    const removalPolicy = cdk.RemovalPolicy.RETAIN;
    new logs.LogGroup(this, 'Logs', { logGroupName: '/there/logs', retention: Number(this.node.tryGetContext('retention') ?? 7), removalPolicy });
    new ecr.Repository(this, 'Images', { repositoryName: 'there/images', imageScanOnPush: true, removalPolicy });
    new s3.Bucket(this, 'Objects', { bucketName: 'there-objects', versioned: true, removalPolicy });
    const level = new ssm.StringParameter(this, 'Level', { parameterName: '/there/level', stringValue: 'info' });
    level.applyRemovalPolicy(removalPolicy);
  }
}

const env = { account: process.env.CDK_DEFAULT_ACCOUNT, region: process.env.CDK_DEFAULT_REGION };
new Adopter(new cdk.App(), 'Adopter', { env });
