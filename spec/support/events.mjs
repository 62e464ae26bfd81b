// What a bucket tells when an object was created, in the shapes that Amazon sends: the S3 notification (keys written as
// an HTML form would), EventBridge's (keys as they are), and either inside an SNS notification.
import { randomBytes } from "node:crypto";

const hex = (bytes) => randomBytes(bytes).toString("hex").toUpperCase();
const formEncoded = (key) =>
  encodeURIComponent(key)
    .replace(/[!'()]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%2F", "/")
    .replaceAll("%20", "+");

const record = ({ region, bucket }, { key, size, etag }) => ({
  eventVersion: "2.1",
  eventSource: "aws:s3",
  awsRegion: region,
  eventTime: new Date().toISOString(),
  eventName: "ObjectCreated:Put",
  userIdentity: { principalId: "AWS:AIDAEXAMPLE" },
  requestParameters: { sourceIPAddress: "192.0.2.1" },
  responseElements: { "x-amz-request-id": hex(8), "x-amz-id-2": "peers" },
  s3: {
    s3SchemaVersion: "1.0",
    configurationId: "submissions",
    bucket: { name: bucket, ownerIdentity: { principalId: "EXAMPLE" }, arn: `arn:aws:s3:::${bucket}` },
    object: { key: formEncoded(key), size, eTag: etag, sequencer: hex(9) },
  },
});

const bridge = ({ region, bucket }, { key, size, etag }) => ({
  version: "0",
  id: crypto.randomUUID(),
  "detail-type": "Object Created",
  source: "aws.s3",
  account: "111122223333",
  time: new Date().toISOString(),
  region,
  resources: [`arn:aws:s3:::${bucket}`],
  detail: {
    version: "0",
    bucket: { name: bucket },
    object: { key, size, etag, sequencer: hex(9) },
    "request-id": hex(8),
    requester: "111122223333",
    "source-ip-address": "192.0.2.1",
    reason: "PutObject",
  },
});

const topic = (message, { region }) => ({
  Type: "Notification",
  MessageId: crypto.randomUUID(),
  TopicArn: `arn:aws:sns:${region}:111122223333:uploads`,
  Subject: "Amazon S3 Notification",
  Message: JSON.stringify(message),
  Timestamp: new Date().toISOString(),
  SignatureVersion: "1",
  Signature: "EXAMPLE",
  SigningCertURL: "https://sns.example.com/cert.pem",
});

const shapes = {
  s3: (where, object) => ({ Records: [record(where, object)] }),
  eventbridge: bridge,
  sns: (where, object) => topic({ Records: [record(where, object)] }, where),
};

// One event for one created object. shape: "s3", "eventbridge" or "sns".
export function created(shape, where, object) {
  return shapes[shape](where, object);
}

// The message that S3 sends once when a notification is set up.
export function testEvent({ bucket }) {
  return {
    Service: "Amazon S3",
    Event: "s3:TestEvent",
    Time: new Date().toISOString(),
    Bucket: bucket,
    RequestId: hex(8),
    HostId: "peers",
  };
}
