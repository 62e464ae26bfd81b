// Is a request signed as AWS wants it? Computed with the AWS SDK's own signer from what came on the wire, and refused
// with the service's own words where it differs. What is canonical is the SDK's code, never this project's.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";
import { SignatureV4, getCanonicalHeaders } from "@smithy/signature-v4";
import { Refusal } from "./refusals.mjs";
import { header, parameters } from "./wire.mjs";

const algorithm = "AWS4-HMAC-SHA256";
const unsigned_payload = "UNSIGNED-PAYLOAD";
// S3 allows 15 minutes, what came after it 5.
const skew_ms = { s3: 15 * 60000, sqs: 5 * 60000, sts: 5 * 60000 };

// The hash that the SDK's signer asks for, by Node's own.
export class Sha256 {
  constructor(secret) {
    this.hash = secret === undefined ? createHash("sha256") : createHmac("sha256", secret);
  }
  update(data) {
    this.hash.update(data);
  }
  async digest() {
    return new Uint8Array(this.hash.digest());
  }
}

const sha256 = (data) => createHash("sha256").update(data).digest("hex");

export function signer(service, region, credentials) {
  return new SignatureV4({
    service,
    region,
    sha256: Sha256,
    uriEscapePath: service !== "s3",
    applyChecksum: service === "s3",
    credentials: {
      accessKeyId: credentials.access_key_id,
      secretAccessKey: credentials.secret_access_key,
      sessionToken: credentials.session_token,
    },
  });
}

// Each segment as it would be encoded once from what it stands for, so that a client that leaves a character bare must
// still sign it as AWS encodes it.
const encode = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const encodePath = (path) =>
  path
    .split("/")
    .map((segment) => encode(decodeURIComponent(segment)))
    .join("/");

// What the client says of itself, from the header or from a presigned query.
function readClaim(request, query) {
  const authorization = header(request, "authorization");
  if (authorization === undefined) {
    if (query["X-Amz-Algorithm"] === undefined) throw new Refusal("missing");
    return {
      presigned: true,
      algorithm: query["X-Amz-Algorithm"],
      credential: query["X-Amz-Credential"],
      names: query["X-Amz-SignedHeaders"],
      signature: query["X-Amz-Signature"],
      date: query["X-Amz-Date"],
      expires: query["X-Amz-Expires"],
      token: query["X-Amz-Security-Token"],
    };
  }
  const [, name, rest] = authorization.match(/^(\S+) +(.*)$/) ?? [];
  const fields = Object.fromEntries(
    (rest ?? "").split(/, */).map((field) => {
      const mark = field.indexOf("=");
      return [field.slice(0, mark), field.slice(mark + 1)];
    }),
  );
  return {
    presigned: false,
    algorithm: name,
    credential: fields.Credential,
    names: fields.SignedHeaders,
    signature: fields.Signature,
    date: header(request, "x-amz-date"),
    token: header(request, "x-amz-security-token"),
  };
}

const allTexts = (...values) => values.every((value) => typeof value === "string" && value !== "");

export function parseDate(text) {
  const parts = text.match(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/);
  return parts ? Date.UTC(parts[1], parts[2] - 1, parts[3], parts[4], parts[5], parts[6]) : NaN;
}

function checkForm(claim) {
  if (!allTexts(claim.credential, claim.names, claim.signature, claim.date)) throw new Refusal("malformed");
  if (claim.algorithm !== algorithm || !/^[0-9a-f]{64}$/.test(claim.signature)) throw new Refusal("malformed");
  const sorted = claim.names.split(";");
  if (sorted.some((name, at) => name !== name.toLowerCase() || (at > 0 && sorted[at - 1] >= name))) {
    throw new Refusal("malformed");
  }
  claim.signed = new Set(sorted);
  claim.time = parseDate(claim.date);
  if (Number.isNaN(claim.time)) throw new Refusal("malformed");
}

function checkScope(claim, service, region) {
  const scope = claim.credential.split("/");
  const [day, in_region, of_service, end] = scope.slice(-4);
  claim.access_key_id = scope.slice(0, -4).join("/");
  if (in_region !== region) throw new Refusal("scope", { Region: region });
  if (of_service !== service || end !== "aws4_request" || day !== claim.date.slice(0, 8)) throw new Refusal("scope");
}

function checkTime(claim, service, now) {
  if (claim.presigned) {
    const expires = Number(claim.expires);
    if (!Number.isInteger(expires) || expires < 1 || expires > 604800) throw new Refusal("malformed");
    if (now > claim.time + expires * 1000) throw new Refusal("late");
    if (claim.time > now + skew_ms[service]) throw new Refusal("late");
    return;
  }
  if (Math.abs(now - claim.time) <= skew_ms[service]) return;
  throw skewed(service, claim.date, claim.time, now);
}

