// What a container runtime is told by docker/k8s/worker's Deployment: a bundle of OCI's runtime specification, for runc, which
// is what a node's kubelet has made of it. So the pod can be tried where there is no cluster.
//
//     node pod.mjs SOURCE FOLDER PROFILE CGROUP WORD…     the source tree; the bundle, with rootfs/ and volumes/NAME/ in it; the
//                                                         profile of system calls; its control group; its command
//
// Writes FOLDER/config.json and prints, as JSON, the commands of its probes and which users it has.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";

const [source, folder, profile, cgroup, ...words] = process.argv.slice(2);
const rendered = execFileSync("kubectl", ["kustomize", join(source, "docker/k8s/worker")], { encoding: "utf8" });
const documents = parseAllDocuments(rendered).map((document) => document.toJS());
const pod = documents.find((document) => document.kind === "Deployment").spec.template.spec;
const [container] = pod.containers;
const { securityContext } = container;
const capabilities = securityContext.capabilities.add.map((name) => `CAP_${name}`);
const memory = Number.parseInt(container.resources.limits.memory) * 2 ** 30;
// The kubelet gives each pod other 65,536.
const users = { containerID: 0, hostID: 0x40000000, size: 65536 };
const plain = ["nosuid", "noexec", "nodev"];
const masked = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug"];

if (!container.resources.limits.memory.endsWith("Gi")) throw new Error("the limit of memory isn't written in Gi");
if (pod.hostUsers !== false) throw new Error("the pod has the machine's users: nothing here tries that");

const config = {
  ociVersion: "1.0.2",
  process: {
    user: { uid: pod.securityContext.runAsUser, gid: pod.securityContext.runAsGroup },
    args: words,
    env: [
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      ...container.env.filter(({ value }) => value).map(({ name, value }) => `${name}=${value}`),
    ],
    cwd: "/var/lib/submitter",
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    noNewPrivileges: securityContext.allowPrivilegeEscalation === false,
  },
  root: { path: "rootfs", readonly: securityContext.readOnlyRootFilesystem },
  hostname: "pod",
  mounts: [
    { destination: "/proc", type: "proc", source: "proc", options: plain },
    { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"] },
    { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666"] },
    { destination: "/dev/shm", type: "tmpfs", source: "shm", options: [...plain, "mode=1777", "size=65536k"] },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: plain },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: [...plain, "ro"] },
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...plain, "ro"] },
    ...container.volumeMounts.map(({ name, mountPath, readOnly }) => ({
      destination: mountPath,
      type: "bind",
      source: join(folder, "volumes", name),
      options: ["rbind", readOnly ? "ro" : "rw"],
    })),
  ],
  linux: {
    namespaces: ["user", "pid", "network", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type })),
    uidMappings: [users],
    gidMappings: [users],
    cgroupsPath: cgroup,
    resources: { devices: [{ allow: false, access: "rwm" }], memory: { limit: memory, swap: memory } },
    maskedPaths: securityContext.procMount === "Unmasked" ? [] : masked,
    readonlyPaths: securityContext.procMount === "Unmasked" ? [] : ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"],
    seccomp: JSON.parse(readFileSync(profile, "utf8")),
  },
};
writeFileSync(join(folder, "config.json"), JSON.stringify(config, null, 2));
const command = (probe) => probe.exec.command;
console.log(
  JSON.stringify({
    first_user: users.hostID,
    args: container.args,
    startup: command(container.startupProbe),
    readiness: command(container.readinessProbe),
    liveness: command(container.livenessProbe),
  }),
);
