// moto_server, where it is on the machine: S3 and SQS once more, by other people, and a bucket that sends its own
// events into the queue. The proxy before it judges the signatures: moto's own check reads decoded URLs, and refuses
// what the AWS SDKs send as soon as a key or a prefix has something to encode.
//
//     node moto.mjs MOTO_SERVER
//
// Prints where everything is; answers the commands faults, calls, puts and queue as world.mjs does.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { S3Client, CreateBucketCommand, PutBucketNotificationConfigurationCommand } from "@aws-sdk/client-s3";
import { SQSClient, CreateQueueCommand, GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { freePorts } from "./ceph.mjs";
import { fail, serve } from "./lines.mjs";
import { Proxy } from "./proxy.mjs";

const [program] = process.argv.slice(2);
const region = "eu-central-1";
const account = "123456789012";
const bucket = "submissions";
const queue = "submissions";
const dead = "submissions-dead";
const ready_ms = 60000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function startMoto() {
  const [port] = await freePorts(1);
  const endpoint = `http://127.0.0.1:${port}`;
  const command = [program, "-H", "127.0.0.1", "-p", String(port)];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", ...command], { stdio: "ignore" });
  const close = () =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once("exit", resolve);
      child.kill("SIGTERM");
    });
  const until = Date.now() + ready_ms;
  while (!(await fetch(`${endpoint}/moto-api/data.json`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null || Date.now() > until) {
      await close();
      throw new Error("moto_server doesn't answer");
    }
    await sleep(100);
  }
  return { endpoint, close };
}

// The bucket, the queues, and the bucket's notification of all that is created in it.
async function createAll(s3, sqs) {
  const arn = (name) => `arn:aws:sqs:${region}:${account}:${name}`;
  await sqs.send(new CreateQueueCommand({ QueueName: dead }));
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arn(dead), maxReceiveCount: "12" });
  await sqs.send(new CreateQueueCommand({ QueueName: queue, Attributes: { RedrivePolicy } }));
  const CreateBucketConfiguration = { LocationConstraint: region };
  await s3.send(new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration }));
  const QueueConfigurations = [{ QueueArn: arn(queue), Events: ["s3:ObjectCreated:*"] }];
  const NotificationConfiguration = { QueueConfigurations };
  await s3.send(new PutBucketNotificationConfigurationCommand({ Bucket: bucket, NotificationConfiguration }));
}

// How many messages a queue has, by its own count.
async function inspect(sqs, endpoint, name) {
  const QueueUrl = `${endpoint}/${account}/${name}`;
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
  return {
    ready: Number(Attributes.ApproximateNumberOfMessages) + Number(Attributes.ApproximateNumberOfMessagesDelayed),
    held: Number(Attributes.ApproximateNumberOfMessagesNotVisible),
  };
}

const started = [];
const closeAll = async () => {
  for (const part of started.reverse()) await part.close();
};

try {
  if (!program) throw new Error("expected: moto.mjs MOTO_SERVER");
  const moto = await startMoto();
  started.push(moto);
  const { endpoint } = moto;
  const keys = {
    access_key_id: "AKIA" + randomBytes(8).toString("hex").toUpperCase(),
    secret_access_key: randomBytes(24).toString("base64"),
  };
  const credentials = { accessKeyId: keys.access_key_id, secretAccessKey: keys.secret_access_key };
  const sqs = new SQSClient({ region, endpoint, credentials });
  await createAll(new S3Client({ region, endpoint, credentials, forcePathStyle: true }), sqs);
  const ring = { find: (id) => (id === keys.access_key_id ? keys : undefined) };
  const proxy = new Proxy({ ring, region, upstream: { s3: endpoint, sqs: endpoint } });
  started.push(proxy);
  const endpoints = await proxy.listen();
  const url = (name) => `${endpoints.sqs}/${account}/${name}`;
  serve(
    { region, endpoints, bucket, queue, dead, ...keys, queue_url: url(queue), dead_letter_url: url(dead) },
    {
      faults: (description) => proxy.setFaults(description),
      calls: () => ({ calls: proxy.calls }),
      puts: () => ({ puts: proxy.puts }),
      queue: ({ name }) => inspect(sqs, endpoint, name),
    },
    closeAll,
  );
} catch (failure) {
  await closeAll();
  fail(failure);
}
