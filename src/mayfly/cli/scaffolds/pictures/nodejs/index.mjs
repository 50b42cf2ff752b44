import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, GetCommand, PutCommand, ScanCommand } from "@aws-sdk/lib-dynamodb";

const s3 = new S3Client();
const table = DynamoDBDocumentClient.from(new DynamoDBClient());
const TableName = process.env.TABLE;

// Look at every picture that was uploaded.
export const look = async (event) => {
  for (const record of event.Records) {
    const Bucket = record.s3.bucket.name;
    const Key = decodeURIComponent(record.s3.object.key.replaceAll("+", " "));
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
    const picture = Buffer.from(await Body.transformToByteArray());
    const Item = { key: Key, bytes: picture.length, ...recognise(picture) };
    await table.send(new PutCommand({ TableName, Item }));
    console.log("saw", JSON.stringify(Item));
  }
};

// Answer what was seen, of one picture or of all.
export const tell = async (event) => {
  const key = event.pathParameters?.key;
  if (key === undefined) {
    const { Items } = await table.send(new ScanCommand({ TableName }));
    return answer(200, Items.sort((one, other) => (one.key < other.key ? -1 : 1)));
  }
  const { Item } = await table.send(new GetCommand({ TableName, Key: { key: decodeURIComponent(key) } }));
  return Item ? answer(200, Item) : answer(404, { message: `nobody has seen ${key}` });
};

// What is on a picture: its format, width and height.
const recognise = (picture) => {
  if (picture.subarray(1, 4).toString() === "PNG") {
    return { format: "png", width: picture.readUInt32BE(16), height: picture.readUInt32BE(20) };
  }
  if (picture.readUInt16BE(0) === 0xffd8) return { format: "jpeg", ...jpegSize(picture) };
  return { format: "unknown" };
};

// The size is in the frame header, behind segments of other kinds.
const jpegSize = (picture) => {
  for (let at = 2; at + 9 < picture.length && picture[at] === 0xff; at += 2 + picture.readUInt16BE(at + 2)) {
    const marker = picture[at + 1];
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { width: picture.readUInt16BE(at + 7), height: picture.readUInt16BE(at + 5) };
    }
  }
  return {};
};

const answer = (statusCode, body) => ({
  statusCode,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});
