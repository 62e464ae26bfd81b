// A request as it came on the wire: target and header lines untouched, so that the judge sees what the client sent and
// not what a library made of it.
const body_limit_bytes = 64 << 20;

// { method, target, path, query, headers: [[name, value]…], body: Buffer }; undefined if the client went away.
export async function read(message) {
  const pieces = [];
  let length = 0;
  try {
    for await (const piece of message) {
      length += piece.length;
      if (length > body_limit_bytes) throw new Error("the body is larger than any of this project");
      pieces.push(piece);
    }
  } catch (failure) {
    if (message.destroyed || message.errored) return undefined;
    throw failure;
  }
  const headers = [];
  for (let at = 0; at < message.rawHeaders.length; at += 2) {
    headers.push([message.rawHeaders[at], message.rawHeaders[at + 1]]);
  }
  const mark = message.url.indexOf("?");
  return {
    method: message.method,
    target: message.url,
    headers,
    body: Buffer.concat(pieces),
    path: mark < 0 ? message.url : message.url.slice(0, mark),
    query: mark < 0 ? "" : message.url.slice(mark + 1),
  };
}

// All values of a header, joined as a server sees them; undefined if there is none.
export function header(request, name) {
  const values = request.headers.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);
  return values.length > 0 ? values.join(",") : undefined;
}

// The query's parameters, decoded: { name: value } or, given more than once, { name: [value…] }. Throws URIError.
export function parameters(query) {
  const result = Object.create(null);
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const mark = pair.indexOf("=");
    const name = decodeURIComponent((mark < 0 ? pair : pair.slice(0, mark)).replaceAll("+", " "));
    const value = mark < 0 ? "" : decodeURIComponent(pair.slice(mark + 1).replaceAll("+", " "));
    result[name] = name in result ? [result[name], value].flat() : value;
  }
  return result;
}

const json = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
};

// Which operation of which service it asks for, by the services' own names; "Unknown" if none that this project calls.
export function operation(service, request) {
  if (service === "sqs") return header(request, "x-amz-target")?.match(/^AmazonSQS\.(\w+)$/)?.[1] ?? "Unknown";
  if (service === "sts") {
    return new URLSearchParams(request.body.toString() || request.query).get("Action") ?? "Unknown";
  }
  const [, bucket, key] = request.path.match(/^\/([^/]*)\/?(.*)$/s) ?? ["", "", ""];
  const flags = new URLSearchParams(request.query);
  if (bucket === "") return request.method === "GET" ? "ListBuckets" : "Unknown";
  if (key === "") {
    if (request.method === "GET") return flags.get("list-type") === "2" ? "ListObjectsV2" : "ListObjects";
    if (request.method === "POST" && flags.has("delete")) return "DeleteObjects";
    return { PUT: "CreateBucket", HEAD: "HeadBucket", DELETE: "DeleteBucket" }[request.method] ?? "Unknown";
  }
  return (
    { GET: "GetObject", HEAD: "HeadObject", PUT: "PutObject", DELETE: "DeleteObject" }[request.method] ?? "Unknown"
  );
}

// The JSON body of a request to SQS.
export function jsonBody(request) {
  return json(request.body.toString());
}
