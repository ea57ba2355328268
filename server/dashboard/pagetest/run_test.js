import { parseLine, Run, upTo } from "../page/run.js";
import { equal, near, random, test } from "./harness.js";

const ms = 1e6;
const submitted = { kind: "submitted", step: 0, nanos: 5 * ms, group: 1, question: "2 < 3?", prompt: Array(40).fill(1), k: 4, seed: 7, policy: "deepprune", settings: { threshold: 0.5 } };
const at = (kind, t, more) => ({ kind, step: t, nanos: (5 + t) * ms, group: 1, ...more });
const step = (t, more) => ({ kind: "step", step: t, nanos: (5 + t) * ms, rows: 1, prefill_rows: 0, judge_rows: 0, blocks: 2 * t, judge_blocks: 1, bytes: 100 * t, sampled: [], ...more });

/** Four traces: 1 is pruned for 0, which finishes; 2 is its own cluster; 3 never starts. */
function small() {
  return [
    { kind: "header", schema: 1, model: "m", judge: "j", block_bytes: 10 },
    submitted,
    at("started", 1, { trace: 0 }), at("started", 1, { trace: 1 }), at("started", 1, { trace: 2 }),
    step(2, { sampled: [[1, 0, 50], [1, 1, 51], [1, 2, 52], [2, 0, 99]] }),
    step(3, { sampled: [[1, 0, 60], [1, 1, 61], [1, 2, 62]] }),
    at("held", 4, { trace: 1, tokens: 2 }), at("held", 4, { trace: 2, tokens: 2 }),
    at("judged", 5, { trace: 1, keeper: 0, score: 0.8 }), at("judged", 5, { trace: 2, keeper: 0, score: 0.2 }),
    at("pruned", 6, { trace: 1, tokens: 2, keeper: 0, score: 0.8, reason: "same answer", blocks: 3, bytes: 30 }),
    at("resumed", 6, { trace: 2 }),
    step(7, { sampled: [[1, 0, 70], [1, 2, 72]] }),
    step(8, { sampled: [[1, 0, 80], [1, 2, 82]] }),
    at("ended", 9, { trace: 0, tokens: 4, state: "finished", answer: "yes", blocks: 1 }),
    at("pruned", 10, { trace: 2, tokens: 4, keeper: -1, score: 0, reason: "cannot matter", blocks: 2, bytes: 20 }),
    at("done", 10, {
      answer: "yes", warning: "", votes: [{ answer: "yes", weight: 2.5, traces: [0] }],
      clusters: [{ keeper: 0, members: [0, 1], answer: "yes" }, { keeper: 2, members: [2], answer: "" }],
      usage: { judge_relative_cost: 1 },
    }),
  ];
}

function runOf(lines) {
  const run = new Run(1);
  for (const l of lines) run.add(l);
  return run;
}

test("a run's moments", () => {
  const run = runOf(small());
  equal([run.question, run.k, run.policy, run.promptTokens, run.end, run.done], ["2 < 3?", 4, "deepprune", 40, 10, true]);
  const begin = run.at(0);
  equal(begin.counts.not_started, 4);
  equal(begin.saved.tokens, 0);
  const middle = run.at(4);
  equal(middle.lanes.map((l) => l.state), ["running", "held", "held", "not_started"]);
  equal(middle.lanes.map((l) => l.tokens), [2, 2, 2, 0]);
  equal([middle.memory.blocks, middle.memory.bytes, middle.memory.shared, middle.memory.holders], [6, 300, 2, 3]);
  const judged = run.at(5);
  equal(judged.lanes.map((l) => l.keeper), [0, 0, 2, 3]);
  equal(judged.pairs, 2);
  const after = run.at(8);
  equal(after.lanes.map((l) => l.state), ["running", "pruned", "running", "not_started"]);
  equal([after.saved.basis, after.saved.tokens, after.saved.mean], ["longest", 2, 4]);
  equal([after.memory.reclaimedBlocks, after.memory.reclaimedBytes, after.memory.peak], [3, 30, 800]);
  equal(after.votes, []);
  const late = run.at(9);
  equal([late.counted, late.answer, late.votes], ["traces", "yes", [{ answer: "yes", weight: 1, traces: [0] }]]);
  const end = run.at(10);
  equal(end.over, true);
  equal([end.counted, end.votes], ["weight", [{ answer: "yes", weight: 2.5, traces: [0] }]]);
  // 0 took 4 tokens; 1 took 2, 2 took 4 and 3 none: 10 of 16.
  equal([end.generated, end.saved.whole, end.saved.tokens], [10, 16, 6]);
  near(end.saved.share, 6 / 16);
  near(end.saved.withJudge, 5 / 16);
  equal(run.at(10).lanes.map((l) => l.hue), [0, 0, 1, -1]);
  equal(run.at(4).lanes.map((l) => l.hue), [-1, -1, -1, -1], "before the judge has spoken");
  equal(run.at(5).lanes.map((l) => l.hue), [0, 0, -1, -1]);
});

