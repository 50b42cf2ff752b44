import { randomUUID } from "node:crypto";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DeleteCommand, DynamoDBDocumentClient, GetCommand, PutCommand, ScanCommand } from "@aws-sdk/lib-dynamodb";

const table = DynamoDBDocumentClient.from(new DynamoDBClient());
const TableName = process.env.TABLE;

const answer = (statusCode, body) => ({
  statusCode,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

const add = async (event) => {
  let text;
  try {
    ({ text } = JSON.parse(event.body));
  } catch {
    text = undefined;
  }
  if (text === undefined) return answer(400, { message: 'send {"text": "…"}' });
  const Item = { id: randomUUID().slice(0, 13), text: String(text), done: false };
  await table.send(new PutCommand({ TableName, Item }));
  return answer(201, Item);
};

// One function for all routes; `routeKey` says which of them was asked for.
export const handler = async (event) => {
  const Key = { id: event.pathParameters?.id };
  switch (event.routeKey) {
    case "GET /todos": {
      const { Items } = await table.send(new ScanCommand({ TableName }));
      return answer(200, Items.sort((one, other) => one.text.localeCompare(other.text)));
    }
    case "POST /todos":
      return add(event);
    case "GET /todos/{id}": {
      const { Item } = await table.send(new GetCommand({ TableName, Key }));
      return Item ? answer(200, Item) : answer(404, { message: `there is no ${Key.id}` });
    }
    case "DELETE /todos/{id}":
      await table.send(new DeleteCommand({ TableName, Key }));
      return { statusCode: 204 };
    default:
      return answer(404, { message: `nothing answers ${event.routeKey}` });
  }
};
