// Ceph's own S3 and STS, whole: one monitor, one object store that keeps everything in memory, one gateway. No manager
// and no system service; all below the folder given, on 127.0.0.1.
import { spawn, execFile } from "node:child_process";
import { randomUUID, randomBytes } from "node:crypto";
import { mkdir, writeFile, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { get } from "node:http";
import { header } from "./wire.mjs";

const run = promisify(execFile);
const ready_ms = 120000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Ports that are free at this moment, none twice.
export async function freePorts(count) {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise((resolve, reject) => {
          const server = createServer().once("error", reject);
          server.listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

// Without cephx there are no keyrings; then no connection can be "secure", which a gateway insists on by default.
// The short intervals are what makes it start in a second: the monitor otherwise gathers changes for one at each step.
const configuration = ({ folder, fsid, monitor, gateway, secure, stsKey }) => `[global]
fsid = ${fsid}
mon host = [v2:127.0.0.1:${monitor}/0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr1 = false
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms mon service mode = crc
ms mon cluster mode = crc
ms client mode = crc
ms service mode = crc
ms cluster mode = crc
run dir = ${folder}
admin socket =
pid file =
crash dir = ${folder}/crash
log file = ${folder}/log/$name.log
mon cluster log file = ${folder}/log/cluster.log
mon data = ${folder}/mon
mon data avail warn = 1
mon data avail crit = 1
mon allow pool size one = true
mon max pg per osd = 1000
paxos propose interval = 0.02
paxos min wait = 0.01
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 1073741824
osd crush chooseleaf type = 0
osd tick interval = 0.1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
[client.rgw]
rgw data = ${folder}/gateway
rgw frontends = beast endpoint=127.0.0.1:${gateway} ssl_endpoint=127.0.0.1:${secure} ssl_certificate=${folder}/certificate.pem ssl_private_key=${folder}/key.pem tcp_nodelay=1
rgw thread pool size = 32
rgw num rados handles = 1
rgw s3 auth use sts = true
rgw sts key = ${stsKey}
rgw dns name = localhost
`;

// For TLS, by its own authority: "localhost" and the hosts of the buckets.
async function createCertificate(folder, buckets) {
  const names = ["localhost", ...buckets.map((bucket) => `${bucket}.localhost`)].map((name) => `DNS:${name}`);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", `${folder}/key.pem`];
  const extension = ["-addext", `subjectAltName=${names.join(",")}`];
  await run("openssl", ["req", "-x509", ...key, "-out", `${folder}/certificate.pem`, "-subj", "/CN=localhost", ...extension]);
}

// A daemon in the foreground, which dies with this process, however that ends.
function daemon(state, program, args) {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", program, "--conf", state.file, ...args, "-f"], {
    stdio: "ignore",
  });
  state.children.push(child);
  child.once("error", (failure) => {
    state.failure ??= failure;
  });
  child.once("exit", (code, signal) => {
    if (!state.closing) state.failure ??= new Error(`${program} ended (${code ?? signal}); see ${state.folder}/log`);
  });
}

function answers(port) {
  return new Promise((resolve) => {
    get({ host: "127.0.0.1", port, path: "/" }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).once("error", () => resolve(false));
  });
}

async function startDaemons(state, monitor, gateway, fsid) {
  const { folder, file } = state;
  await run("monmaptool", ["--create", "--fsid", fsid, "--addv", "a", `[v2:127.0.0.1:${monitor}]`, `${folder}/monmap`]);
  await run("ceph-mon", ["--conf", file, "--mkfs", "-i", "a", "--monmap", `${folder}/monmap`]);
  daemon(state, "ceph-mon", ["-i", "a"]);
  const store = randomUUID();
  await run("ceph", ["--conf", file, "osd", "new", store], { timeout: ready_ms });
  await run("ceph-osd", ["--conf", file, "-i", "0", "--mkfs", "--osd-uuid", store]);
  daemon(state, "ceph-osd", ["-i", "0"]);
  daemon(state, "radosgw", ["-n", "client.rgw"]);
  const until = Date.now() + ready_ms;
  while (!(await answers(gateway))) {
    if (state.failure) throw state.failure;
    if (Date.now() > until) throw new Error(`radosgw doesn't answer; see ${folder}/log`);
    await sleep(20);
  }
}

async function administer(file, ...args) {
  const { stdout } = await run("radosgw-admin", ["--conf", file, "-n", "client.rgw", ...args], { timeout: ready_ms });
  return stdout;
}

const statement = (fields) => JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", ...fields }] });

// The operator, who owns the bucket, and a role that may do what he may, for temporary credentials.
async function createUsers(file) {
  const keys = {
    access_key_id: "AKIA" + randomBytes(8).toString("hex").toUpperCase(),
    secret_access_key: randomBytes(24).toString("base64"),
  };
  await administer(
    file,
    "user",
    "create",
    "--uid",
    "operator",
    "--display-name",
    "operator",
    "--access-key",
    keys.access_key_id,
    "--secret-key",
    keys.secret_access_key,
  );
  await administer(
    file,
    "role",
    "create",
    "--role-name",
    "worker",
    "--assume-role-policy-doc",
    statement({ Principal: { AWS: ["arn:aws:iam:::user/operator"] }, Action: ["sts:AssumeRole"] }),
  );
  await administer(
    file,
    "role-policy",
    "put",
    "--role-name",
    "worker",
    "--policy-name",
    "bucket",
    "--policy-doc",
    statement({ Action: ["s3:*"], Resource: "arn:aws:s3:::*" }),
  );
  return { ...keys, role_arn: "arn:aws:iam:::role/worker" };
}

// Starts it below a folder, which is emptied first and removed at the end. Over TLS it also answers to the buckets' own hosts.
// { endpoint, secure: { endpoint, ca_file }, access_key_id, secret_access_key, role_arn, close() }
export async function startCeph(below, buckets = []) {
  const folder = resolve(below);
  await rm(folder, { recursive: true, force: true });
  for (const name of ["mon", "osd", "log", "gateway", "crash"]) await mkdir(`${folder}/${name}`, { recursive: true });
  const [monitor, gateway, secure] = await freePorts(3);
  const fsid = randomUUID();
  const state = { folder, file: `${folder}/ceph.conf`, children: [], closing: false };
  const close = async () => {
    state.closing = true;
    // All of it is in memory and below the folder: there is nothing to write down, and to ask politely takes 5 s.
    await Promise.all(
      state.children.map(
        (child) =>
          child.exitCode === null &&
          child.signalCode === null &&
          child.pid &&
          new Promise((resolve) => {
            child.once("exit", resolve);
            child.kill("SIGKILL");
          }),
      ),
    );
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await writeFile(
      state.file,
      configuration({ folder, fsid, monitor, gateway, secure, stsKey: randomBytes(8).toString("hex") }),
    );
    await createCertificate(folder, buckets);
    await startDaemons(state, monitor, gateway, fsid);
    return {
      endpoint: `http://127.0.0.1:${gateway}`,
      secure: { endpoint: `https://localhost:${secure}`, ca_file: `${folder}/certificate.pem` },
      ...(await createUsers(state.file)),
      close,
    };
  } catch (failure) {
    const log = await readFile(`${folder}/log/client.rgw.log`, "utf8").catch(() => "");
    failure.message += `\n${log.slice(-2000)}`;
    await close();
    throw failure;
  }
}

// Ceph of this age compares the ETag of a put's If-Match without its quotes; S3 takes either.
export function forCeph({ operation, request }) {
  if (operation !== "PutObject" || !header(request, "if-match")?.startsWith('"')) return request.headers;
  return request.headers.map(([name, value]) => [name, name.toLowerCase() === "if-match" ? value.slice(1, -1) : value]);
}
