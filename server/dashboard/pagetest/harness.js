// The least of a test library, which runs in Node and in a browser alike.

const tests = [];

export function test(name, run) {
  tests.push({ name, run });
}

function show(v) {
  return v instanceof Map ? `Map ${JSON.stringify([...v])}` : typeof v === "number" ? String(v) : JSON.stringify(v);
}

export function equal(got, want, what = "") {
  if (show(got) !== show(want)) throw new Error(`${what ? `${what}: ` : ""}got ${show(got)}; want ${show(want)}`);
}

export function near(got, want, what = "") {
  if (!(Math.abs(got - want) < 1e-9)) throw new Error(`${what ? `${what}: ` : ""}got ${got}; want ${want}`);
}

/** Random numbers in [0, 1) that a failing test can name: mulberry32. */
export function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Runs all tests; what failed, with why. */
export async function runAll() {
  const failed = [];
  for (const { name, run } of tests) {
    try {
      await run();
    } catch (error) {
      failed.push(`${name}: ${error.message}`);
    }
  }
  return { passed: tests.length - failed.length, failed };
}