const short = (time) => new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, "");

// What a service says to a time that is too far from its own.
export function skewed(service, date, time, now) {
  if (service === "s3") {
    const ServerTime = new Date(now).toISOString().replace(/\.\d{3}/, "");
    return new Refusal("skewed", { RequestTime: date, ServerTime, MaxAllowedSkewMilliseconds: skew_ms.s3 });
  }
  const sign = time < now ? "-" : "+";
  const bound = short(now + Number(`${sign}1`) * skew_ms[service]);
  const found = time < now ? "expired: DATE is now earlier" : "not yet current: DATE is still later";
  const allowed = `${short(now)} ${sign} ${skew_ms[service] / 60000} min.`;
  return new Refusal("skewed", { message: `Signature ${found.replace("DATE", date)} than ${bound} (${allowed})` });
}

// S3 wants the hash said; the others take it from the body.
function payloadHash(request, claim, service, query) {
  const actual = sha256(request.body);
  if (service !== "s3") return actual;
  const said =
    header(request, "x-amz-content-sha256") ??
    query["X-Amz-Content-Sha256"] ??
    (claim.presigned ? unsigned_payload : undefined);
  if (said === undefined) throw new Refusal("hash_missing");
  if (said !== unsigned_payload && said !== actual) {
    throw new Refusal("hash", { ClientComputedContentSHA256: said, S3ComputedContentSHA256: actual });
  }
  return said;
}

function checkNames(request, claim) {
  if (!claim.signed.has("host")) throw new Refusal("unsigned", { HeadersNotSigned: "host" });
  const left_out = request.headers
    .map(([name]) => name.toLowerCase())
    .filter((name) => name.startsWith("x-amz-") && !claim.signed.has(name));
  if (left_out.length > 0) throw new Refusal("unsigned", { HeadersNotSigned: left_out.join(", ") });
}

async function signatureOf(request, claim, credentials, service, region, query, hash) {
  const headers = {};
  for (const name of claim.signed) headers[name] = header(request, name) ?? "";
  const canonical = getCanonicalHeaders({ headers }, new Set(), claim.signed);
  const aws = signer(service, region, credentials);
  const path = service === "s3" ? encodePath(request.path) : request.path;
  const text = aws.createCanonicalRequest({ method: request.method, path, query }, canonical, hash);
  const day = claim.date.slice(0, 8);
  const scope = `${day}/${region}/${service}/aws4_request`;
  return aws.getSignature(claim.date, scope, aws.getSigningKey(credentialsOf(credentials), region, day, service), text);
}

const credentialsOf = (credentials) => ({
  accessKeyId: credentials.access_key_id,
  secretAccessKey: credentials.secret_access_key,
  sessionToken: credentials.session_token,
});

// Digests that a client may send along; S3 refuses a body that they don't fit.
function checkDigests(request) {
  const md5 = header(request, "content-md5");
  if (md5 !== undefined) {
    if (!/^[A-Za-z0-9+/]{22}==$/.test(md5)) throw new Refusal("digest_form");
    if (createHash("md5").update(request.body).digest("base64") !== md5) throw new Refusal("digest");
  }
  const sum = header(request, "x-amz-checksum-crc32");
  if (sum !== undefined && sum !== crc32Text(request.body)) throw new Refusal("digest");
}

// As S3 writes it: four bytes, the highest first, in base64.
export function crc32Text(body) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return bytes.toString("base64");
}

// Throws the Refusal that it deserves; otherwise the credentials that signed it.
// ring(access_key_id) → { secret_access_key, session_token, expires_ms } or undefined.
export async function judge(request, { service, region, now, ring }) {
  let query;
  try {
    query = parameters(request.query);
    if (service === "s3") encodePath(request.path);
  } catch {
    throw new Refusal("uri");
  }
  const claim = readClaim(request, query);
  checkForm(claim);
  checkScope(claim, service, region);
  const credentials = ring(claim.access_key_id);
  if (!credentials) throw new Refusal("key");
  if ((credentials.session_token ?? undefined) !== claim.token) throw new Refusal("token");
  checkTime(claim, service, now);
  checkNames(request, claim);
  const hash = payloadHash(request, claim, service, query);
  const expected = await signatureOf(request, claim, credentials, service, region, query, hash);
  if (!timingSafeEqual(Buffer.from(expected), Buffer.from(claim.signature))) {
    throw new Refusal("differs", service === "s3" ? { SignatureProvided: claim.signature } : {});
  }
  if (credentials.expires_ms !== undefined && now >= credentials.expires_ms) throw new Refusal("expired");
  if (service === "s3") checkDigests(request);
  return credentials;
}