test("a lane's pieces", () => {
  const run = runOf(small());
  equal(run.tracks[2].segments(7), [
    { from: 1, to: 4, state: "running", away: false }, { from: 4, to: 6, state: "held", away: false }, { from: 6, to: 7, state: "running", away: false },
  ]);
  equal(run.tracks[1].segments(99).at(-1), { from: 4, to: 6, state: "held", away: false });
  equal(run.tracks[3].segments(99), []);
  equal(run.tracks[0].segments(0), []);
});

test("preempted and evicted traces are away until they run again", () => {
  const run = runOf([
    submitted, at("started", 1, { trace: 0 }), step(2, { sampled: [[1, 0, 5]] }), at("preempted", 3, { trace: 0, blocks: 1 }),
    step(4), step(5, { sampled: [[1, 0, 6]] }),
  ]);
  equal([2, 3, 4, 5].map((t) => run.at(t).lanes[0].away), [false, true, true, false]);
  equal(run.at(4).memory.holders, 0);
});

test("what is not about the group is left out", () => {
  const run = new Run(1);
  equal(run.add(at("started", 1, { trace: 0 })), false, "before its submission");
  for (const k of [0, -1, 1.5, "many", 1e9, NaN, undefined]) equal(run.add({ ...submitted, k }), false, `k ${k}`);
  equal(run.add({ ...submitted, group: 2 }), false);
  equal(run.add(submitted), true);
  equal(run.add(submitted), false, "twice");
  for (const line of [null, 7, "x", [], {}, { kind: "unknown" }, at("started", 2, { trace: 4 }), at("started", 2, { trace: -1 }), at("started", 2, { trace: "__proto__" }), at("unknown", 2, { trace: 0 }), { ...at("done", 3), group: 2 }]) {
    equal(run.add(line), false, JSON.stringify(line));
  }
  equal(run.at(9).counts.not_started, 4);
  equal(run.add(at("judged", 3, { trace: 0, keeper: 77, score: 0.9 })), true);
  equal(run.add(at("judged", 3, { trace: 0, keeper: 1, score: null })), true);
  equal(run.at(9).lanes[0].keeper, 0);
});

test("journals of before they held votes", () => {
  const lines = small();
  const run = runOf([...lines.slice(0, -1), at("done", 10, {})]);
  const end = run.at(10);
  equal([end.over, end.answer, end.counted, end.saved.withJudge], [true, "yes", "traces", null]);
});

test("without clusters an answer has a colour of its own", () => {
  const run = runOf([
    { ...submitted, policy: "none" }, ...[0, 1, 2, 3].map((trace) => at("started", 1, { trace })),
    ...["a", "b", "a", ""].map((answer, trace) => at("ended", 2 + trace, { trace, tokens: 5, state: "finished", answer })),
    at("done", 6, { answer: "a", votes: [{ answer: "a", weight: 2, traces: [0, 2] }, { answer: "b", weight: 1, traces: [1] }], clusters: [] }),
  ]);
  equal(run.at(6).lanes.map((l) => l.hue), [0, 1, 0, -1]);
  equal(run.at(1).lanes.map((l) => l.hue), [-1, -1, -1, -1]);
});

test("circles of keepers end", () => {
  const run = runOf([submitted, at("pruned", 1, { trace: 0, tokens: 0, keeper: 1, score: 1, reason: "", blocks: 0, bytes: 0 }), at("pruned", 1, { trace: 1, tokens: 0, keeper: 0, score: 1, reason: "", blocks: 0, bytes: 0 })]);
  equal(run.at(1).lanes.length, 4);
});

