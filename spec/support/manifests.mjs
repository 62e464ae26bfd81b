// Is docker/k8s what a cluster takes, and does it agree with itself and with the product? What kubectl makes of the
// kustomizations is held against the published schemas, the names in it against each other, and the configuration
// against the real host, which loads it. Prints TAP.
//
//     node manifests.mjs SOURCE SUBMITTER          the source tree; the program
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { problems } from "./schemas.mjs";

const [source, submitter] = process.argv.slice(2);
const folder = join(source, "docker/k8s");
let number = 0,
  failures = 0;

async function test(name, body) {
  number += 1;
  try {
    const skipped = await body();
    console.log(`ok ${number} - ${name}${skipped ? ` # SKIP ${skipped}` : ""}`);
  } catch (failure) {
    failures += 1;
    console.log(`not ok ${number} - ${name}\n${(failure.stderr ?? failure.stack).replace(/^/gm, "  # ")}`);
  }
}

const run = (program, ...words) => execFileSync(program, words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const parse = (text) =>
  parseAllDocuments(text).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS();
  });
const render = (name) => parse(run("kubectl", "kustomize", join(folder, name)));
const copy = (value) => structuredClone(value);
const one = (documents, kind) => {
  const found = documents.filter((document) => document.kind === kind);
  assert.equal(found.length, 1, `${found.length} documents are a ${kind}`);
  return found[0];
};
// Whether a selector of labels chooses these.
const chooses = (selector, labels) => Object.entries(selector).every(([key, value]) => labels[key] === value);
const bytes = (amount) => {
  const [, count, unit] = /^(\d+)(Ki|Mi|Gi)?$/.exec(amount);
  return count * { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, undefined: 1 }[unit];
};

async function isValid(documents) {
  for (const document of documents) {
    assert.deepEqual(await problems(document), [], `${document.kind} ${document.metadata.name}`);
  }
}

// ---- valid ----

const worker = render("worker");
const node = render("node");

await test("the workers' documents are valid by the published schemas", () => isValid(worker));
await test("the nodes' are", () => isValid(node));
let marked;
await test("those for nodes with AppArmor are", async () => {
  const minor = /GitVersion:"v1\.(\d+)|Client Version: v1\.(\d+)/.exec(run("kubectl", "version", "--client"));
  if (minor && Number(minor[1] ?? minor[2]) < 21) return "kubectl 1.21 or newer is needed to put a patch on them";
  marked = render("apparmor");
  await isValid(marked);
});
await test("they differ from the others by the profile's name alone, which is that in its file", () => {
  if (!marked) return "see above";
  const [profile] = /(?<=^profile )\S+/m.exec(readFileSync(join(folder, "apparmor/submitter-pod"), "utf8"));
  const expected = copy(worker);
  const { securityContext } = one(expected, "Deployment").spec.template.spec;
  securityContext.appArmorProfile = { type: "Localhost", localhostProfile: profile };
  assert.deepEqual(marked, expected);
});
await test("every file is one that a kustomization names", () => {
  for (const name of ["worker", "node", "apparmor"]) {
    const [kustomization] = parse(readFileSync(join(folder, name, "kustomization.yaml"), "utf8"));
    const named = [...kustomization.resources, ...(kustomization.patches ?? []).map((patch) => patch.path)];
    const there = readdirSync(join(folder, name)).filter((file) => file.endsWith(".yaml") && file !== "kustomization.yaml");
    assert.deepEqual(named.filter((file) => file.endsWith(".yaml")).sort(), there.sort(), name);
  }
});

// The test itself: each of these must be seen.
const mistakes = [
  ["a misspelt field at the top", "Deployment", (it) => (it.metdata = {}), "/metdata: no such field"],
  ["a misspelt field in a container", "Deployment", (it) => (it.spec.template.spec.containers[0].volumeMount = []), "/spec/template/spec/containers/0/volumeMount: no such field"],
  ["a field in the wrong place", "Deployment", (it) => (it.spec.template.spec.securityContext.procMount = "Unmasked"), "/spec/template/spec/securityContext/procMount: no such field"],
  ["a number for a text", "Deployment", (it) => (it.spec.template.spec.containers[0].env[0].value = 1), "/spec/template/spec/containers/0/env/0/value: must be string"],
  ["a text for a truth value", "Deployment", (it) => (it.spec.template.spec.hostUsers = "no"), "/spec/template/spec/hostUsers: must be boolean"],
  ["a field too few", "Deployment", (it) => delete it.spec.selector, "/spec: must have required property selector"],
  ["a misspelt field of KEDA's", "ScaledObject", (it) => (it.spec.maxReplicas = 3), "/spec/maxReplicas: no such field"],
  ["a misspelt field of a rule for the network", "NetworkPolicy", (it) => (it.spec.egress[0].too = []), "/spec/egress/0/too: no such field"],
  ["a misspelt field of the budget", "PodDisruptionBudget", (it) => (it.spec.maxUnavailible = 1), "/spec/maxUnavailible: no such field"],
  ["another version", "Deployment", (it) => (it.apiVersion = "apps/v3"), "no schema is published for Deployment of apps/v3"],
];
for (const [name, kind, change, expected] of mistakes) {
  await test(`${name} would be seen`, async () => {
    const changed = copy(one(worker, kind));
    change(changed);
    const found = await problems(changed);
    assert.ok(found.includes(expected), JSON.stringify(found));
  });
}

