// An application as the CDK's own guide would have it: assets, permissions, notifications, and what the CDK does with
// custom resources of its own (notifications of buckets, emptying and filling them, retention of logs).
const cdk = require('aws-cdk-lib');
const { aws_dynamodb: dynamodb, aws_events: events, aws_events_targets: targets, aws_lambda: lambda } = cdk;
const { aws_lambda_event_sources: sources, aws_logs: logs, aws_s3: s3, aws_s3_notifications: notifications } = cdk;
const { aws_s3_deployment: deployment, aws_secretsmanager: secrets, aws_sqs: sqs, aws_ssm: ssm } = cdk;

class Inner extends cdk.NestedStack {
  constructor(scope, id, props) {
    super(scope, id, props);
    this.name = new ssm.StringParameter(this, 'Inner', { stringValue: props.table.tableName }).parameterName;
  }
}

class Shop extends cdk.Stack {
  constructor(scope, id, props) {
    super(scope, id, props);
    const removalPolicy = cdk.RemovalPolicy.DESTROY;
    const items = new dynamodb.Table(this, 'Items', {
      partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING },
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      removalPolicy,
    });
    const record = new lambda.Function(this, 'Record', {
      runtime: lambda.Runtime.PYTHON_3_11,
      handler: 'app.handler',
      code: lambda.Code.fromAsset('code'),
      timeout: cdk.Duration.seconds(20),
      environment: { TABLE: items.tableName, GREETING: process.env.GREETING ?? 'hello' },
    });
    items.grantReadWriteData(record);
    const pictures = new s3.Bucket(this, 'Pictures', { autoDeleteObjects: true, removalPolicy });
    pictures.addEventNotification(s3.EventType.OBJECT_CREATED, new notifications.LambdaDestination(record), {
      prefix: 'in/',
    });
    const work = new sqs.Queue(this, 'Work', { visibilityTimeout: cdk.Duration.minutes(1) });
    record.addEventSource(new sources.SqsEventSource(work));
    new secrets.Secret(this, 'Login').grantRead(record);
    new ssm.StringParameter(this, 'Host', { stringValue: items.tableName });
    new logs.LogRetention(this, 'Retention', {
      logGroupName: `/aws/lambda/${record.functionName}`,
      retention: logs.RetentionDays.ONE_WEEK,
    });
    new events.Rule(this, 'Daily', {
      schedule: events.Schedule.rate(cdk.Duration.days(1)),
      targets: [new targets.LambdaFunction(record)],
    });
    new deployment.BucketDeployment(this, 'Site', {
      sources: [deployment.Source.jsonData('site.json', { table: items.tableName })],
      destinationBucket: pictures,
      destinationKeyPrefix: 'site',
    });
    const inner = new Inner(this, 'Nested', { table: items });
    new cdk.CfnOutput(this, 'Parameter', { value: inner.name });
    const url = record.addFunctionUrl({ authType: lambda.FunctionUrlAuthType.NONE });
    new cdk.CfnOutput(this, 'Url', { value: url.url });
    new cdk.CfnOutput(this, 'Bucket', { value: pictures.bucketName });
    new cdk.CfnOutput(this, 'Table', { value: items.tableName });
    new cdk.CfnOutput(this, 'Function', { value: record.functionName });
  }
}

new Shop(new cdk.App(), 'cdk-shop', { env: { account: '000000000000', region: process.env.AWS_REGION } });
