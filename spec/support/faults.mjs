// Which calls go wrong, and how: a plan of rules, drawn with a seed so that a run can be had again.
//
// A rule: { fault, service, operation, rate, even, limit, status, code, ms }. fault: a name of the list below, or
// several, of which each time one is drawn. service and operation: a name, several, or "*" (the default). rate: of the
// calls it fits, 0 to 1, default 1. even: of every 1/rate calls of an operation it hits one, so that few calls suffice
// to see it hit each. limit: it hits so many calls, then no more. The first rule that hits a call counts.

// before: instead of the service. after: the service has done it, the answer suffers.
export const kinds = {
  error: "before", // status, code: answered with that error
  garbage: "before", // status: answered with a page of HTML, as load balancers do
  throttled: "before", // the service's own word for "too many requests"
  expired_token: "before", // refused as if that were so
  skewed: "before", // refused for its time, by a host whose clock is 20 minutes ahead
  delay: "before", // ms: then as usual
  hang: "before", // accepted and never answered
  cut_before: "before", // the connection is cut, nothing was done
  batch_entry: "before", // SQS: the first entry of a batch isn't carried out and comes back as failed
  cut_after: "after", // it was done, the connection is cut without an answer
  cut_body: "after", // cut in the middle of the body
  truncate: "after", // the body is shorter than it should be, and says so truthfully
  wrong_byte: "after", // one byte of the body is another
  wrong_md5: "after", // SQS: the MD5 of a message's body is another
  wrong_etag: "after", // S3: the ETag is another
};

// mulberry32: 32 bits of state, the same everywhere.
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const known = new Set(["fault", "service", "operation", "rate", "even", "limit", "status", "code", "ms"]);

function check(rule) {
  for (const name of Object.keys(rule)) if (!known.has(name)) throw new TypeError(`a rule has no ${name}`);
  for (const fault of [rule.fault].flat()) if (!Object.hasOwn(kinds, fault)) throw new TypeError(`no fault ${fault}`);
}

const fits = (wanted, name) => wanted === undefined || wanted === "*" || [wanted].flat().includes(name);

// Whether a fault can be shown by a call at all: one that can't must not be drawn and counted.
export function possible(fault, service, operation) {
  if (fault === "batch_entry") return /^(Delete|ChangeVisibility|ChangeMessageVisibility).*Batch$/.test(operation);
  if (fault === "wrong_md5") return service === "sqs" && /^(Receive|Send)Message$/.test(operation);
  if (fault === "wrong_etag") return /^(Get|Put|Head)Object$/.test(operation);
  const has_body = service !== "s3" || /^(GetObject|ListObjectsV2)$/.test(operation);
  if (fault === "truncate" || fault === "cut_body" || fault === "wrong_byte") return has_body;
  return true;
}

// Whether the next call of an operation is hit. Evenly: one drawn out of each block of 1/rate calls.
function lottery(rule, next) {
  const rate = rule.rate ?? 1,
    blocks = new Map();
  if (!rule.even) return () => next() < rate;
  const length = Math.round(1 / rate);
  return (name) => {
    const block = blocks.get(name) ?? { at: 0 };
    blocks.set(name, block);
    if (block.at % length === 0) block.chosen = block.at + Math.floor(next() * length);
    block.at += 1;
    return block.at - 1 === block.chosen;
  };
}

// draw(service, operation) → { fault, … } or undefined.
export function plan({ seed = 1, rules = [] }) {
  rules.forEach(check);
  const next = random(seed);
  const hits = rules.map(() => 0),
    lotteries = rules.map((rule) => lottery(rule, next));
  return (service, operation) => {
    for (const [at, rule] of rules.entries()) {
      if (!fits(rule.service, service) || !fits(rule.operation, operation)) continue;
      const faults = [rule.fault].flat().filter((fault) => possible(fault, service, operation));
      if (faults.length === 0 || hits[at] >= (rule.limit ?? Infinity) || !lotteries[at](`${service} ${operation}`))
        continue;
      hits[at] += 1;
      return { ...rule, fault: faults[Math.floor(next() * faults.length)] };
    }
    return undefined;
  };
}
