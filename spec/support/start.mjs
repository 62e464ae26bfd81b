// A peer as a child of this process, spoken to in lines of JSON (lines.mjs).
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

// Starts `node script args…`. { ready, ask(command, argument) → answer, close() }
export async function startPeer(script, ...args) {
  const path = join(import.meta.dirname, script);
  const child = spawn(process.execPath, [path, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${script} ended`);
    const answer = JSON.parse(value);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  };
  return {
    ready: await next(),
    ask: (command, argument = {}) => {
      child.stdin.write(JSON.stringify({ command, ...argument }) + "\n");
      return next();
    },
    close: () =>
      new Promise((resolve) => {
        child.once("exit", resolve);
        child.stdin.end();
      }),
  };
}
