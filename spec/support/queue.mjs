// SQS as npm's fauxqs speaks it, on 127.0.0.1 only (its own command line and startFauxqs bind every address). It checks
// no signature: proxy.mjs stands before it.
import { buildApp } from "fauxqs";

// Starts it. { endpoint, close() }
export async function startQueues(region) {
  const app = buildApp({ logger: false, defaultRegion: region });
  const endpoint = await app.listen({ port: 0, host: "127.0.0.1" });
  return { endpoint, close: () => app.close() };
}
