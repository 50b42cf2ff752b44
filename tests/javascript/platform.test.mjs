// The AWS SDK for JavaScript v3, as published, against a running platform. Run by tests/test_javascript.py, which starts
// the platform and hands over its address and keys in the environment.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";

import {
  CreateTableCommand, DynamoDBClient, waitUntilTableExists, ConditionalCheckFailedException,
} from "@aws-sdk/client-dynamodb";
import {
  CreateFunctionCommand, InvokeCommand, InvokeWithResponseStreamCommand, LambdaClient, ResourceNotFoundException, waitUntilFunctionActiveV2,
} from "@aws-sdk/client-lambda";
import {
  CreateBucketCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, NoSuchKey,
  PutObjectCommand, S3Client, paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { DynamoDBDocumentClient, GetCommand, PutCommand, QueryCommand, TransactWriteCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const config = { region: process.env.AWS_REGION, endpoint: process.env.AWS_ENDPOINT_URL, maxAttempts: 1 };
const s3 = new S3Client({ ...config, forcePathStyle: true });
const dynamodb = new DynamoDBClient(config);
const lambda = new LambdaClient(config);
const bucket = "javascript";

test("objects are put, read, listed and deleted", async () => {
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  for (const name of ["a", "b/1", "b/2"]) {
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: name, Body: `body of ${name}`, Metadata: { from: "js" } }));
  }
  const got = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: "b/1" }));
  assert.equal(await got.Body.transformToString(), "body of b/1");
  assert.equal(got.Metadata.from, "js");
  const listed = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Delimiter: "/" }));
  assert.deepEqual(listed.Contents.map((o) => o.Key), ["a"]);
  assert.deepEqual(listed.CommonPrefixes.map((p) => p.Prefix), ["b/"]);
  const keys = [];
  for await (const page of paginateListObjectsV2({ client: s3, pageSize: 1 }, { Bucket: bucket })) {
    keys.push(...page.Contents.map((o) => o.Key));
  }
  assert.deepEqual(keys, ["a", "b/1", "b/2"]);
  const gone = await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } }));
  assert.equal(gone.Deleted.length, 3);
  await assert.rejects(s3.send(new GetObjectCommand({ Bucket: bucket, Key: "a" })), NoSuchKey);
});

test("a stream of unknown length is uploaded in parts", async () => {
  const part = Buffer.alloc(1024 * 1024, "x");
  const body = Readable.from((function* () { for (let i = 0; i < 12; i++) yield part; })());
  await new Upload({ client: s3, params: { Bucket: bucket, Key: "large", Body: body }, partSize: 5 * 1024 * 1024 }).done();
  const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: "large" }));
  assert.equal(head.ContentLength, 12 * 1024 * 1024);
  assert.match(head.ETag, /-3"$/);
});

test("presigned URLs work without a key in hand", async () => {
  // By default this SDK signs the checksum of an empty body into the URL, and S3 holds the upload to it.
  const signer = new S3Client({ ...config, forcePathStyle: true, requestChecksumCalculation: "WHEN_REQUIRED" });
  const put = await getSignedUrl(signer, new PutObjectCommand({ Bucket: bucket, Key: "signed" }), { expiresIn: 60 });
  assert.equal((await fetch(put, { method: "PUT", body: "hello" })).status, 200);
  const get = await getSignedUrl(s3, new GetObjectCommand({ Bucket: bucket, Key: "signed" }), { expiresIn: 60 });
  assert.equal(await (await fetch(get)).text(), "hello");
  assert.equal((await fetch(get.replace(/Signature=../, "Signature=00"))).status, 403);
});

