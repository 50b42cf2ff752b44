// Queues, topics, the event bus, schedules, pipes and alarms with the AWS SDK for JavaScript v3, as published, against a
// running platform. Run by tests/test_javascript.py, which starts the platform and hands over its address and keys, and the
// ARN of a role that may run schedules and pipes, in the environment.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import {
  CloudWatchClient, DeleteAlarmsCommand, DescribeAlarmsCommand, GetMetricStatisticsCommand,
  InvalidParameterValueException, PutMetricAlarmCommand, PutMetricDataCommand, ResourceNotFound, SetAlarmStateCommand,
  paginateGetMetricData, paginateListMetrics, waitUntilAlarmExists,
} from "@aws-sdk/client-cloudwatch";
import {
  CreateEventBusCommand, EventBridgeClient, InvalidEventPatternException, ListRulesCommand, ListTargetsByRuleCommand,
  PutEventsCommand, PutRuleCommand, PutTargetsCommand, ResourceAlreadyExistsException, ResourceNotFoundException,
  TestEventPatternCommand,
} from "@aws-sdk/client-eventbridge";
import {
  ConflictException as PipeConflict, CreatePipeCommand, DescribePipeCommand, ListPipesCommand, NotFoundException,
  PipesClient, ValidationException as PipeInvalid, paginateListPipes,
} from "@aws-sdk/client-pipes";
import {
  ConflictException, CreateScheduleCommand, CreateScheduleGroupCommand, DeleteScheduleGroupCommand, GetScheduleCommand,
  ResourceNotFoundException as NoSchedule, SchedulerClient, ValidationException, paginateListSchedules,
} from "@aws-sdk/client-scheduler";
import {
  CreateTopicCommand, EmptyBatchRequestException, GetTopicAttributesCommand, InvalidParameterException,
  ListTopicsCommand, NotFoundException as NoTopic, PublishBatchCommand, PublishCommand, SNSClient, SubscribeCommand,
  TooManyEntriesInBatchRequestException, paginateListSubscriptionsByTopic, paginateListTopics,
} from "@aws-sdk/client-sns";
import {
  BatchEntryIdsNotDistinct, ChangeMessageVisibilityCommand, CreateQueueCommand, DeleteMessageBatchCommand,
  DeleteMessageCommand, EmptyBatchRequest, GetQueueAttributesCommand, GetQueueUrlCommand, ListQueuesCommand,
  PurgeQueueCommand, PurgeQueueInProgress, QueueDoesNotExist, QueueNameExists, ReceiptHandleIsInvalid,
  ReceiveMessageCommand, SQSClient, SendMessageBatchCommand, SendMessageCommand, TooManyEntriesInBatchRequest,
  paginateListQueues,
} from "@aws-sdk/client-sqs";

const config = { region: process.env.AWS_REGION, endpoint: process.env.AWS_ENDPOINT_URL, maxAttempts: 1 };
const sqs = new SQSClient(config);
const sns = new SNSClient(config);
const events = new EventBridgeClient(config);
const scheduler = new SchedulerClient(config);
const pipes = new PipesClient(config);
const cloudwatch = new CloudWatchClient(config);
const RoleArn = process.env.TEST_ROLE;

// Which content types each client sent: none with a GET of REST.
const spoken = {};
for (const client of [sqs, sns, events, scheduler, pipes, cloudwatch]) {
  client.middlewareStack.add((next, context) => async (args) => {
    const type = Object.entries(args.request.headers).find(([name]) => name.toLowerCase() === "content-type");
    if (type) (spoken[context.clientName] ??= new Set()).add(type[1]);
    return next(args);
  }, { step: "finalizeRequest" });
}

async function makeQueue(QueueName, Attributes) {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes }));
  const found = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }));
  return { QueueUrl, arn: found.Attributes.QueueArn };
}

async function take(QueueUrl, wanted = 1) {
  const taken = [];
  while (taken.length < wanted) {
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({
      QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20, MessageAttributeNames: ["All"], MessageSystemAttributeNames: ["All"],
    }));
    taken.push(...Messages);
  }
  return taken;
}

