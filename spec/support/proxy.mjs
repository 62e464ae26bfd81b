// What stands before S3, SQS and STS: judges each request's signature, lets the plan of faults have its way, forwards
// the request as it came, and counts. What it can't forward as it came (its clock is set wrong, so Ceph would refuse
// the time; headers that had to be adapted to what Ceph understands) it signs anew.
import { createServer, request as http_request, Agent } from "node:http";
import { crc32Text, judge, parseDate, signer, skewed } from "./judge.mjs";
import { plan } from "./faults.mjs";
import { madeUp, Refusal } from "./refusals.mjs";
import { header, jsonBody, operation, parameters, read } from "./wire.mjs";

const hop_by_hop = new Set(["connection", "keep-alive", "transfer-encoding", "content-length", "date"]);
const throttling = { s3: [503, "SlowDown"], sqs: [403, "RequestThrottled"], sts: [400, "Throttling"] };
const wrong_clock_ms = 20 * 60000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// The way out of the middle of a call for an answer that isn't the service's; undefined: none, the connection is
// dropped.
class Instead {
  constructor(answer) {
    this.answer = answer;
  }
}

export class Proxy {
  // upstream: { s3, sqs, sts }: endpoints. ring: a Ring. region: the only one that is right. adapt(call): the headers
  // that the service behind needs, if not those that came.
  constructor({ upstream, ring, region, adapt = ({ request }) => request.headers }) {
    Object.assign(this, { upstream, ring, region, adapt, clock_ms: 0, servers: {}, checksums: new Map() });
    this.agent = new Agent({ keepAlive: true });
    this.setFaults({});
    this.reset();
  }

  setFaults(description) {
    this.draw = plan(description);
  }

  reset() {
    this.calls = {};
    this.puts = [];
  }

  now() {
    return Date.now() + this.clock_ms;
  }

  async listen() {
    for (const service of Object.keys(this.upstream)) {
      const server = createServer((request, response) => this.serve(service, request, response));
      server.keepAliveTimeout = 30000;
      await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
      this.servers[service] = server;
    }
    return Object.fromEntries(
      Object.entries(this.servers).map(([service, server]) => [service, `http://127.0.0.1:${server.address().port}`]),
    );
  }

  async close() {
    this.agent.destroy();
    await Promise.all(
      Object.values(this.servers).map(
        (server) =>
          new Promise((resolve) => {
            server.close(resolve);
            server.closeAllConnections();
          }),
      ),
    );
  }

  count(call, what) {
    const counts = (this.calls[`${call.service} ${call.operation}`] ??= { seen: 0 });
    counts[what] = (counts[what] ?? 0) + 1;
  }

  async serve(service, message, response) {
    const request = await read(message);
    if (!request) return;
    const call = { service, request, operation: operation(service, request), response };
    this.count(call, "seen");
    let answer;
    try {
      answer = await this.handle(call);
    } catch (reason) {
      if (reason instanceof Refusal) {
        this.count(call, `refused ${reason.kind}`);
        answer = reason.answer(service);
      } else if (reason instanceof Instead) {
        answer = reason.answer;
      } else if (response.destroyed) {
        this.count(call, "left");
      } else {
        this.count(call, "failed");
        process.stderr.write(`${service} ${request.method} ${request.target}: ${reason.stack}\n`);
        answer = madeUp(service, 502, "BadGateway");
      }
    }
    this.send(call, answer);
  }

  async handle(call) {
    const { service, request } = call;
    const credentials = await judge(request, {
      service,
      region: this.region,
      now: this.now(),
      ring: (access_key_id) => this.ring.find(access_key_id),
    });
    const hit = this.draw(service, call.operation);
    if (hit) this.count(call, hit.fault);
    const failed = hit && (await this.before(call, hit));
    const answer = await this.forward(call, credentials);
    this.note(call, answer);
    if (failed) addFailed(answer, failed);
    return hit ? spoil(answer, hit.fault) : answer;
  }