test("a server that dropped the oldest lines of a long run", () => {
  const run = runOf([submitted, step(90, { sampled: [[1, 0, 5], [1, 1, 6]] }), at("ended", 91, { trace: 0, tokens: 4000, state: "length", answer: "" })]);
  equal(run.at(90).lanes.map((l) => l.state), ["running", "running", "not_started", "not_started"]);
  equal(run.at(91).lanes[0].tokens, 4000);
});

test("times that go back do not", () => {
  const run = runOf([submitted, step(5), step(3)]);
  equal(run.steps.times, [5, 5]);
});

test("seeds of 64 bits are kept", () => {
  const line = parseLine(`{"kind":"submitted","group":1,"k":1,"seed":18446744073709551615,"question":"q"}`);
  const native = JSON.parse("[1]", (_, v, context) => (context?.source ? context.source : v))[0] === "1";
  if (native) equal(String(line.seed), "18446744073709551615");
  equal(parseLine(`{"kind":"done","seed":1}`).seed, 1);
});

test("upTo counts", () => {
  const rng = random(1);
  for (let n = 0; n < 200; n++) {
    const times = Array.from({ length: Math.floor(rng() * 9) }, () => Math.floor(rng() * 6)).sort((a, b) => a - b);
    const t = Math.floor(rng() * 8) - 1;
    equal(upTo(times, t), times.filter((x) => x <= t).length);
  }
});

/** What a run is at time t, by folding the lines up to it one by one. */
function reference(lines, t) {
  const lanes = Array.from({ length: 6 }, () => ({ state: "not_started", tokens: 0 }));
  let pairs = 0;
  for (const l of lines) {
    if ((l.nanos - 5 * ms) / ms > t) break;
    if (l.kind === "step") for (const [g, i] of l.sampled) if (g === 1) lanes[i].tokens++;
    if (l.kind === "started" || l.kind === "resumed") lanes[l.trace].state = "running";
    if (l.kind === "held") lanes[l.trace].state = "held";
    if (l.kind === "judged") pairs++;
    if (l.kind === "pruned") lanes[l.trace].state = "pruned";
    if (l.kind === "ended") lanes[l.trace].state = l.state;
  }
  return { lanes, pairs };
}

test("random runs at random times", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const rng = random(seed);
    const pick = (n) => Math.floor(rng() * n);
    const lines = [{ ...submitted, k: 6 }];
    const state = Array(6).fill("not_started");
    const tokens = Array(6).fill(0);
    let t = 0;
    for (let n = 0; n < 80; n++) {
      t += pick(3);
      const i = pick(6);
      if (state[i] === "not_started") {
        lines.push(at("started", t, { trace: i }));
        state[i] = "running";
      } else if (state[i] === "running" && rng() < 0.3) {
        lines.push(at("held", t, { trace: i, tokens: tokens[i] }));
        state[i] = "held";
      } else if (state[i] === "held" && rng() < 0.6) {
        lines.push(at("judged", t, { trace: i, keeper: pick(6), score: rng() }));
      } else if (state[i] === "held") {
        lines.push(rng() < 0.5 ? at("resumed", t, { trace: i }) : at("pruned", t, { trace: i, tokens: tokens[i], keeper: pick(6), score: 0.9, reason: "", blocks: 1, bytes: 2 }));
        state[i] = lines.at(-1).kind === "resumed" ? "running" : "pruned";
      } else if (state[i] === "running" && rng() < 0.1) {
        lines.push(at("ended", t, { trace: i, tokens: tokens[i], state: "finished", answer: String(pick(3)) }));
        state[i] = "finished";
      } else {
        const sampled = [0, 1, 2, 3, 4, 5].filter((j) => state[j] === "running").map((j) => [1, j, 7]);
        for (const [, j] of sampled) tokens[j]++;
        lines.push(step(t, { sampled }));
      }
    }
    const run = runOf(lines);
    for (let n = 0; n < 20; n++) {
      const when = pick(t + 3) - 1;
      const want = reference(lines, when);
      const got = run.at(when);
      equal(got.lanes.map((l) => [l.state, l.tokens]), want.lanes.map((l) => [l.state, l.tokens]), `seed ${seed}, time ${when}`);
      equal(got.pairs, want.pairs, `seed ${seed}, time ${when}`);
    }
  }
});