test("a batch is taken in part, and a receiver that waits gets it", async () => {
  const { QueueUrl } = await makeQueue("js-batch");
  const waiting = take(QueueUrl, 2);
  const sent = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries: [
    { Id: "a", MessageBody: "one ☃", MessageAttributes: { n: { DataType: "Number", StringValue: "1" }, b: { DataType: "Binary", BinaryValue: new Uint8Array([0, 255]) } } },
    { Id: "b", MessageBody: "two" },
    { Id: "c", MessageBody: "bad", DelaySeconds: 901 },
    { Id: "d", MessageBody: "\u0001" },
  ] }));
  assert.deepEqual(sent.Successful.map((entry) => entry.Id).sort(), ["a", "b"]);
  assert.deepEqual(sent.Failed.map((entry) => [entry.Id, entry.Code, entry.SenderFault]), [
    ["c", "InvalidParameterValue", true], ["d", "InvalidMessageContents", true],
  ]);
  const messages = await waiting;
  const one = messages.find((message) => message.Body === "one ☃");
  assert.equal(one.MD5OfBody, createHash("md5").update("one ☃").digest("hex"));
  assert.deepEqual([...one.MessageAttributes.b.BinaryValue], [0, 255]);
  assert.equal(one.Attributes.ApproximateReceiveCount, "1");
  const gone = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: [
    ...messages.map((message, index) => ({ Id: String(index), ReceiptHandle: message.ReceiptHandle })), { Id: "x", ReceiptHandle: "nonsense" },
  ] }));
  assert.equal(gone.Successful.length, 2);
  assert.deepEqual(gone.Failed.map((entry) => [entry.Id, entry.Code]), [["x", "ReceiptHandleIsInvalid"]]);
});

test("errors of queues are the SDK's classes", async () => {
  const { QueueUrl } = await makeQueue("js-errors");
  const entry = { Id: "a", MessageBody: "x" };
  await assert.rejects(sqs.send(new GetQueueUrlCommand({ QueueName: "js-none" })), QueueDoesNotExist);
  await assert.rejects(sqs.send(new SendMessageCommand({ QueueUrl: `${QueueUrl}-none`, MessageBody: "x" })), QueueDoesNotExist);
  await assert.rejects(sqs.send(new CreateQueueCommand({ QueueName: "js-errors", Attributes: { DelaySeconds: "7" } })), QueueNameExists);
  await assert.rejects(sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries: [entry, entry] })), BatchEntryIdsNotDistinct);
  await assert.rejects(sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries: [] })), EmptyBatchRequest);
  const many = Array.from({ length: 11 }, (_, n) => ({ Id: String(n), MessageBody: "x" }));
  await assert.rejects(sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries: many })), TooManyEntriesInBatchRequest);
  await assert.rejects(sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: "nonsense" })), ReceiptHandleIsInvalid);
  await assert.rejects(sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: "nonsense", VisibilityTimeout: 0 })), ReceiptHandleIsInvalid);
  await sqs.send(new PurgeQueueCommand({ QueueUrl }));
  await assert.rejects(sqs.send(new PurgeQueueCommand({ QueueUrl })), PurgeQueueInProgress);
});

test("a FIFO queue keeps the order of a group, and drops what was sent twice", async () => {
  const { QueueUrl } = await makeQueue("js.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
  for (const MessageBody of ["1", "2", "2", "3"]) await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody, MessageGroupId: "g" }));
  const messages = await take(QueueUrl, 3);
  assert.deepEqual(messages.map((message) => message.Body), ["1", "2", "3"]);
  const numbers = messages.map((message) => BigInt(message.Attributes.SequenceNumber));
  assert.ok(numbers[0] < numbers[1] && numbers[1] < numbers[2]);
});