// ---- in agreement with itself ----

const deployment = one(worker, "Deployment");
const { labels } = deployment.spec.template.metadata;
const pod = deployment.spec.template.spec;
const [container] = pod.containers;
const scaled = one(worker, "ScaledObject");
const [trigger] = scaled.spec.triggers;

await test("all selectors choose the workers' pods", () => {
  const selectors = [
    deployment.spec.selector.matchLabels,
    one(worker, "PodDisruptionBudget").spec.selector.matchLabels,
    one(worker, "NetworkPolicy").spec.podSelector.matchLabels,
    ...pod.topologySpreadConstraints.map((constraint) => constraint.labelSelector.matchLabels),
  ];
  for (const selector of selectors) {
    assert.ok(Object.keys(selector).length > 0 && chooses(selector, labels), JSON.stringify(selector));
  }
  const installer = one(node, "DaemonSet").spec;
  assert.ok(chooses(installer.selector.matchLabels, installer.template.metadata.labels));
  assert.ok(!chooses(deployment.spec.selector.matchLabels, installer.template.metadata.labels));
});
await test("what is named is there", () => {
  assert.equal(pod.serviceAccountName, one(worker, "ServiceAccount").metadata.name);
  assert.equal(scaled.spec.scaleTargetRef.name, deployment.metadata.name);
  assert.equal(trigger.authenticationRef.name, one(worker, "TriggerAuthentication").metadata.name);
  const maps = worker.filter((document) => document.kind === "ConfigMap").map((document) => document.metadata.name);
  assert.deepEqual(pod.volumes.flatMap((volume) => volume.configMap?.name ?? []).sort(), maps.sort());
  assert.deepEqual(container.volumeMounts.map((mount) => mount.name).sort(), pod.volumes.map((volume) => volume.name).sort());
  const secrets = pod.volumes.flatMap((volume) => volume.secret?.secretName ?? []);
  for (const { valueFrom } of container.env) if (valueFrom) assert.ok(secrets.includes(valueFrom.secretKeyRef.name));
});
await test("all stand in the one namespace, which is there", () => {
  for (const documents of [worker, node]) {
    const { name } = one(documents, "Namespace").metadata;
    for (const { kind, metadata } of documents) if (kind !== "Namespace") assert.equal(metadata.namespace, name, kind);
  }
});
await test("the profile that pods ask for is the one that is put on nodes", () => {
  const { template } = one(node, "DaemonSet").spec;
  const [{ hostPath }] = template.spec.volumes;
  const [installer] = template.spec.containers;
  const [, name] = /mv \S+ (\S+)/.exec(installer.command.at(-1));
  const place = name.replace(installer.volumeMounts[0].mountPath, hostPath.path);
  assert.equal(place, `/var/lib/kubelet/seccomp/${pod.securityContext.seccompProfile.localhostProfile}`);
  // The image brings it: make install.
  const [brought] = /\S+\/share\/submitter\/\S+/.exec(installer.command.at(-1));
  const installed = readFileSync(join(source, "Makefile"), "utf8").includes(`docker/${brought.split("/").at(-1)} $(DESTDIR)`);
  assert.ok(installed, `make install doesn't install ${brought}`);
});
await test("both run the image of this version", () => {
  const [, version] = /^VERSION := (\S+)$/m.exec(readFileSync(join(source, "Makefile"), "utf8"));
  const images = [container, ...one(node, "DaemonSet").spec.template.spec.containers].map(({ image }) => image);
  assert.deepEqual(images, [`submitter-worker:${version}`, `submitter-worker:${version}`]);
});
await test("the trigger's settings are those that KEDA's scaler of SQS has", () => {
  // https://keda.sh/docs/latest/scalers/aws-sqs/
  const known = "queueURL queueURLFromEnv queueLength activationQueueLength awsRegion awsEndpoint identityOwner scaleOnInFlight scaleOnDelayed";
  assert.deepEqual(Object.keys(trigger.metadata).filter((name) => !known.split(" ").includes(name)), []);
});

// ---- as safe as it says ----

