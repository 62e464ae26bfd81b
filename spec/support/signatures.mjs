// Requests of all kinds, signed by the AWS SDK's own signer, for comparison with ours
// (spec/integration/signatures.lua):
//
//     node signatures.mjs FILE COUNT SEED
//
// A line of JSON each: request (the arguments of sigv4.sign, its body in hexadecimal as body_hex) and signature. What
// the SDK's signer can't express isn't asked: the headers Date and X-Amz-Date given by hand, a token left unsigned, an
// encoded path that isn't normalised, "+" in a query, whose meaning differs from server to server.
import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { SignatureV4 } from "@smithy/signature-v4";
import { Sha256 } from "./judge.mjs";
import { random } from "./faults.mjs";

const [file, count, seed] = process.argv.slice(2);
if (!file || !(count > 0)) throw new Error("expected: signatures.mjs FILE COUNT SEED");
const next = random(Number(seed ?? 1));
const chance = (share) => next() < share;
const whole = (below) => Math.floor(next() * below);
const pick = (list) => list[whole(list.length)];
const several = (most, make) => Array.from({ length: whole(most + 1) }, make);

const pieces = [..."aB0-_.~ !'()*$,;:@=&+%?#[]<>|\"\\^`{}üßé日😀", "%20", "//", ".."];
const text = (most) => several(most, () => pick(pieces)).join("");
const word = () => several(7, () => pick([..."abcdefghijklmnopqrstuvwxyz0123456789-"])).join("") || "x";

const token = () => several(60, () => pick([...word(), ..."ABCXYZ+/=%&;:,~*"])).join("") || "token";

const escaped = (character) =>
  [...Buffer.from(character)].map((byte) => "%" + byte.toString(16).padStart(2, "0")).join("");