test("a topic gives messages to those who want them, raw and as documents", async () => {
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: "js" }));
  const [raw, whole] = [await makeQueue("js-raw"), await makeQueue("js-whole")];
  await sns.send(new SubscribeCommand({
    TopicArn, Protocol: "sqs", Endpoint: raw.arn, Attributes: { RawMessageDelivery: "true", FilterPolicy: JSON.stringify({ kind: [{ prefix: "b" }] }) },
  }));
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint: whole.arn }));
  const kind = (StringValue) => ({ kind: { DataType: "String", StringValue } });
  await sns.send(new PublishCommand({ TopicArn, Message: "a", MessageAttributes: kind("apple") }));
  const done = await sns.send(new PublishBatchCommand({ TopicArn, PublishBatchRequestEntries: [
    { Id: "1", Message: "b", Subject: "s", MessageAttributes: { ...kind("book"), bin: { DataType: "Binary", BinaryValue: new Uint8Array([1, 254]) } } },
    { Id: "2", Message: "" },
    { Id: "3", Message: "c", Subject: "x\ny" },
  ] }));
  assert.deepEqual(done.Successful.map((entry) => entry.Id), ["1"]);
  assert.deepEqual(done.Failed.map((entry) => [entry.Id, entry.SenderFault]), [["2", true], ["3", true]]);
  const [message] = await take(raw.QueueUrl);
  assert.equal(message.Body, "b");
  assert.deepEqual([...message.MessageAttributes.bin.BinaryValue], [1, 254]);
  const documents = (await take(whole.QueueUrl, 2)).map((each) => JSON.parse(each.Body));
  assert.deepEqual(documents.map((each) => each.Message).sort(), ["a", "b"]);
  const listed = [];
  for await (const page of paginateListSubscriptionsByTopic({ client: sns }, { TopicArn })) listed.push(...page.Subscriptions);
  assert.equal(listed.length, 2);
});

test("errors of topics are the SDK's classes", async () => {
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: "js-errors" }));
  await assert.rejects(sns.send(new GetTopicAttributesCommand({ TopicArn: `${TopicArn}-none` })), NoTopic);
  await assert.rejects(sns.send(new PublishCommand({ TopicArn: `${TopicArn}-none`, Message: "x" })), NoTopic);
  await assert.rejects(sns.send(new SubscribeCommand({ TopicArn, Protocol: "carrier-pigeon", Endpoint: "x" })), InvalidParameterException);
  await assert.rejects(sns.send(new PublishBatchCommand({ TopicArn, PublishBatchRequestEntries: [] })), EmptyBatchRequestException);
  const many = Array.from({ length: 11 }, (_, n) => ({ Id: String(n), Message: "x" }));
  await assert.rejects(sns.send(new PublishBatchCommand({ TopicArn, PublishBatchRequestEntries: many })), TooManyEntriesInBatchRequestException);
});

test("a rule of a bus sends what it wants to a queue; bad entries fail alone", async () => {
  await events.send(new CreateEventBusCommand({ Name: "js" }));
  const { QueueUrl, arn } = await makeQueue("js-bus");
  const Rule = "big", EventBusName = "js";
  await events.send(new PutRuleCommand({ Name: Rule, EventBusName, EventPattern: JSON.stringify({ detail: { n: [{ numeric: [">", 5] }] } }) }));
  const put = await events.send(new PutTargetsCommand({ Rule, EventBusName, Targets: [{ Id: "1", Arn: arn, InputPath: "$.detail" }] }));
  assert.equal(put.FailedEntryCount, 0);
  const entry = (n) => ({ EventBusName, Source: "js", DetailType: "counted", Detail: JSON.stringify({ n }), Time: new Date(0) });
  const done = await events.send(new PutEventsCommand({ Entries: [entry(1), entry(9), { ...entry(7), Detail: "no json" }, { EventBusName, Source: "js" }] }));
  assert.equal(done.FailedEntryCount, 2);
  assert.deepEqual(done.Entries.map((each) => each.ErrorCode), [undefined, undefined, "MalformedDetail", "InvalidArgument"]);
  assert.deepEqual((await take(QueueUrl)).map((message) => message.Body), ['{"n":9}']);
  await assert.rejects(events.send(new CreateEventBusCommand({ Name: "js" })), ResourceAlreadyExistsException);
  await assert.rejects(events.send(new ListTargetsByRuleCommand({ Rule: "none", EventBusName })), ResourceNotFoundException);
  await assert.rejects(events.send(new PutRuleCommand({ Name: "bad", EventBusName, EventPattern: '{"a": 1}' })), InvalidEventPatternException);
  const tested = await events.send(new TestEventPatternCommand({
    EventPattern: '{"source": ["js"]}',
    Event: JSON.stringify({ id: "1", "detail-type": "t", source: "js", account: "000000000000", time: "2026-01-01T00:00:00Z", region: "us-east-1", resources: [], detail: {} }),
  }));
  assert.equal(tested.Result, true);
  await events.send(new PutRuleCommand({ Name: "other", EventBusName, EventPattern: '{"source": ["x"]}' }));
  const rules = [];
  for (let NextToken; ;) {
    const page = await events.send(new ListRulesCommand({ EventBusName, Limit: 1, NextToken }));
    rules.push(...page.Rules.map((rule) => rule.Name));
    NextToken = page.NextToken;
    if (!NextToken) break;
  }
  assert.deepEqual(rules, ["big", "other"]);
});

