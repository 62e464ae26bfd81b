// Are the peers worth anything? The AWS SDK, which signs rightly, must get through the proxy with everything, and
// whatever is tampered with must be refused in the service's words. Prints TAP.
//
//     node check.mjs FOLDER
import assert from "node:assert/strict";
import { request as http_request } from "node:http";
import * as S3 from "@aws-sdk/client-s3";
import * as SQS from "@aws-sdk/client-sqs";
import * as STS from "@aws-sdk/client-sts";
import { signer, crc32Text } from "./judge.mjs";
import { startPeer } from "./start.mjs";

const world = await startPeer("world.mjs", process.argv[2]);
const { ready } = world;
const { bucket: Bucket, queue_url: QueueUrl, region } = ready;
const credentials = { accessKeyId: ready.access_key_id, secretAccessKey: ready.secret_access_key };
const quiet = { maxAttempts: 1, region, credentials };
const s3 = new S3.S3Client({ ...quiet, endpoint: ready.endpoints.s3, forcePathStyle: true });
const sqs = new SQS.SQSClient({ ...quiet, endpoint: ready.endpoints.sqs });
const sts = new STS.STSClient({ ...quiet, endpoint: ready.endpoints.sts });
const text = (answer) => answer.Body.transformToString();
const failsAs = (name, status) => (failure) => {
  assert.equal(`${failure.name} ${failure.$metadata?.httpStatusCode}`, `${name} ${status}`);
  return true;
};

let number = 0,
  failures = 0;
async function test(name, body) {
  number += 1;
  try {
    await body();
    console.log(`ok ${number} - ${name}`);
  } catch (failure) {
    failures += 1;
    console.log(`not ok ${number} - ${name}\n${failure.stack.replace(/^/gm, "  # ")}`);
  }
}