// One way of several to write text in a URL. Bare is only what every signer leaves as it is.
function written(plain, { bare, lower }) {
  return [...plain]
    .map((character) => {
      if (/[A-Za-z0-9\-_.~]/.test(character)) return chance(0.02) && lower ? escaped(character) : character;
      if (bare && !/[%&=+#?\x00-\x1f]/.test(character) && chance(0.3)) return character;
      return lower && chance(0.2) ? escaped(character) : escaped(character).toUpperCase();
    })
    .join("");
}

function pathOf(s3) {
  const segments = several(6, () => pick([text(6), word(), "", ".", "..", text(2)]));
  // Once encoded, as it goes on the wire; other services than S3 encode it again, and may be given it raw.
  const raw = !s3 && chance(0.3);
  const encode = (segment) => (raw ? segment.replace(/[?#]/g, "") : written(segment, { bare: false, lower: true }));
  return "/" + segments.map(encode).join("/");
}

// { bag: as the SDK takes it, query: as it goes on the wire }
function queryOf() {
  const bag = {},
    parts = [];
  for (const name of several(5, () => pick([word(), text(4) || "q", "acl", "prefix", "list-type", "A", "a"]))) {
    if (/^x-amz-/i.test(name)) continue;
    for (const value of pick([[text(5)], [""], [text(3), text(3)], [word()]])) {
      bag[name] = name in bag ? [bag[name], value].flat() : value;
      const wire_name = written(name, { bare: true, lower: true });
      parts.push(
        value === "" && chance(0.5) ? wire_name : `${wire_name}=${written(value, { bare: true, lower: true })}`,
      );
    }
  }
  for (let at = parts.length - 1; at > 0; at -= 1) {
    const other = whole(at + 1);
    [parts[at], parts[other]] = [parts[other], parts[at]];
  }
  return { bag, query: parts.join("&") };
}

const names =
  "Content-Type content-md5 X-Amz-Meta-One x-amz-meta-two X-AMZ-ACL Range If-Match If-None-Match My-Header " +
  "my-header2 Accept User-Agent Expect Connection Cache-Control Referer X-Amzn-Trace-Id Proxy-Thing Sec-Fetch " +
  "x-amz-target TE a Pragma From";
const blanks = ["", " ", "  ", "\t", " \t "];
const valueOf = () =>
  several(3, () => pick(["a", "b  c", '"q  q"', "ü", "x,y", "1\t2", "a;b=c", "", "*"])).join(pick(blanks));

// { list: for us, in order and with duplicates; bag: what the SDK takes, duplicates joined by commas }
function headersOf(host) {
  const list = [],
    bag = {};
  for (const name of several(6, () => pick(names.split(" ")))) {
    for (const value of chance(0.2) ? [valueOf(), valueOf()] : [valueOf()]) {
      const folded = chance(0.05) ? `${value}\r\n ${word()}` : value;
      list.push([chance(0.2) ? name.toUpperCase() : name, pick(blanks) + folded + pick(blanks)]);
      const lower = name.toLowerCase(),
        trimmed = folded.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
      bag[lower] = lower in bag ? `${bag[lower]},${trimmed}` : trimmed;
    }
  }
  bag.host = host;
  if (chance(0.3)) list.splice(whole(list.length + 1), 0, ["Host", host]);
  return { list, bag };
}

const bodyOf = () =>
  pick([undefined, Buffer.alloc(0), Buffer.from(text(20)), Buffer.from(several(40, () => whole(256)))]);

function endpointOf() {
  const name = pick([
    "example.amazonaws.com",
    "bucket.s3.eu-central-1.amazonaws.com",
    "sqs.us-east-1.amazonaws.com",
    "127.0.0.1",
    "localhost",
  ]);
  const [scheme, port] = pick([
    ["https", ""],
    ["http", ""],
    ["https", ":8443"],
    ["http", ":9000"],
  ]);
  return { base: `${scheme}://${name}${port}`, hostname: name, host: name + port, protocol: `${scheme}:` };
}

function requestOf() {
  const service = pick(["s3", "s3", "sqs", "sts", "service", "execute-api"]);
  const { base, hostname, host, protocol } = endpointOf();
  const path = pathOf(service === "s3"),
    { bag: query, query: query_text } = queryOf();
  const { list, bag } = headersOf(host),
    body = bodyOf();
  const time = Math.floor(315532800 + next() * 3786912000);
  const ours = {
    method: pick(["GET", "PUT", "POST", "HEAD", "DELETE", "PATCH"]),
    headers: list,
    region: pick(["us-east-1", "eu-central-1"]),
    url: base + (path === "/" && chance(0.3) ? "" : path) + (query_text ? `?${query_text}` : pick(["", "", "?"])),
    service,
    time,
    access_key_id: pick(["AKIDEXAMPLE", "ASIA" + word().toUpperCase()]),
    secret_access_key: text(20) + "k",
    session_token: chance(0.4) ? token() : undefined,
    body_hex: body?.toString("hex"),
  };
  return { ours, theirs: { method: ours.method, protocol, hostname, path, query, headers: bag, body } };
}

// In the headers: the hash of the body said or not, and what it is.
async function inHeaders(ours, theirs) {
  ours.sign_body_header = chance(0.5);
  const aws = signerOf(ours, ours.sign_body_header);
  if (ours.sign_body_header && chance(0.3)) {
    ours.payload_hash = "UNSIGNED-PAYLOAD";
    theirs.headers["x-amz-content-sha256"] = ours.payload_hash;
  }
  const signed = await aws.sign(theirs, { signingDate: new Date(ours.time * 1000) });
  return signed.headers.authorization.match(/Signature=([0-9a-f]+)$/)[1];
}

// In the URL. The SDK moves x-amz-* headers into the query unless told otherwise; ours leaves that to its caller. S3's
// body is unsigned, which is said nowhere (a hash that the SDK is shown, but doesn't sign), or in the query.
async function inUrl(ours, theirs) {
  ours.expires_s = 1 + whole(604800);
  const unsignableHeaders = new Set(),
    hoisted = ours.service === "s3" && chance(0.5);
  if (ours.service === "s3") {
    theirs.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD";
    unsignableHeaders.add("x-amz-content-sha256");
    if (hoisted) {
      theirs.query["X-Amz-Content-Sha256"] = "UNSIGNED-PAYLOAD";
      ours.url = ours.url.replace(/\?$/, "");
      ours.url += (ours.url.includes("?") ? "&" : "?") + "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD";
    }
  }
  const signed = await signerOf(ours, false).presign(theirs, {
    signingDate: new Date(ours.time * 1000),
    expiresIn: ours.expires_s,
    unsignableHeaders,
    unhoistableHeaders: new Set(Object.keys(theirs.headers)),
  });
  return signed.query["X-Amz-Signature"];
}

function signerOf(ours, applyChecksum) {
  return new SignatureV4({
    service: ours.service,
    region: ours.region,
    sha256: Sha256,
    applyChecksum,
    uriEscapePath: ours.service !== "s3",
    credentials: {
      accessKeyId: ours.access_key_id,
      secretAccessKey: ours.secret_access_key,
      sessionToken: ours.session_token,
    },
  });
}

const stream = createWriteStream(file);
for (let at = 0; at < Number(count); at += 1) {
  const { ours, theirs } = requestOf();
  const signature = await (chance(0.3) ? inUrl : inHeaders)(ours, theirs);
  if (!stream.write(JSON.stringify({ request: ours, signature }) + "\n")) await once(stream, "drain");
}
stream.end();
await once(stream, "finish");
