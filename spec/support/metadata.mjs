// Stand-ins of two endpoints that hand out temporary credentials, strict about the published contract: the instance
// metadata service, version 2 only, and the container endpoint. The credentials are real ones of Ceph's STS.
import { createServer } from "node:http";
import { randomBytes } from "node:crypto";

const answer = (response, status, body = "", type = "text/plain") => {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(body);
};

// One set of credentials for all who ask until a quarter of its life is left, as the real ones keep theirs.
function keeper(ring, state) {
  let current;
  return async () => {
    if (!current || current.expires_ms - Date.now() < state.lifetime_ms / 4)
      current = await ring.issue(state.lifetime_ms);
    state.issued.add(current.access_key_id);
    return current;
  };
}

const stamp = (time) => new Date(time).toISOString().replace(/\.\d{3}/, "");

function instance(request, response, state, credentials) {
  if (request.headers["x-forwarded-for"] !== undefined) return answer(response, 403);
  if (request.url === "/latest/api/token") {
    const seconds = request.headers["x-aws-ec2-metadata-token-ttl-seconds"];
    if (request.method !== "PUT") return answer(response, 405);
    if (!/^\d+$/.test(seconds ?? "") || seconds < 1 || seconds > 21600) return answer(response, 400);
    const token = randomBytes(42).toString("base64");
    state.tokens.set(token, Date.now() + seconds * 1000);
    response.setHeader("x-aws-ec2-metadata-token-ttl-seconds", seconds);
    return answer(response, 200, token);
  }
  if (request.method !== "GET") return answer(response, 405);
  if (!(state.tokens.get(request.headers["x-aws-ec2-metadata-token"]) > Date.now())) return answer(response, 401);
  const base = "/latest/meta-data/";
  if (request.url === base + "placement/region") return answer(response, 200, state.region);
  if (request.url === base + "iam/security-credentials/") return answer(response, 200, "worker");
  if (request.url !== base + "iam/security-credentials/worker") return answer(response, 404);
  return answer(
    response,
    200,
    JSON.stringify(
      {
        Code: "Success",
        LastUpdated: stamp(Date.now()),
        Type: "AWS-HMAC",
        AccessKeyId: credentials.access_key_id,
        SecretAccessKey: credentials.secret_access_key,
        Token: credentials.session_token,
        Expiration: stamp(credentials.expires_ms),
      },
      null,
      2,
    ),
    "text/plain",
  );
}

function container(request, response, state, credentials) {
  if (request.method !== "GET") return answer(response, 405);
  if (request.headers.authorization !== state.container_token) {
    return answer(
      response,
      401,
      JSON.stringify({ code: "Unauthorized", message: "the token isn't ours" }),
      "application/json",
    );
  }
  return answer(
    response,
    200,
    JSON.stringify({
      RoleArn: state.role_arn,
      AccessKeyId: credentials.access_key_id,
      SecretAccessKey: credentials.secret_access_key,
      Token: credentials.session_token,
      Expiration: stamp(credentials.expires_ms),
    }),
    "application/json",
  );
}

// { endpoint, container_token, asked() → { requests, issued }, setLifetime(ms), close() }. The container's path is
// /v2/credentials/worker; everything else is the instance's.
export async function startMetadata(ring, region) {
  const state = {
    region,
    tokens: new Map(),
    issued: new Set(),
    requests: 0,
    lifetime_ms: 900000,
    container_token: "Bearer " + randomBytes(12).toString("hex"),
    role_arn: ring.role_arn,
  };
  const current = keeper(ring, state);
  const server = createServer(async (request, response) => {
    state.requests += 1;
    try {
      const handle = request.url === "/v2/credentials/worker" ? container : instance;
      handle(request, response, state, await current());
    } catch (failure) {
      answer(response, 500, failure.message);
    }
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${server.address().port}`,
    container_token: state.container_token,
    asked: () => ({ requests: state.requests, issued: state.issued.size }),
    setLifetime: (ms) => {
      state.lifetime_ms = ms;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