await test("the pod keeps to the level of security that its namespace has", () => {
  assert.equal(one(worker, "Namespace").metadata.labels["pod-security.kubernetes.io/enforce"], "baseline");
  // https://kubernetes.io/docs/concepts/security/pod-security-standards/: what this pod says of what is in there.
  const allowed = "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT";
  for (const name of container.securityContext.capabilities.add) assert.ok(allowed.split(" ").includes(name), name);
  for (const name of ["hostNetwork", "hostPID", "hostIPC"]) assert.ok(!pod[name], name);
  assert.ok(!container.securityContext.privileged && pod.volumes.every((volume) => !volume.hostPath));
  assert.ok(["RuntimeDefault", "Localhost"].includes(pod.securityContext.seccompProfile.type));
  // Unmasked is refused to pods without users of their own, by the API itself.
  assert.equal(container.securityContext.procMount, "Unmasked");
  assert.equal(pod.hostUsers, false);
});
await test("it raises no rights, writes to its folder only, and has no key to the cluster", () => {
  assert.equal(container.securityContext.allowPrivilegeEscalation, false);
  assert.deepEqual(container.securityContext.capabilities, { drop: ["ALL"], add: ["SETUID", "SETGID"] });
  assert.equal(container.securityContext.readOnlyRootFilesystem, true);
  assert.deepEqual([pod.automountServiceAccountToken, one(worker, "ServiceAccount").automountServiceAccountToken], [false, false]);
  assert.equal(pod.enableServiceLinks, false);
  assert.deepEqual(container.volumeMounts.filter((mount) => !mount.readOnly).map((mount) => mount.mountPath), ["/var/lib/submitter"]);
});
await test("no rule lets anything in, or out to a node's own credentials", () => {
  const { spec } = one(worker, "NetworkPolicy");
  assert.deepEqual([spec.policyTypes, spec.ingress], [["Ingress", "Egress"], []]);
  for (const { to, ports } of spec.egress) {
    assert.ok(to?.length > 0 && ports?.length > 0);
    for (const { ipBlock } of to) {
      if (ipBlock?.cidr === "0.0.0.0/0") assert.ok(ipBlock.except.includes("169.254.0.0/16"));
    }
  }
});
await test("what it asks for is what it gets", () => assert.deepEqual(container.resources.requests, container.resources.limits));

// ---- in agreement with the product ----

const files = join(folder, "worker");
const told = JSON.parse(run(submitter, "run", join(source, "spec/integration/pod_configuration.lua"), join(files, "submitter.lua"), join(files, "policy")));
const { configuration } = told;
const value = (name) => container.env.find((variable) => variable.name === name)?.value;
const mounted = (name) => container.volumeMounts.find((mount) => mount.name === name).mountPath;

await test("the configuration is one that the worker loads, for a pod: one submission at a time, by the container's counters", () => {
  assert.deepEqual([configuration.slots, configuration.accounting], [1, "container"]);
});
await test("what kubectl puts into the cluster are these very files", () => {
  const maps = worker.filter((document) => document.kind === "ConfigMap").map((document) => document.data);
  const expected = [["submitter.lua", "submitter.lua"], ["default.lua", "policy/default.lua"]];
  assert.deepEqual(maps, expected.map(([key, path]) => ({ [key]: readFileSync(join(files, path), "utf8") })));
});
await test("variables are those that the worker, or libpq for it, reads", () => {
  const known = [...told.variables, "PGPASSFILE"];
  for (const { name } of container.env) assert.ok(known.includes(name), name);
});
await test("files are where the variables and the configuration say", () => {
  assert.equal(value("SUBMITTER_CONFIG"), `${mounted("configuration")}/submitter.lua`);
  assert.equal(value("SUBMITTER_VAR"), mounted("var"));
  assert.equal(value("PGPASSFILE"), `${mounted("database")}/pgpass`);
  assert.equal(configuration.policy.directory, mounted("policy"));
});
await test("the queue that is measured is the one that is worked on", () => {
  assert.equal(trigger.metadata.queueURL, configuration.queue.url);
  assert.equal(trigger.metadata.awsRegion, configuration.bucket.region);
  assert.equal(new URL(configuration.queue.url).host, `sqs.${trigger.metadata.awsRegion}.amazonaws.com`);
});
await test("the largest program and the worker fit into the pod's memory", () => {
  const { memory_bytes, file_bytes } = configuration.policy.limits;
  assert.ok(memory_bytes + file_bytes + 2 ** 28 <= bytes(container.resources.limits.memory));
  assert.equal(told.policies.length, 1);
});
await test("the commands of the pod are ones that the program has", () => {
  const probes = [container.startupProbe, container.readinessProbe, container.livenessProbe].map((probe) => probe.exec.command);
  for (const [program, command, ...options] of [["submitter", ...container.args], ...probes]) {
    assert.equal(program, "submitter");
    const help = run(submitter, command, "--help");
    for (const option of options.filter((word) => word.startsWith("--"))) assert.match(help, new RegExp(`${option}\\b`));
  }
});
await test("the image's own check of health is the readiness probe's", () => {
  const [, check] = /^HEALTHCHECK .*CMD (\[.*\])$/m.exec(readFileSync(join(source, "docker/worker.Dockerfile"), "utf8"));
  assert.deepEqual(container.readinessProbe.exec.command, JSON.parse(check));
});

console.log(`1..${number}`);
process.exit(failures > 0 ? 1 : 0);
