import { bytes, percent, plural, score, seconds, state, trace } from "../page/format.js";
import { niceStep } from "../page/lanes.js";
import { Player, SPEEDS, watchableSpeed } from "../page/player.js";
import { Run } from "../page/run.js";
import { equal, test } from "./harness.js";

test("figures", () => {
  equal([0, 0.004, 0.01, 0.5, 0.995, 1].map(percent), ["0%", "<1%", "1%", "50%", ">99%", "100%"]);
  equal([0, 1023, 1024, 8.7 * 2 ** 20, 300 * 2 ** 30].map(bytes), ["0 B", "1023 B", "1.0 KiB", "8.7 MiB", "300 GiB"]);
  equal([0, 999.4, 1500, 61_000].map(seconds), ["0 ms", "999 ms", "1.5 s", "1 min 1 s"]);
  equal([plural(1, "trace", "traces"), plural(1200, "trace", "traces")], ["1 trace", "1,200 traces"]);
  equal([score(0.6666), score(null), score("<b>")], ["0.67", "–", "–"]);
  equal([state("not_started", false), state("not_started", true), state("held", false)], ["waiting", "never started", "held"]);
});

test("a trace in a sentence", () => {
  const run = new Run(1);
  for (const l of [
    { kind: "submitted", step: 0, nanos: 0, group: 1, k: 2, question: "q", policy: "deepprune" },
    { kind: "started", step: 1, nanos: 1e6, group: 1, trace: 1 },
    { kind: "pruned", step: 80, nanos: 2e6, group: 1, trace: 1, tokens: 36, keeper: 0, score: 0.694, reason: "same answer", blocks: 1, bytes: 1 },
  ]) run.add(l);
  equal(trace(run, run.at(1), 1), "Trace 1: running");
  equal(trace(run, run.at(2), 1), "Trace 1: pruned at token 36, step 80, keeper 0, similarity 0.69, same answer");
  equal(trace(run, run.at(2), 0), "Trace 0: waiting");
});

test("steps of an axis", () => {
  for (const [x, want] of [[1, 1], [1.1, 2], [3, 5], [7, 10], [0.03, 0.05], [120, 200]]) {
    if (Math.abs(niceStep(x) / want - 1) > 1e-9) throw new Error(`niceStep(${x}) = ${niceStep(x)}; want ${want}`);
  }
  if (!(niceStep(0) > 0)) throw new Error("a step of nothing would never end");
});

test("the playhead", () => {
  const p = new Player();
  p.tick(16, 100, false);
  equal([p.time, p.live], [100, true]);
  p.toggle(100); // pause
  p.tick(16, 200, false);
  equal([p.time, p.live, p.playing], [100, false, false]);
  p.speed = 2;
  p.toggle(200);
  p.tick(10, 200, false);
  equal([p.time, p.playing], [120, true]);
  p.tick(1000, 200, false); // it has caught up
  equal([p.time, p.playing, p.live], [200, false, true]);
  p.tick(16, 250, true);
  equal([p.time, p.live], [250, false]);
  p.toggle(250); // from the beginning
  equal([p.time, p.playing], [0, true]);
  p.seek(30);
  equal([p.time, p.live], [30, false]);
  p.follow();
  equal([p.live, p.playing], [true, false]);
});

test("a run is watched for about ten seconds", () => {
  for (const [duration, want] of [[500, 0.05], [10_000, 1], [0.01, SPEEDS[0]], [3_600_000, SPEEDS.at(-1)]]) equal(watchableSpeed(duration), want);
});
