// Figures as text.

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export const count = (n) => whole.format(n);

export const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;

/** A share in percent, never rounded to 0 or to all unless it is. */
export function percent(share) {
  const p = 100 * share;
  if (p > 0 && p < 1) return "<1%";
  if (p < 100 && p > 99) return ">99%";
  return `${Math.round(p)}%`;
}

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let u = 0;
  while (n >= 1024 && u < units.length - 1) {
    n /= 1024;
    u++;
  }
  return `${u === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[u]}`;
}

export function seconds(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** A judge's score; null is one that was not a number. */
export const score = (s) => (typeof s === "number" ? s.toFixed(2) : "–");

const STATES = {
  not_started: "waiting", running: "running", held: "held", finished: "finished",
  length: "at the token limit", pruned: "pruned", cancelled: "cancelled", failed: "failed",
};

/** The word for a state; a trace that waits when all is over never started. */
export const state = (s, over) => (s === "not_started" && over ? "never started" : (STATES[s] ?? s));

/** What there is to say of a trace at a moment, in one sentence. */
export function trace(run, moment, i) {
  const lane = moment.lanes[i];
  const track = run.tracks[i];
  const parts = [`Trace ${i}: ${state(lane.state, moment.over)}`];
  if (lane.tokens > 0) parts[0] += lane.state === "pruned" ? ` at token ${count(lane.tokens)}` : `, ${plural(lane.tokens, "token", "tokens")}`;
  const end = track.end && track.end.time <= moment.time ? track.end : null;
  if (end && end.state === "pruned") {
    parts.push(`step ${count(end.step)}`);
    if (end.keeper >= 0) parts.push(`keeper ${end.keeper}`, `similarity ${score(end.score)}`);
    if (end.reason) parts.push(end.reason);
  } else if (lane.keeper !== i) {
    parts.push(`in the cluster of trace ${lane.keeper}`);
  }
  if (end && end.answer) parts.push(`answer ${end.answer}`);
  return parts.join(", ");
}