test("schedules have dates, groups, pages and typed errors, and run", async () => {
  const { QueueUrl, arn } = await makeQueue("js-ticks");
  await scheduler.send(new CreateScheduleGroupCommand({ Name: "js" }));
  const schedule = (Name) => ({
    Name, GroupName: "js", ScheduleExpression: "rate(1 hour)", FlexibleTimeWindow: { Mode: "OFF" }, Target: { Arn: arn, RoleArn, Input: Name },
  });
  const end = new Date("2031-01-01T00:00:00Z");
  await scheduler.send(new CreateScheduleCommand({ ...schedule("a"), EndDate: end }));
  await scheduler.send(new CreateScheduleCommand({ ...schedule("b"), State: "DISABLED" }));
  assert.deepEqual((await take(QueueUrl)).map((message) => message.Body), ["a"]);
  const got = await scheduler.send(new GetScheduleCommand({ Name: "a", GroupName: "js" }));
  assert.equal(got.EndDate.getTime(), end.getTime());
  assert.ok(got.CreationDate instanceof Date);
  const names = [];
  for await (const page of paginateListSchedules({ client: scheduler, pageSize: 1 }, { GroupName: "js" })) names.push(...page.Schedules.map((each) => each.Name));
  assert.deepEqual(names, ["a", "b"]);
  await assert.rejects(scheduler.send(new CreateScheduleCommand(schedule("a"))), ConflictException);
  await assert.rejects(scheduler.send(new GetScheduleCommand({ Name: "none" })), NoSchedule);
  await assert.rejects(scheduler.send(new CreateScheduleCommand({ ...schedule("c"), ScheduleExpression: "sometimes" })), ValidationException);
  await scheduler.send(new DeleteScheduleGroupCommand({ Name: "js" }));
});

test("a pipe moves what its filter lets through", async () => {
  const [source, target] = [await makeQueue("js-in"), await makeQueue("js-out")];
  const pipe = {
    Name: "js", RoleArn, Source: source.arn, Target: target.arn,
    SourceParameters: { FilterCriteria: { Filters: [{ Pattern: '{"body": {"go": [true]}}' }] } }, TargetParameters: { InputTemplate: "<$.body.n>" },
  };
  await pipes.send(new CreatePipeCommand(pipe));
  for (const body of [{ go: false, n: 1 }, { go: true, n: 2 }]) {
    await sqs.send(new SendMessageCommand({ QueueUrl: source.QueueUrl, MessageBody: JSON.stringify(body) }));
  }
  assert.deepEqual((await take(target.QueueUrl)).map((message) => message.Body), ["2"]);
  assert.equal((await pipes.send(new DescribePipeCommand({ Name: "js" }))).CurrentState, "RUNNING");
  await assert.rejects(pipes.send(new CreatePipeCommand(pipe)), PipeConflict);
  await assert.rejects(pipes.send(new DescribePipeCommand({ Name: "none" })), NotFoundException);
  await assert.rejects(pipes.send(new CreatePipeCommand({ ...pipe, Name: "js2", Source: "arn:aws:sns:us-east-1:000000000000:x" })), PipeInvalid);
  const names = [];
  for await (const page of paginateListPipes({ client: pipes, pageSize: 1 }, { NamePrefix: "js" })) names.push(...page.Pipes.map((each) => each.Name));
  assert.deepEqual(names, ["js"]);
});