  // Faults that come instead of the service, or before it is asked.
  async before(call, hit) {
    const { service, request, response } = call;
    switch (hit.fault) {
      case "error":
        throw new Instead(madeUp(service, hit.status ?? 500, hit.code ?? "InternalError"));
      case "throttled":
        throw new Instead(madeUp(service, ...throttling[service]));
      case "garbage":
        throw new Instead({
          status: hit.status ?? 502,
          headers: [["content-type", "text/html"]],
          body: Buffer.from("<html><body><h1>502 Bad Gateway</h1></body></html>"),
        });
      case "expired_token":
        throw new Refusal("expired");
      case "skewed": {
        // One host among many whose clock is wrong: it says so in its Date.
        call.date = this.now() + wrong_clock_ms;
        const said = header(request, "x-amz-date") ?? "";
        throw skewed(service, said, parseDate(said), call.date);
      }
      case "cut_before":
        throw new Instead(undefined);
      case "delay":
        await sleep(hit.ms ?? 1000);
        return undefined;
      case "hang":
        await new Promise((resolve) => response.once("close", resolve));
        throw new Instead(undefined);
      case "batch_entry":
        return takeEntry(request);
      default:
        return undefined;
    }
  }

  async forward(call, credentials) {
    const { service, request } = call;
    const wanted = this.adapt(call);
    const anew = service !== "sqs" && (this.clock_ms !== 0 || wanted !== request.headers);
    const headers = anew ? await this.signAnew(service, request, wanted, credentials) : request.headers;
    const { hostname, port } = new URL(this.upstream[service]);
    const flat = headers.filter(([name]) => !["connection", "content-length"].includes(name.toLowerCase())).flat();
    if (request.body.length > 0 || /^(PUT|POST)$/.test(request.method))
      flat.push("Content-Length", String(request.body.length));
    return new Promise((resolve, reject) => {
      const upstream = http_request(
        {
          hostname,
          port,
          method: request.method,
          path: request.target,
          headers: flat,
          agent: this.agent,
          setHost: false,
        },
        async (response) => {
          try {
            resolve({
              status: response.statusCode,
              body: Buffer.concat(await response.toArray()),
              headers: pairs(response.rawHeaders),
              length: response.headers["content-length"],
            });
          } catch (failure) {
            reject(failure);
          }
        },
      );
      upstream.once("error", reject);
      // A client that gives up its long poll takes it along, as with the real one.
      call.response.once("close", () => {
        if (!call.response.writableFinished) upstream.destroy(new Error("the client left"));
      });
      upstream.end(request.body);
    });
  }

  async signAnew(service, request, headers, credentials) {
    const kept = headers.filter(
      ([name]) => !["authorization", "x-amz-date", "x-amz-security-token"].includes(name.toLowerCase()),
    );
    const signed = await signer(service, this.region, credentials).sign({
      method: request.method,
      protocol: "http:",
      hostname: "127.0.0.1",
      path: request.path,
      query: parameters(request.query),
      body: request.body,
      headers: Object.fromEntries(kept.map(([name, value]) => [name.toLowerCase(), value])),
    });
    return Object.entries(signed.headers);
  }

  // What later tests and answers need to know of a call that was carried out.
  note(call, answer) {
    const { service, request } = call;
    this.count(call, `status ${answer.status}`);
    if (service === "sts" && answer.status === 200) this.ring.learn(answer.body.toString());
    if (service !== "s3") return;
    const etag = answer.headers.find(([name]) => name.toLowerCase() === "etag")?.[1];
    const sum = header(request, "x-amz-checksum-crc32");
    if (call.operation === "PutObject") {
      this.puts.push({
        key: decodeURIComponent(request.path),
        status: answer.status,
        if_match: header(request, "if-match"),
        if_none_match: header(request, "if-none-match"),
        crc32: crc32Text(request.body),
        body: jsonFields(request.body),
      });
      if (answer.status === 200 && sum) this.checksums.set(`${request.path} ${etag}`, sum);
    }
    // Ceph of this age keeps no checksums; S3 gives those that were sent along back to who asks for them.
    const wanted =
      call.operation === "PutObject"
        ? sum
        : header(request, "x-amz-checksum-mode") === "ENABLED" &&
          !header(request, "range") &&
          this.checksums.get(`${request.path} ${etag}`);
    if (wanted && answer.status === 200) {
      answer.headers.push(["x-amz-checksum-crc32", wanted], ["x-amz-checksum-type", "FULL_OBJECT"]);
    }
  }

