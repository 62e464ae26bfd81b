// The front end: the AWS SDK for JavaScript uploads submissions, tells of them as the bucket would, and reads reports.
// Answers commands (see lines.mjs):
//     connect {…}                       where everything is: what world.mjs said
//     put {objects: [{key, hex}…]}      uploads them in this order; their bytes are in hexadecimal
//     get {keys}                        {objects: {key: hex}}, of those that there are
//     list {prefix}                     {keys}, all pages
//     created {keys, shape}             {events}: what the bucket would tell of them
//     announce {keys, shape}            sends that, a message each, with S3's test event first
//     send {bodies}
import {
  S3Client,
  PutObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { SQSClient, SendMessageBatchCommand } from "@aws-sdk/client-sqs";
import { created, testEvent } from "./events.mjs";
import { serve } from "./lines.mjs";

const at_once = 8,
  batch = 10;
let s3, sqs, where;

async function connect({ region, endpoints, access_key_id, secret_access_key, bucket, queue_url }) {
  const common = {
    region,
    maxAttempts: 10,
    credentials: { accessKeyId: access_key_id, secretAccessKey: secret_access_key },
  };
  s3 = new S3Client({ ...common, endpoint: endpoints.s3, forcePathStyle: true });
  sqs = new SQSClient({ ...common, endpoint: endpoints.sqs });
  where = { region, bucket, queue_url };
}

// work(item) for all, so many at once; the results in order.
async function each(items, work) {
  const results = [];
  let next = 0;
  const one = async () => {
    while (next < items.length) {
      const at = next;
      next += 1;
      results[at] = await work(items[at]);
    }
  };
  await Promise.all(Array.from({ length: at_once }, one));
  return results;
}

async function put({ objects }) {
  for (const { key, hex } of objects) {
    const type = key.endsWith(".json") ? "application/json" : "text/x-python";
    await s3.send(
      new PutObjectCommand({ Bucket: where.bucket, Key: key, Body: Buffer.from(hex, "hex"), ContentType: type }),
    );
  }
}

async function getOne(key) {
  try {
    const answer = await s3.send(new GetObjectCommand({ Bucket: where.bucket, Key: key, ChecksumMode: "ENABLED" }));
    return Buffer.from(await answer.Body.transformToByteArray()).toString("hex");
  } catch (failure) {
    if (failure.name === "NoSuchKey") return undefined;
    throw failure;
  }
}

async function get({ keys }) {
  const found = await each(keys, getOne);
  return { objects: Object.fromEntries(keys.map((key, at) => [key, found[at]])) };
}

async function list({ prefix }) {
  const keys = [];
  for await (const page of paginateListObjectsV2(
    { client: s3, pageSize: 100 },
    { Bucket: where.bucket, Prefix: prefix },
  )) {
    keys.push(...(page.Contents ?? []).map((one) => one.Key));
  }
  return { keys };
}

async function events({ keys, shape = "s3" }) {
  return {
    events: await each(keys, async (key) => {
      const { ContentLength, ETag } = await s3.send(new HeadObjectCommand({ Bucket: where.bucket, Key: key }));
      return created(shape, where, { key, size: ContentLength, etag: ETag.replaceAll('"', "") });
    }),
  };
}

async function send({ bodies }) {
  for (let at = 0; at < bodies.length; at += batch) {
    const Entries = bodies.slice(at, at + batch).map((MessageBody, index) => ({ Id: String(index), MessageBody }));
    const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl: where.queue_url, Entries }));
    if (Failed.length > 0) throw new Error(`SQS took ${Failed.length} messages not: ${Failed[0].Message}`);
  }
}

async function announce(argument) {
  const told = await events(argument);
  await send({ bodies: [testEvent(where), ...told.events].map((event) => JSON.stringify(event)) });
}

serve({}, { connect, put, get, list, created: events, announce, send }, async () => {});