test("metrics are written and read, and an alarm publishes what became of it", async () => {
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: "js-alarm" }));
  const { QueueUrl, arn } = await makeQueue("js-alarm");
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint: arn, Attributes: { RawMessageDelivery: "true" } }));
  const Timestamp = new Date(Date.now() - 60000);
  await cloudwatch.send(new PutMetricDataCommand({ Namespace: "JS", MetricData: [
    { MetricName: "n", Value: 1.5, Timestamp }, { MetricName: "n", Values: [2, 3], Counts: [1, 2], Timestamp }, { MetricName: "m", Value: 1, Unit: "Count" },
  ] }));
  // Enough to be compressed by the SDK.
  const many = Array.from({ length: 900 }, (_, n) => ({ MetricName: "many", Value: n }));
  await cloudwatch.send(new PutMetricDataCommand({ Namespace: "JS", MetricData: many }));
  const MetricStat = { Metric: { Namespace: "JS", MetricName: "n" }, Period: 60, Stat: "Sum" };
  const values = [];
  for await (const page of paginateGetMetricData({ client: cloudwatch }, {
    StartTime: new Date(Date.now() - 600000), EndTime: new Date(Date.now() + 60000), MetricDataQueries: [{ Id: "s", MetricStat }, { Id: "d", Expression: "s * 2" }],
  })) values.push(...page.MetricDataResults.map((result) => [result.Id, result.Values]));
  assert.deepEqual(values, [["s", [9.5]], ["d", [19]]]);
  const metrics = [];
  for await (const page of paginateListMetrics({ client: cloudwatch }, { Namespace: "JS" })) metrics.push(...page.Metrics.map((each) => each.MetricName));
  assert.deepEqual(metrics.sort(), ["m", "many", "n"]);
  const AlarmName = "js";
  await cloudwatch.send(new PutMetricAlarmCommand({
    AlarmName, Namespace: "JS", MetricName: "n", Statistic: "Sum", Period: 60, EvaluationPeriods: 1, Threshold: 1e9,
    ComparisonOperator: "GreaterThanThreshold", AlarmActions: [TopicArn], TreatMissingData: "ignore",
  }));
  await waitUntilAlarmExists({ client: cloudwatch, maxWaitTime: 20 }, { AlarmNames: [AlarmName] });
  await cloudwatch.send(new SetAlarmStateCommand({ AlarmName, StateValue: "ALARM", StateReason: "a trial" }));
  const [message] = await take(QueueUrl);
  assert.equal(JSON.parse(message.Body).NewStateReason, "a trial");
  const [alarm] = (await cloudwatch.send(new DescribeAlarmsCommand({ AlarmNames: [AlarmName] }))).MetricAlarms;
  assert.equal(alarm.StateValue, "ALARM");
  assert.ok(alarm.StateUpdatedTimestamp instanceof Date);
  await assert.rejects(cloudwatch.send(new SetAlarmStateCommand({ AlarmName: "none", StateValue: "OK", StateReason: "x" })), ResourceNotFound);
  await assert.rejects(cloudwatch.send(new GetMetricStatisticsCommand({
    Namespace: "JS", MetricName: "n", Period: 60, Statistics: ["Sum"], StartTime: new Date(1000), EndTime: new Date(0),
  })), InvalidParameterValueException);
  await cloudwatch.send(new DeleteAlarmsCommand({ AlarmNames: [AlarmName] }));
});

test("lists come in pages", async () => {
  for (const name of ["js-page-1", "js-page-2", "js-page-3"]) {
    await makeQueue(name);
    await sns.send(new CreateTopicCommand({ Name: name }));
  }
  const queues = [];
  for await (const page of paginateListQueues({ client: sqs, pageSize: 1 }, { QueueNamePrefix: "js-page-" })) queues.push(page.QueueUrls.length);
  assert.deepEqual(queues.filter(Boolean), [1, 1, 1]);
  const topics = [];
  for await (const page of paginateListTopics({ client: sns }, {})) topics.push(...page.Topics.map((topic) => topic.TopicArn));
  assert.equal(topics.filter((arn) => arn.includes(":js-page-")).length, 3);
});

test("a wrong secret is told apart from other errors", async () => {
  const credentials = { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: "wrong" };
  for (const [Client, Command, name] of [
    [SQSClient, ListQueuesCommand, "SignatureDoesNotMatch"],
    [SNSClient, ListTopicsCommand, "SignatureDoesNotMatch"],
    [EventBridgeClient, ListRulesCommand, "InvalidSignatureException"],
    [PipesClient, ListPipesCommand, "InvalidSignatureException"],
  ]) await assert.rejects(new Client({ ...config, credentials }).send(new Command({})), { name });
});

test("each client spoke the protocol that is its own", () => {
  assert.deepEqual(spoken, {
    SQSClient: new Set(["application/x-amz-json-1.0"]),
    SNSClient: new Set(["application/x-www-form-urlencoded"]),
    EventBridgeClient: new Set(["application/x-amz-json-1.1"]),
    SchedulerClient: new Set(["application/json"]),
    PipesClient: new Set(["application/json"]),
    CloudWatchClient: new Set(["application/x-amz-json-1.0"]),
  });
});
