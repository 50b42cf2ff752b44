// Keeps notes in a table, by a function URL: PUT /name with a text, GET /name, and GET / for all of them as they come.

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, PutCommand, paginateScan } from '@aws-sdk/lib-dynamodb';

const TableName = process.env.TABLE;
const tables = DynamoDBDocumentClient.from(new DynamoDBClient({}));

function begin(stream, statusCode, contentType) {
  return awslambda.HttpResponseStream.from(stream, { statusCode, headers: { 'content-type': contentType } });
}

async function put(name, text) {
  await tables.send(new PutCommand({ TableName, Item: { name, text, at: new Date().toISOString() } }));
}

async function all(stream) {
  const out = begin(stream, 200, 'application/x-ndjson');
  for await (const page of paginateScan({ client: tables }, { TableName })) {
    for (const note of page.Items) out.write(`${JSON.stringify(note)}\n`);
  }
  out.end();
}

export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const name = decodeURIComponent(event.rawPath.slice(1));
  if (!name) return all(stream);
  if (event.requestContext.http.method === 'PUT') {
    const text = event.isBase64Encoded ? Buffer.from(event.body, 'base64').toString() : event.body ?? '';
    await put(name, text);
    console.log('kept %s, %d characters', name, text.length);
    begin(stream, 201, 'text/plain').end('kept\n');
    return;
  }
  const { Item } = await tables.send(new GetCommand({ TableName, Key: { name } }));
  begin(stream, Item ? 200 : 404, 'text/plain').end(Item ? `${Item.text}\n` : `there is no note ${name}\n`);
});