test("items are put, updated with conditions, queried and written in transactions", async () => {
  await dynamodb.send(new CreateTableCommand({
    TableName: "javascript", BillingMode: "PAY_PER_REQUEST",
    KeySchema: [{ AttributeName: "p", KeyType: "HASH" }, { AttributeName: "n", KeyType: "RANGE" }],
    AttributeDefinitions: [{ AttributeName: "p", AttributeType: "S" }, { AttributeName: "n", AttributeType: "N" }],
  }));
  await waitUntilTableExists({ client: dynamodb, maxWaitTime: 20, minDelay: 0.1, maxDelay: 0.5 }, { TableName: "javascript" });
  const documents = DynamoDBDocumentClient.from(dynamodb);
  const TableName = "javascript";
  for (let n = 0; n < 5; n++) await documents.send(new PutCommand({ TableName, Item: { p: "a", n, tags: new Set(["x"]) } }));
  const queried = await documents.send(new QueryCommand({
    TableName, KeyConditionExpression: "p = :p AND n >= :n", ExpressionAttributeValues: { ":p": "a", ":n": 2 }, ScanIndexForward: false,
  }));
  assert.deepEqual(queried.Items.map((item) => item.n), [4, 3, 2]);
  const updated = await documents.send(new UpdateCommand({
    TableName, Key: { p: "a", n: 0 }, UpdateExpression: "SET seen = if_not_exists(seen, :zero) + :one",
    ExpressionAttributeValues: { ":zero": 0, ":one": 1 }, ReturnValues: "ALL_NEW",
  }));
  assert.equal(updated.Attributes.seen, 1);
  await assert.rejects(
    documents.send(new PutCommand({ TableName, Item: { p: "a", n: 0 }, ConditionExpression: "attribute_not_exists(p)" })),
    ConditionalCheckFailedException,
  );
  await assert.rejects(documents.send(new TransactWriteCommand({ TransactItems: [
    { Put: { TableName, Item: { p: "b", n: 1 } } },
    { ConditionCheck: { TableName, Key: { p: "none", n: 1 }, ConditionExpression: "attribute_exists(p)" } },
  ] })), { name: "TransactionCanceledException" });
  assert.equal((await documents.send(new GetCommand({ TableName, Key: { p: "b", n: 1 } }))).Item, undefined);
});

test("functions are created and invoked, and their errors come back", async () => {
  await lambda.send(new CreateFunctionCommand({
    FunctionName: "javascript", Runtime: process.env.TEST_RUNTIME, Handler: "app.handler", Role: process.env.TEST_ROLE,
    Code: { ZipFile: Buffer.from(process.env.TEST_ZIP, "base64") },
  }));
  await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 20, minDelay: 0.1, maxDelay: 0.5 }, { FunctionName: "javascript" });
  const invoke = (event, more = {}) => lambda.send(new InvokeCommand({ FunctionName: "javascript", Payload: JSON.stringify(event), ...more }));
  const reply = await invoke({ double: 21 }, { LogType: "Tail" });
  assert.equal(JSON.parse(reply.Payload.transformToString()), 42);
  assert.match(Buffer.from(reply.LogResult, "base64").toString(), /^START RequestId: /);
  const failed = await invoke({});
  assert.equal(failed.FunctionError, "Unhandled");
  assert.equal(JSON.parse(failed.Payload.transformToString()).errorType, "KeyError");
  assert.equal((await invoke({ double: 1 }, { InvocationType: "Event" })).StatusCode, 202);
  await assert.rejects(lambda.send(new InvokeCommand({ FunctionName: "nobody" })), ResourceNotFoundException);
});

test("an answer is read as it comes", async () => {
  await lambda.send(new CreateFunctionCommand({
    FunctionName: "javascript-streams", Runtime: "nodejs24.x", Handler: "index.handler", Role: process.env.TEST_ROLE,
    Code: { ZipFile: Buffer.from(process.env.TEST_NODE_ZIP, "base64") },
  }));
  await waitUntilFunctionActiveV2(
    { client: lambda, maxWaitTime: 20, minDelay: 0.1, maxDelay: 0.5 }, { FunctionName: "javascript-streams" },
  );
  const read = async (event) => {
    const reply = await lambda.send(new InvokeWithResponseStreamCommand({
      FunctionName: "javascript-streams", Payload: JSON.stringify(event), LogType: "Tail",
    }));
    const parts = [];
    let complete;
    for await (const { PayloadChunk, InvokeComplete } of reply.EventStream) {
      if (PayloadChunk) parts.push(Buffer.from(PayloadChunk.Payload));
      complete ??= InvokeComplete;
    }
    return { text: Buffer.concat(parts).toString(), count: parts.length, complete };
  };
  const whole = await read({ parts: 3, size: 1_000_000 });
  assert.equal(whole.text.length, 3_000_000);
  assert.ok(whole.count > 1);
  assert.equal(whole.complete.ErrorCode, undefined);
  assert.match(Buffer.from(whole.complete.LogResult, "base64").toString(), /REPORT RequestId: /);
  const broken = await read({ parts: 1, size: 10, then: "fail" });
  assert.equal(broken.text, "x".repeat(10));
  assert.equal(broken.complete.ErrorCode, "Unhandled");
  assert.equal(JSON.parse(broken.complete.ErrorDetails).errorMessage, "on purpose");
});
