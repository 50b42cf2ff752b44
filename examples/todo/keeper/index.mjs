// Keeps each user's list. Who the user is stands in the token, which the API has checked.
import { randomUUID } from "node:crypto";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DeleteCommand, DynamoDBDocumentClient, PutCommand, QueryCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";

const table = DynamoDBDocumentClient.from(new DynamoDBClient());
const TableName = process.env.TABLE;
const MOST_CHARACTERS = 500;

export const handler = async (event) => {
  const user = event.requestContext.authorizer.jwt.claims.sub;
  const { method } = event.requestContext.http;
  const id = event.pathParameters?.id;
  try {
    if (id === undefined) {
      if (method === "GET") return answer(200, { todos: await list(user) });
      if (method === "POST") return answer(201, await add(user, parsed(event)));
    } else {
      if (method === "PATCH") return answer(200, await change(user, id, parsed(event)));
      if (method === "DELETE") return answer(204, await remove(user, id));
    }
    return answer(405, { message: `${method} is not for this` });
  } catch (error) {
    if (error instanceof Refused) return answer(error.status, { message: error.message });
    if (error.name === "ConditionalCheckFailedException") return answer(404, { message: `there is no ${id}` });
    throw error;
  }
};

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const list = async (user) => {
  const { Items } = await table.send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: "#user = :user",
      ExpressionAttributeNames: { "#user": "user" },
      ExpressionAttributeValues: { ":user": user },
    }),
  );
  return Items.map(shown);
};

const add = async (user, { text }) => {
  if (typeof text !== "string" || text === "" || text.length > MOST_CHARACTERS) {
    throw new Refused(400, `text is 1 to ${MOST_CHARACTERS} characters`);
  }
  const Item = { user, id: `${Date.now().toString(36)}-${randomUUID().slice(0, 8)}`, text, done: false };
  await table.send(new PutCommand({ TableName, Item }));
  return shown(Item);
};

const change = async (user, id, { done }) => {
  if (typeof done !== "boolean") throw new Refused(400, "done is true or false");
  const { Attributes } = await table.send(
    new UpdateCommand({
      TableName,
      Key: { user, id },
      UpdateExpression: "SET done = :done",
      ConditionExpression: "attribute_exists(id)",
      ExpressionAttributeValues: { ":done": done },
      ReturnValues: "ALL_NEW",
    }),
  );
  return shown(Attributes);
};

const remove = (user, id) =>
  table.send(new DeleteCommand({ TableName, Key: { user, id }, ConditionExpression: "attribute_exists(id)" }));

const shown = ({ id, text, done }) => ({ id, text, done });

const parsed = (event) => {
  try {
    const body = event.isBase64Encoded ? Buffer.from(event.body, "base64").toString() : event.body;
    return JSON.parse(body) ?? {};
  } catch {
    throw new Refused(400, "the body is no JSON");
  }
};

const answer = (statusCode, body) =>
  statusCode === 204
    ? { statusCode }
    : { statusCode, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
