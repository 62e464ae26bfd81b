// How these programs talk with the test that started them: one line of JSON when ready, then a line of JSON for each
// line of JSON that comes in, in order. They end when their standard input does, or at SIGTERM, and so never outlive
// the test.
import { createInterface } from "node:readline";

export function print(value) {
  process.stdout.write(JSON.stringify(value) + "\n");
}

// commands: { name: async (argument) => answer }, asked for as {"command": name, …}; close gives everything back.
// A command that fails is answered with {"error": message}.
export function serve(ready, commands, close) {
  let closing = false;
  const end = async (code) => {
    if (closing) return;
    closing = true;
    try {
      await close();
    } catch (failure) {
      process.stderr.write(`${failure.stack}\n`);
      code = 1;
    }
    process.exit(code);
  };
  process.on("SIGTERM", () => end(0));
  process.on("SIGINT", () => end(0));
  // Whoever started us is gone: nobody reads any more, and what we started must still be ended.
  process.stdout.on("error", () => end(1));

  let before = Promise.resolve();
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    before = before.then(async () => {
      if (!closing) print(await answer(line, commands));
    });
  });
  lines.on("close", () => before.then(() => end(0)));
  print(ready);
}

async function answer(line, commands) {
  try {
    const { command, ...argument } = JSON.parse(line);
    if (!Object.hasOwn(commands, command)) throw new Error(`no command ${command}; there are ${Object.keys(commands)}`);
    return (await commands[command](argument)) ?? {};
  } catch (failure) {
    return { error: `${failure.name}: ${failure.message}` };
  }
}

// Ends a program that can't go on: nothing is ready, the reason is told.
export function fail(failure) {
  process.stderr.write(`${failure.stack ?? failure}\n`);
  process.exit(3);
}
