import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, PutCommand } from "@aws-sdk/lib-dynamodb";

const table = DynamoDBDocumentClient.from(new DynamoDBClient());

// Do a batch of jobs. Those that are named in the answer come again; the others are done.
export const handler = async (event) => {
  const batchItemFailures = [];
  for (const message of event.Records) {
    try {
      await work(message.messageId, JSON.parse(message.body));
    } catch (error) {
      console.error("job", message.messageId, "failed:", error);
      batchItemFailures.push({ itemIdentifier: message.messageId });
    }
  }
  return { batchItemFailures };
};

// One job. It may come twice, so its result has a key of its own.
const work = async (id, { text }) => {
  const Item = { id, text, words: text.trim().split(/\s+/).length };
  await table.send(new PutCommand({ TableName: process.env.TABLE, Item }));
};