// A request that the SDK's signer signed for S3, and that may be changed before it is sent. { status, code, headers,
// body }
async function raw(
  change = () => {},
  {
    service = "s3",
    method = "PUT",
    path = `/${Bucket}/raw`,
    body = "text",
    headers = {},
    at = new Date(),
    scope_region = region,
    keys = ready,
    presign,
  } = {},
) {
  const { hostname, port, host } = new URL(ready.endpoints[service]);
  const aws = signer(service, scope_region, keys);
  const plain = { method, protocol: "http:", hostname, path, query: {}, headers: { host, ...headers }, body };
  const signed = presign
    ? await aws.presign(
        { ...plain, body: undefined, headers: { host, ...headers, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" } },
        { signingDate: at, ...presign },
      )
    : await aws.sign(plain, { signingDate: at });
  const sent = { method, path, headers: signed.headers, query: signed.query, body };
  change(sent);
  const query = new URLSearchParams(sent.query).toString();
  return new Promise((resolve, reject) => {
    const request = http_request(
      {
        hostname,
        port,
        method: sent.method,
        path: sent.path + (query && `?${query}`),
        headers: { ...sent.headers, "content-length": Buffer.byteLength(sent.body) },
      },
      async (response) => {
        const answer = Buffer.concat(await response.toArray()).toString();
        resolve({
          status: response.statusCode,
          headers: response.headers,
          body: answer,
          code: answer.match(/<Code>(.*?)<\/Code>/)?.[1] ?? response.headers["x-amzn-query-error"]?.split(";")[0],
        });
      },
    );
    request.once("error", reject).end(sent.body);
  });
}

async function refused(status, code, change, options) {
  const answer = await raw(change, options);
  assert.equal(`${answer.status} ${answer.code}`, `${status} ${code}`, answer.body);
}

await test("S3: put, get, head, list, delete", async () => {
  for (const Key of ["plain", "a b+c/ü~(1)!*'%20&=?#.json", "//odd//", "x/./y/../z"]) {
    const put = await s3.send(
      new S3.PutObjectCommand({ Bucket, Key, Body: `body of ${Key}`, ContentType: "text/plain" }),
    );
    const got = await s3.send(new S3.GetObjectCommand({ Bucket, Key }));
    assert.equal(await text(got), `body of ${Key}`);
    assert.equal(got.ETag, put.ETag);
    const head = await s3.send(new S3.HeadObjectCommand({ Bucket, Key }));
    assert.equal(head.ContentLength, Buffer.byteLength(`body of ${Key}`));
    const list = await s3.send(new S3.ListObjectsV2Command({ Bucket, Prefix: Key }));
    assert.deepEqual(
      list.Contents.map((one) => one.Key),
      [Key],
    );
    await s3.send(new S3.DeleteObjectCommand({ Bucket, Key }));
    await assert.rejects(s3.send(new S3.GetObjectCommand({ Bucket, Key })), failsAs("NoSuchKey", 404));
  }
});
await test("S3: ranges, pages, not modified", async () => {
  for (const name of ["1", "2", "3"])
    await s3.send(new S3.PutObjectCommand({ Bucket, Key: `page/${name}`, Body: "0123456789" }));
  const part = await s3.send(new S3.GetObjectCommand({ Bucket, Key: "page/1", Range: "bytes=2-4" }));
  assert.equal(await text(part), "234");
  const first = await s3.send(new S3.ListObjectsV2Command({ Bucket, Prefix: "page/", MaxKeys: 2 }));
  assert.equal(first.IsTruncated, true);
  const rest = await s3.send(
    new S3.ListObjectsV2Command({ Bucket, Prefix: "page/", ContinuationToken: first.NextContinuationToken }),
  );
  assert.deepEqual(
    rest.Contents.map((one) => one.Key),
    ["page/3"],
  );
  await assert.rejects(
    s3.send(new S3.GetObjectCommand({ Bucket, Key: "page/1", IfNoneMatch: part.ETag })),
    (failure) => failure.$metadata.httpStatusCode === 304,
  );
});
await test("S3: conditional puts", async () => {
  const put = (fields) => s3.send(new S3.PutObjectCommand({ Bucket, Key: "condition", Body: "x", ...fields }));
  const { ETag } = await put({ IfNoneMatch: "*" });
  await assert.rejects(put({ IfNoneMatch: "*" }), failsAs("PreconditionFailed", 412));
  await assert.rejects(put({ IfMatch: '"00000000000000000000000000000000"' }), failsAs("PreconditionFailed", 412));
  const again = await put({ IfMatch: ETag, Body: "y" });
  await assert.rejects(put({ IfMatch: ETag, Body: "z" }), failsAs("PreconditionFailed", 412));
  const results = await Promise.allSettled(["1", "2", "3", "4"].map((Body) => put({ IfMatch: again.ETag, Body })));
  assert.equal(results.filter((one) => one.status === "fulfilled").length, 1);
  await s3.send(new S3.DeleteObjectCommand({ Bucket, Key: "condition" }));
  const fresh = await Promise.allSettled(["1", "2", "3", "4"].map((Body) => put({ IfNoneMatch: "*", Body })));
  assert.equal(fresh.filter((one) => one.status === "fulfilled").length, 1);
});
await test("S3: checksums are kept and checked", async () => {
  const Key = "checksum",
    Body = "123456789";
  await s3.send(new S3.PutObjectCommand({ Bucket, Key, Body, ChecksumAlgorithm: "CRC32" }));
  const got = await s3.send(new S3.GetObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
  assert.equal(got.ChecksumCRC32, "y/Q5Jg==");
  assert.equal(await text(got), Body);
  await assert.rejects(
    s3.send(new S3.PutObjectCommand({ Bucket, Key, Body, ChecksumCRC32: "AAAAAA==" })),
    failsAs("BadDigest", 400),
  );
  await assert.rejects(
    s3.send(new S3.PutObjectCommand({ Bucket, Key, Body, ContentMD5: "AAAAAAAAAAAAAAAAAAAAAA==" })),
    failsAs("BadDigest", 400),
  );
});
await test("S3: a presigned URL works once it is right, for so long", async () => {
  await s3.send(new S3.PutObjectCommand({ Bucket, Key: "raw", Body: "hello" }));
  const get = { method: "GET", body: "", presign: { expiresIn: 60 } };
  assert.equal((await raw(undefined, get)).body, "hello");
  await refused(403, "AccessDenied", undefined, { ...get, at: new Date(Date.now() - 61000) });
  await refused(
    403,
    "SignatureDoesNotMatch",
    (sent) => {
      sent.query["X-Amz-Expires"] = "600";
    },
    get,
  );
});
await test("SQS: send, receive, extend, delete; the dead-letter queue", async () => {
  const sent = await sqs.send(new SQS.SendMessageCommand({ QueueUrl, MessageBody: '{"subdata":"ü"}' }));
  const receive = { QueueUrl, WaitTimeSeconds: 2, MaxNumberOfMessages: 10, MessageSystemAttributeNames: ["All"] };
  const [message] = (await sqs.send(new SQS.ReceiveMessageCommand(receive))).Messages;
  assert.equal(message.MessageId, sent.MessageId);
  assert.equal(message.Attributes.ApproximateReceiveCount, "1");
  const entry = { Id: "1", ReceiptHandle: message.ReceiptHandle };
  const changed = await sqs.send(
    new SQS.ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries: [{ ...entry, VisibilityTimeout: 0 }] }),
  );
  assert.equal(changed.Successful.length, 1);
  const [again] = (await sqs.send(new SQS.ReceiveMessageCommand(receive))).Messages;
  await sqs.send(
    new SQS.DeleteMessageBatchCommand({ QueueUrl, Entries: [{ ...entry, ReceiptHandle: again.ReceiptHandle }] }),
  );
  assert.deepEqual(await world.ask("queue", { name: ready.queue }), { ready: 0, held: 0, bodies: [] });
  const { Attributes } = await sqs.send(
    new SQS.GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["RedrivePolicy"] }),
  );
  assert.match(Attributes.RedrivePolicy, /submissions-dead/);
});
await test("SQS: a queue that is gone is told in both words", async () => {
  const answer = await raw(undefined, {
    service: "sqs",
    method: "POST",
    path: "/",
    body: JSON.stringify({
      QueueUrl: QueueUrl + "-none",
    }),
    headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.ReceiveMessage" },
  });
  assert.equal(answer.status, 400);
  assert.match(answer.body, /QueueDoesNotExist/);
  assert.equal(answer.code, "AWS.SimpleQueueService.NonExistentQueue");
});
await test("STS: a role is assumed, and its credentials are good for S3 and SQS until they expire", async () => {
  const { Credentials: keys } = await sts.send(
    new STS.AssumeRoleCommand({ RoleArn: ready.role_arn, RoleSessionName: "worker" }),
  );
  const temporary = {
    accessKeyId: keys.AccessKeyId,
    secretAccessKey: keys.SecretAccessKey,
    sessionToken: keys.SessionToken,
  };
  const other = new S3.S3Client({
    ...quiet,
    credentials: temporary,
    endpoint: ready.endpoints.s3,
    forcePathStyle: true,
  });
  await other.send(new S3.PutObjectCommand({ Bucket, Key: "role", Body: "x" }));
  const queues = new SQS.SQSClient({ ...quiet, credentials: temporary, endpoint: ready.endpoints.sqs });
  await queues.send(new SQS.GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
  await world.ask("expire");
  await assert.rejects(
    other.send(new S3.HeadBucketCommand({ Bucket })),
    (failure) => failure.$metadata.httpStatusCode === 400,
  );
  await assert.rejects(other.send(new S3.GetObjectCommand({ Bucket, Key: "role" })), failsAs("ExpiredToken", 400));
  await assert.rejects(queues.send(new SQS.GetQueueAttributesCommand({ QueueUrl })), failsAs("ExpiredToken", 403));
});
await test("metadata: tokens are asked for, credentials are real", async () => {
  const get = (path, headers) => fetch(ready.metadata_endpoint + path, { headers });
  const base = "/latest/meta-data/iam/security-credentials/";
  assert.equal((await get(base, {})).status, 401);
  const token = await (
    await fetch(`${ready.metadata_endpoint}/latest/api/token`, {
      method: "PUT",
      headers: { "x-aws-ec2-metadata-token-ttl-seconds": "60" },
    })
  ).text();
  const headers = { "x-aws-ec2-metadata-token": token };
  const name = await (await get(base, headers)).text();
  const keys = await (await get(base + name, headers)).json();
  assert.equal(keys.Code, "Success");
  assert.equal((await fetch(ready.container_uri)).status, 401);
  const same = await (await fetch(ready.container_uri, { headers: { authorization: ready.container_token } })).json();
  assert.equal(same.AccessKeyId, keys.AccessKeyId);
  const good = await raw(undefined, {
    keys: { access_key_id: keys.AccessKeyId, secret_access_key: keys.SecretAccessKey, session_token: keys.Token },
  });
  assert.equal(good.status, 200);
});

const drop = (name) => (sent) => {
  delete sent.headers[name];
};
const set = (name, value) => (sent) => {
  sent.headers[name] = value;
};
const cutSigned = (name) => (sent) => {
  sent.headers.authorization = sent.headers.authorization.replace(`${name};`, "").replace(`;${name}`, "");
};
await test("what is tampered with is refused by S3's words", async () => {
  await refused(403, "AccessDenied", drop("authorization"));
  await refused(403, "SignatureDoesNotMatch", (sent) => {
    sent.path += "x";
  });
  await refused(403, "SignatureDoesNotMatch", (sent) => {
    sent.method = "POST";
  });
  await refused(403, "SignatureDoesNotMatch", (sent) => {
    sent.query = { acl: "" };
  });
  await refused(403, "SignatureDoesNotMatch", set("host", "other"));
  await refused(403, "SignatureDoesNotMatch", set("content-type", "b"), { headers: { "content-type": "a" } });
  await refused(400, "XAmzContentSHA256Mismatch", (sent) => {
    sent.body = "other";
  });
  await refused(400, "InvalidRequest", drop("x-amz-content-sha256"));
  await refused(403, "AccessDenied", set("x-amz-meta-a", "b"));
  await refused(403, "AccessDenied", cutSigned("x-amz-meta-a"), { headers: { "x-amz-meta-a": "b" } });
  await refused(403, "AccessDenied", cutSigned("host"));
  await refused(400, "AuthorizationHeaderMalformed", undefined, { scope_region: "us-west-2" });
  await refused(400, "AuthorizationHeaderMalformed", set("authorization", "AWS4-HMAC-SHA256 Credential=x"));
  await refused(403, "InvalidAccessKeyId", undefined, { keys: { ...ready, access_key_id: "AKIANOBODY" } });
  await refused(403, "SignatureDoesNotMatch", undefined, { keys: { ...ready, secret_access_key: "wrong" } });
  await refused(400, "InvalidToken", undefined, { keys: { ...ready, session_token: "none" } });
  for (const minutes of [-16, 16]) {
    await refused(403, "RequestTimeTooSkewed", undefined, { at: new Date(Date.now() + minutes * 60000) });
  }
  assert.equal((await raw(undefined, { at: new Date(Date.now() - 14 * 60000) })).status, 200);
});
await test("what is tampered with is refused by SQS's words", async () => {
  const call = {
    service: "sqs",
    method: "POST",
    path: "/",
    body: JSON.stringify({ QueueUrl }),
    headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.GetQueueAttributes" },
  };
  assert.equal((await raw(undefined, call)).status, 200);
  const refuse = (code, change, options) => refused(403, code, change, { ...call, ...options });
  await refuse("MissingAuthenticationToken", drop("authorization"));
  await refuse("SignatureDoesNotMatch", (sent) => {
    sent.body += " ";
  });
  await refuse("SignatureDoesNotMatch", set("x-amz-target", "AmazonSQS.DeleteQueue"));
  await refuse("SignatureDoesNotMatch", undefined, { scope_region: "us-west-2" });
  await refuse("SignatureDoesNotMatch", undefined, { at: new Date(Date.now() - 6 * 60000) });
  await refuse("InvalidClientTokenId", undefined, { keys: { ...ready, access_key_id: "AKIANOBODY" } });
});
await test("the services' clock can be wrong, and Ceph never sees it", async () => {
  await world.ask("clock", { offset_ms: 20 * 60000 });
  const answer = await raw();
  assert.equal(`${answer.status} ${answer.code}`, "403 RequestTimeTooSkewed");
  const date = new Date(answer.headers.date);
  assert.ok(Math.abs(date - Date.now() - 20 * 60000) < 60000);
  assert.equal(
    (await raw(undefined, { at: date, path: `/${Bucket}/a%20b`, headers: { "if-none-match": "*" } })).status,
    200,
  );
  await world.ask("clock", { offset_ms: 0 });
});
await test("the SDK gets over faults, and they are counted", async () => {
  const patient = new S3.S3Client({ ...quiet, maxAttempts: 12, endpoint: ready.endpoints.s3, forcePathStyle: true });
  await world.ask("calls", { reset: true });
  await world.ask("faults", {
    seed: 5,
    rules: [
      {
        rate: 0.4,
        service: "s3",
        status: 503,
        code: "SlowDown",
        fault: ["error", "garbage", "throttled", "cut_before", "cut_after"],
      },
    ],
  });
  for (let at = 0; at < 15; at += 1) {
    await patient.send(new S3.PutObjectCommand({ Bucket, Key: `fault/${at}`, Body: `${at}` }));
    assert.equal(await text(await patient.send(new S3.GetObjectCommand({ Bucket, Key: `fault/${at}` }))), `${at}`);
  }
  await world.ask("faults", { rules: [{ fault: ["truncate", "wrong_byte"], operation: "GetObject" }] });
  await assert.rejects(async () =>
    text(await s3.send(new S3.GetObjectCommand({ Bucket, Key: "fault/12", ChecksumMode: "ENABLED" }))),
  );
  await world.ask("faults", { rules: [{ fault: "hang", operation: "GetObject" }] });
  await assert.rejects(
    s3.send(new S3.GetObjectCommand({ Bucket, Key: "fault/12" }), { abortSignal: AbortSignal.timeout(300) }),
  );
  await world.ask("faults", {});
  const { calls } = await world.ask("calls");
  for (const fault of ["error", "garbage", "throttled", "cut_before", "cut_after"]) {
    assert.ok(calls["s3 PutObject"][fault] > 0, fault);
  }
  assert.equal(calls["s3 GetObject"].hang, 1);
  const { puts } = await world.ask("puts");
  assert.equal(puts.filter((one) => one.key === `/${Bucket}/fault/7`).at(-1).crc32, crc32Text(Buffer.from("7")));
});
await test("an entry of a batch can fail", async () => {
  await world.ask("faults", { rules: [{ fault: "batch_entry", limit: 2 }] });
  await sqs.send(
    new SQS.SendMessageBatchCommand({ QueueUrl, Entries: ["a", "b"].map((Id) => ({ Id, MessageBody: Id })) }),
  );
  const { Messages } = await sqs.send(new SQS.ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
  const Entries = Messages.map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle }));
  const both = await sqs.send(new SQS.DeleteMessageBatchCommand({ QueueUrl, Entries }));
  assert.deepEqual([both.Successful.map((one) => one.Id), both.Failed.map((one) => one.Id)], [["1"], ["0"]]);
  const one = await sqs.send(new SQS.DeleteMessageBatchCommand({ QueueUrl, Entries: Entries.slice(0, 1) }));
  assert.deepEqual([one.Successful, one.Failed.map((entry) => entry.Code)], [[], ["InternalError"]]);
  await sqs.send(new SQS.DeleteMessageBatchCommand({ QueueUrl, Entries: Entries.slice(0, 1) }));
  assert.equal((await world.ask("queue", { name: ready.queue })).held, 0);
});
await test("nothing was forwarded that wasn't judged, and nothing failed within", async () => {
  const { calls } = await world.ask("calls");
  assert.equal(
    Object.values(calls).some((counts) => counts.failed > 0),
    false,
    JSON.stringify(calls),
  );
});

await world.close();
console.log(`1..${number}`);
process.exit(failures === 0 ? 0 : 1);