  send(call, answer) {
    const { response, request } = call;
    if (!answer || answer.cut === 0) return response.socket?.destroy();
    const headers = answer.headers.filter(([name]) => !hop_by_hop.has(name.toLowerCase()));
    headers.push(["date", new Date(call.date ?? this.now()).toUTCString()]);
    if (request.method === "HEAD") {
      if (answer.length !== undefined) headers.push(["content-length", answer.length]);
    } else if (answer.status !== 204 && answer.status !== 304) {
      headers.push(["content-length", String(answer.body.length)]);
    }
    response.sendDate = false;
    response.writeHead(answer.status, headers.flat());
    if (request.method === "HEAD") return response.end();
    if (answer.cut === undefined) return response.end(answer.body);
    response.write(answer.body.subarray(0, answer.cut), () => response.socket?.destroy());
  }
}

function pairs(raw) {
  const result = [];
  for (let at = 0; at < raw.length; at += 2) result.push([raw[at], raw[at + 1]]);
  return result;
}

// What a published result says of itself.
function jsonFields(body) {
  if (body[0] !== 0x7b) return undefined;
  try {
    const { subid, run, attempt, verdict } = JSON.parse(body.toString());
    return { subid, run, attempt, verdict };
  } catch {
    return undefined;
  }
}

// Takes the first entry out of a batch; its Id.
function takeEntry(request) {
  const body = jsonBody(request);
  const [first, ...rest] = body.Entries ?? [];
  if (!first) return undefined;
  // A batch must not be empty: what it is about is then an entry that nobody knows.
  const entries = rest.length > 0 ? rest : [{ ...first, Id: "none", ReceiptHandle: "none" }];
  request.body = Buffer.from(JSON.stringify({ ...body, Entries: entries }));
  return first.Id;
}

function addFailed(answer, id) {
  if (answer.status !== 200) return;
  const body = JSON.parse(answer.body.toString());
  const others = (list) => (list ?? []).filter((entry) => entry.Id !== "none");
  body.Successful = others(body.Successful);
  body.Failed = [
    ...others(body.Failed),
    { Id: id, SenderFault: false, Code: "InternalError", Message: "Please try again." },
  ];
  answer.body = Buffer.from(JSON.stringify(body));
}

const otherDigit = (text) => (text.startsWith("0") ? "1" : "0") + text.slice(1);

// Faults of an answer that was good.
function spoil(answer, fault) {
  const half = Math.floor(answer.body.length / 2);
  switch (fault) {
    case "cut_after":
      return { ...answer, cut: 0 };
    case "cut_body":
      return { ...answer, cut: half };
    case "truncate":
      return { ...answer, body: answer.body.subarray(0, half) };
    case "wrong_byte": {
      const body = Buffer.from(answer.body);
      if (body.length > 0) body[half] ^= 1;
      return { ...answer, body };
    }
    case "wrong_md5":
      return {
        ...answer,
        body: Buffer.from(
          answer.body
            .toString()
            .replace(/("MD5Of(?:Message)?Body": *")([0-9a-f]{32})/g, (_, before, md5) => before + otherDigit(md5)),
        ),
      };
    case "wrong_etag":
      return {
        ...answer,
        headers: answer.headers.map(([name, value]) => [
          name,
          name.toLowerCase() === "etag" ? value.replace(/[0-9a-f]{32}/, otherDigit) : value,
        ]),
      };
    default:
      return answer;
  }
}
