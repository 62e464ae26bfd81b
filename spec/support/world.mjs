// All peers of a deployment at once: Ceph, queues, metadata, and the proxy before them. Started by a test:
//
//     node world.mjs FOLDER [REGION]
//
// Prints where everything is, as one line of JSON, then answers commands (see lines.mjs):
//     faults {seed, rules}      the plan from now on: faults.mjs
//     possible {fault, service, operation}   {possible}: whether a fault can be shown by that call at all
//     calls {reset}             what the proxy counted, by "service Operation"; reset: and forgets it
//     puts {}                   every PutObject that was carried out, in order, with its conditions
//     clock {offset_ms}         the services' clock is off by so much: their Date, and what they judge
//     lifetime {ms}             of temporary credentials that are issued from now on
//     expire {}                 temporary credentials issued until now have expired, unforeseen
//     metadata {}               how often it was asked, how many credentials it issued
//     queue {name}              { ready, held, bodies }
//     create_queue, delete_queue {name}
//     purge {name}
import { forCeph, startCeph } from "./ceph.mjs";
import { startQueues } from "./queue.mjs";
import { startMetadata } from "./metadata.mjs";
import { Proxy } from "./proxy.mjs";
import { Ring } from "./ring.mjs";
import { signer } from "./judge.mjs";
import { possible } from "./faults.mjs";
import { fail, serve } from "./lines.mjs";

const [folder, region = "eu-central-1"] = process.argv.slice(2);
const bucket = "submissions",
  queue = "submissions",
  dead = "submissions-dead",
  account = "000000000000";
const max_receive_count = "12";

// Ceph's location is its own, so the bucket is made behind the proxy's back.
async function createBucket(ceph) {
  const { hostname, host } = new URL(ceph.endpoint);
  const signed = await signer("s3", "us-east-1", ceph).sign({
    method: "PUT",
    protocol: "http:",
    hostname,
    path: `/${bucket}`,
    query: {},
    headers: { host },
  });
  const answer = await fetch(`${ceph.endpoint}/${bucket}`, { method: "PUT", headers: signed.headers });
  if (answer.status !== 200) throw new Error(`the bucket: ${answer.status} ${await answer.text()}`);
}

// One call of SQS behind the proxy's back.
async function call(queues, action, body) {
  const answer = await fetch(queues.endpoint, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": `AmazonSQS.${action}` },
  });
  if (answer.status !== 200) throw new Error(`${action}: ${await answer.text()}`);
  return answer.json();
}

const attributes = (name) =>
  name === dead
    ? {}
    : {
        VisibilityTimeout: "30",
        RedrivePolicy: JSON.stringify({
          deadLetterTargetArn: `arn:aws:sqs:${region}:${account}:${dead}`,
          maxReceiveCount: max_receive_count,
        }),
      };

const createQueue = (queues, name) => call(queues, "CreateQueue", { QueueName: name, Attributes: attributes(name) });

async function inspect(queues, name) {
  const answer = await fetch(`${queues.endpoint}/_fauxqs/queues/${name}`);
  if (answer.status !== 200) throw new Error(`no queue ${name}`);
  const {
    messages: { ready, delayed, inflight },
  } = await answer.json();
  const now = Date.now();
  const held = inflight.filter((entry) => entry.visibilityDeadline > now);
  const all = [...ready, ...delayed, ...inflight.map((entry) => entry.message)];
  return { ready: all.length - held.length, held: held.length, bodies: all.map((message) => message.body) };
}

async function start(started) {
  const ceph = await startCeph(folder, [bucket]);
  started.push(ceph);
  await createBucket(ceph);
  const queues = await startQueues(region);
  started.push(queues);
  for (const name of [dead, queue]) await createQueue(queues, name);
  const ring = new Ring({ sts: ceph.endpoint, operator: ceph, role_arn: ceph.role_arn });
  const metadata = await startMetadata(ring, region);
  started.push(metadata);
  const proxy = new Proxy({
    ring,
    region,
    adapt: forCeph,
    upstream: { s3: ceph.endpoint, sqs: queues.endpoint, sts: ceph.endpoint },
  });
  started.push(proxy);
  return { ceph, queues, ring, metadata, proxy, endpoints: await proxy.listen() };
}

function commands({ queues, ring, metadata, proxy }) {
  return {
    faults: (description) => proxy.setFaults(description),
    possible: ({ fault, service, operation }) => ({ possible: possible(fault, service, operation) }),
    calls: ({ reset }) => {
      const { calls } = proxy;
      if (reset) proxy.reset();
      return { calls };
    },
    puts: () => ({ puts: proxy.puts }),
    clock: ({ offset_ms }) => {
      proxy.clock_ms = offset_ms;
    },
    lifetime: ({ ms }) => metadata.setLifetime(ms),
    expire: () => ring.expire(),
    metadata: () => metadata.asked(),
    queue: ({ name }) => inspect(queues, name),
    create_queue: ({ name }) => createQueue(queues, name),
    delete_queue: ({ name }) => call(queues, "DeleteQueue", { QueueUrl: `${queues.endpoint}/${account}/${name}` }),
    purge: ({ name }) => call(queues, "PurgeQueue", { QueueUrl: `${queues.endpoint}/${account}/${name}` }),
  };
}

async function closeAll(started) {
  for (const part of started.reverse()) await part.close();
}

const started = [];
try {
  if (!folder) throw new Error("expected: world.mjs FOLDER [REGION]");
  const world = await start(started);
  const { ceph, metadata, endpoints } = world;
  const url = (name) => `${endpoints.sqs}/${account}/${name}`;
  serve(
    {
      region,
      endpoints,
      bucket,
      queue,
      dead,
      queue_url: url(queue),
      dead_letter_url: url(dead),
      access_key_id: ceph.access_key_id,
      secret_access_key: ceph.secret_access_key,
      role_arn: ceph.role_arn,
      secure: ceph.secure,
      metadata_endpoint: metadata.endpoint,
      container_uri: `${metadata.endpoint}/v2/credentials/worker`,
      container_token: metadata.container_token,
    },
    commands(world),
    () => closeAll(started),
  );
} catch (failure) {
  await closeAll(started);
  fail(failure);
}
