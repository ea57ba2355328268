// A group's journal, indexed by time.
//
// A Run takes the lines of a journal one by one, in order, and keeps them as
// series over time. `at` then gives any moment of the run, so that watching it
// live, scrubbing back and reading an old one are the same thing. Nothing here
// knows of the page or of the network.
//
// Times are milliseconds since the group was submitted.

/** States of a trace; those from "finished" on are final. */
const FINAL = new Set(["finished", "length", "pruned", "cancelled", "failed"]);

/** The most traces a group is drawn with; the engine's own bound. */
const MAX_TRACES = 1 << 16;

/** Tokens of a KV block. */
const BLOCK_TOKENS = 16;

/**
 * A line of a journal. Seeds have 64 bits, which a number does not hold: they are
 * kept as they are written, where the browser tells.
 */
export function parseLine(text) {
  if (!text.startsWith('{"kind":"submitted"')) return JSON.parse(text);
  return JSON.parse(text, (name, value, context) => (name === "seed" && context?.source ? context.source : value));
}

/** How many of the ascending times are at most t. */
export function upTo(times, t) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if (times[mid] <= t) low = mid + 1;
    else high = mid;
  }
  return low;
}

/** One trace: what happened to it and when. */
class Track {
  constructor(index) {
    this.index = index;
    this.tokens = []; // ids
    this.tokenTimes = [];
    this.changes = []; // {time, step, state, away}
    this.changeTimes = [];
    this.verdicts = []; // {time, step, keeper, score}: of this trace against keepers
    this.joins = []; // {time, keeper}: the cluster it was seen in
    this.end = null; // {time, step, state, tokens, keeper, score, reason, answer}
  }

  change(time, step, state, away = false) {
    this.changes.push({ time, step, state, away });
    this.changeTimes.push(time);
  }

  /** The last change by time t, or null. */
  stateAt(t) {
    return this.changes[upTo(this.changeTimes, t) - 1] ?? null;
  }

  tokensAt(t) {
    if (this.end && this.end.time <= t) return this.end.tokens;
    return upTo(this.tokenTimes, t);
  }

  keeperAt(t) {
    for (let i = this.joins.length - 1; i >= 0; i--) {
      if (this.joins[i].time <= t) return this.joins[i].keeper;
    }
    return -1;
  }

  /** The pieces of its lane by time t: {from, to, state, away}. */
  segments(t) {
    const out = [];
    for (let i = 0; i < this.changes.length; i++) {
      const c = this.changes[i];
      if (c.time > t || FINAL.has(c.state)) break;
      const next = this.changes[i + 1];
      out.push({ from: c.time, to: Math.min(t, next ? next.time : t), state: c.state, away: c.away });
    }
    return out;
  }
}

export class Run {
  /** @param {number} id the group whose lines are taken */
  constructor(id) {
    this.id = id;
    this.header = null;
    this.question = "";
    this.k = 0;
    this.seed = "";
    this.policy = "";
    this.threshold = 0.5;
    this.promptTokens = 0;
    this.begun = false;
    this.done = false;
    this.outcome = null;
    this.end = 0; // time of the last line
    this.lines = 0;
    this.tracks = [];
    this.steps = { times: [], numbers: [], blocks: [], judgeBlocks: [], bytes: [], peaks: [] };
    this.reclaims = { times: [], blocks: [], bytes: [] }; // cumulative
    this.verdicts = []; // of all traces, in order
    this.verdictTimes = [];
    this.clustered = false; // some trace is a keeper
    this.hues = new Map(); // {hue, time} of keepers and, as long as there are none, of answers
    this.start = 0;
  }

  /** Takes a line; false if it is not about this group. */
  add(line) {
    if (line === null || typeof line !== "object") return false;
    if (line.kind === "header") {
      this.header = line;
      return true;
    }
    if (line.kind === "submitted") return this.#submitted(line);
    if (!this.begun || this.done) return false;
    if (line.kind === "step") return this.#step(line);
    if (line.group !== this.id) return false;
    const time = this.#time(line);
    if (line.kind === "done") return this.#finish(line, time);
    const track = this.#track(line.trace);
    if (!track) return false;
    this.lines++;
    switch (line.kind) {
      case "started":
        track.change(time, line.step, "running");
        break;
      case "held":
        track.change(time, line.step, "held");
        break;
      case "resumed":
        track.change(time, line.step, "running");
        if (track.joins.length === 0) this.#keep(line.trace);
        break;
      case "preempted":
        track.change(time, line.step, "running", true);
        break;
      case "evicted":
        track.change(time, line.step, "held", true);
        break;
      case "judged":
        this.#judged(track, line, time);
        break;
      case "pruned":
        this.#pruned(track, line, time);
        break;
      case "ended":
        this.#end(track, line, time, line.state);
        track.end.answer = typeof line.answer === "string" ? line.answer : "";
        this.#answerHue(track.end.answer);
        break;
      default:
        return false;
    }
    return true;
  }

  #track(i) {
    return Number.isInteger(i) ? this.tracks[i] : undefined;
  }

  #time(line) {
    const time = Math.max(this.end, (line.nanos - this.start) / 1e6 || 0);
    this.end = time;
    return time;
  }

  #submitted(line) {
    if (line.group !== this.id || this.begun) return false;
    const k = Number(line.k);
    if (!Number.isInteger(k) || k < 1 || k > MAX_TRACES) return false;
    this.begun = true;
    this.lines++;
    this.start = Number(line.nanos) || 0;
    this.question = String(line.question ?? "");
    this.k = k;
    this.seed = String(line.seed ?? "");
    this.policy = String(line.policy ?? "");
    this.promptTokens = Array.isArray(line.prompt) ? line.prompt.length : 0;
    const threshold = line.settings?.threshold;
    if (typeof threshold === "number") this.threshold = threshold;
    this.tracks = Array.from({ length: k }, (_, i) => new Track(i));
    return true;
  }

  #step(line) {
    const time = this.#time(line);
    this.lines++;
    const s = this.steps;
    s.times.push(time);
    s.numbers.push(line.step);
    s.blocks.push(line.blocks);
    s.judgeBlocks.push(line.judge_blocks);
    s.bytes.push(line.bytes);
    s.peaks.push(Math.max(line.bytes, s.peaks.at(-1) ?? 0));
    for (const [group, trace, token] of line.sampled ?? []) {
      const track = group === this.id ? this.#track(trace) : undefined;
      if (!track) continue;
      track.tokens.push(token);
      track.tokenTimes.push(time);
      // It grows, so it runs: again after a preemption, or from before the first
      // line that a server has kept of a long run.
      const last = track.changes.at(-1);
      if (!last || (last.away && last.state === "running")) track.change(time, line.step, "running");
    }
    return true;
  }

  #judged(track, line, time) {
    const verdict = { time, step: line.step, trace: track.index, keeper: line.keeper, score: line.score };
    track.verdicts.push(verdict);
    this.verdicts.push(verdict);
    this.verdictTimes.push(time);
    if (!this.#track(line.keeper)) return;
    this.#keep(line.keeper);
    // Keepers come before those who join them, so that there are no circles. A
    // score of null, which was not a number, is above nothing.
    const best = track.joins.at(-1)?.score ?? -1;
    if (line.score > Math.max(this.threshold, best) && line.keeper < track.index) {
      track.joins.push({ time, keeper: line.keeper, score: line.score });
    }
  }

  #pruned(track, line, time) {
    this.#end(track, line, time, "pruned");
    Object.assign(track.end, { keeper: line.keeper, score: line.score, reason: String(line.reason ?? "") });
    if (this.#track(line.keeper) && line.keeper !== track.index) {
      this.#keep(line.keeper);
      track.joins.push({ time, keeper: line.keeper, score: Infinity });
    }
    const r = this.reclaims;
    r.times.push(time);
    r.blocks.push((r.blocks.at(-1) ?? 0) + line.blocks);
    r.bytes.push((r.bytes.at(-1) ?? 0) + line.bytes);
  }

  #end(track, line, time, state) {
    if (!FINAL.has(state)) state = "failed";
    track.end = { time, step: line.step, state, tokens: line.tokens, keeper: -1, score: null, reason: "", answer: "" };
    track.change(time, line.step, state);
  }

  #finish(line, time) {
    this.lines++;
    this.done = true;
    if (!Array.isArray(line.votes)) return true; // a journal of before it held them
    this.outcome = line;
    for (const c of line.clusters ?? []) {
      if (!this.#track(c.keeper)) continue;
      this.#keep(c.keeper);
      for (const i of c.members ?? []) {
        if (this.#track(i) && i !== c.keeper) this.tracks[i].joins.push({ time, keeper: c.keeper, score: Infinity });
      }
    }
    return true;
  }

  /** Makes a trace the keeper of a cluster, which gives it a colour from now on. */
  #keep(i) {
    this.clustered = true;
    if (!this.hues.has(i)) this.hues.set(i, { hue: this.hues.size, time: this.end });
  }

  #answerHue(answer) {
    const key = "=" + answer;
    if (!this.clustered && answer !== "" && !this.hues.has(key)) this.hues.set(key, { hue: this.hues.size, time: this.end });
  }

  /** The keeper of a trace's cluster at time t, itself if it is in none. */
  rootAt(i, t) {
    for (let n = 0; n < this.k; n++) {
      const keeper = this.tracks[i].keeperAt(t);
      if (keeper < 0 || keeper === i) break;
      i = keeper;
    }
    return i;
  }

  /** The number of a trace's colour at time t, -1 for none. */
  hueAt(i, t) {
    const root = this.rootAt(i, t);
    const given = (key) => {
      const g = this.hues.get(key);
      return g && g.time <= t ? g.hue : undefined;
    };
    const { end } = this.tracks[root];
    return given(root) ?? (end && end.time <= t ? given("=" + end.answer) : undefined) ?? -1;
  }

  /** The colour of an answer: that of the first trace that gave it. */
  answerHue(answer, t) {
    const track = this.tracks.find((x) => x.end && x.end.time <= t && x.end.answer === answer);
    return track ? this.hueAt(track.index, t) : -1;
  }

  /** What is to be seen at time t. */
  at(t) {
    const over = this.done && t >= this.end;
    const lanes = [];
    const counts = { not_started: 0, running: 0, held: 0, finished: 0, length: 0, pruned: 0, cancelled: 0, failed: 0 };
    let generated = 0;
    let longest = 0;
    let holders = 0;
    for (const track of this.tracks) {
      const c = track.stateAt(t);
      const state = c ? c.state : "not_started";
      const tokens = track.tokensAt(t);
      counts[state]++;
      generated += tokens;
      longest = Math.max(longest, tokens);
      if (c && !c.away && !FINAL.has(state)) holders++;
      lanes.push({ state, away: c?.away ?? false, tokens, keeper: this.rootAt(track.index, t), hue: this.hueAt(track.index, t) });
    }
    const s = upTo(this.steps.times, t) - 1;
    const r = upTo(this.reclaims.times, t) - 1;
    return {
      time: t,
      over,
      step: this.steps.numbers[s] ?? 0,
      lanes,
      counts,
      generated,
      pairs: upTo(this.verdictTimes, t),
      saved: this.#saved(lanes, generated, longest, over),
      memory: {
        blocks: this.steps.blocks[s] ?? 0,
        judgeBlocks: this.steps.judgeBlocks[s] ?? 0,
        bytes: this.steps.bytes[s] ?? 0,
        peak: this.steps.peaks[s] ?? 0,
        reclaimedBlocks: this.reclaims.blocks[r] ?? 0,
        reclaimedBytes: this.reclaims.bytes[r] ?? 0,
        // The blocks that the prompt fills are every trace's; the last, partly
        // filled one is copied when a trace first writes.
        shared: holders > 0 ? Math.floor(Math.max(0, this.promptTokens - 1) / BLOCK_TOKENS) : 0,
        holders,
      },
      ...this.#votes(t, over),
    };
  }

  /**
   * An estimate of the tokens that stopped traces would have gone on to generate:
   * as many as those that ended by themselves have on average or, while none has,
   * at least as many as the longest. Traces that never started count at the end,
   * for until then they may start yet.
   */
  #saved(lanes, generated, longest, over) {
    let ended = 0;
    let sum = 0;
    for (const l of lanes) {
      if (l.state !== "finished" && l.state !== "length") continue;
      ended++;
      sum += l.tokens;
    }
    const mean = ended > 0 ? sum / ended : longest;
    let tokens = 0;
    for (const l of lanes) {
      if (l.state === "pruned" || (over && l.state === "not_started")) tokens += mean - l.tokens;
    }
    tokens = Math.max(0, tokens);
    const whole = generated + tokens;
    const judge = over ? (this.outcome?.usage?.judge_relative_cost ?? null) : null;
    return {
      tokens,
      mean,
      basis: ended > 0 ? "mean" : "longest",
      ended,
      whole,
      share: whole > 0 ? tokens / whole : 0,
      withJudge: judge === null || whole === 0 ? null : Math.max(0, (tokens - judge) / whole),
    };
  }

  /** The vote: final with its weights, or a count of the answers so far. */
  #votes(t, over) {
    if (over && this.outcome) {
      const votes = this.outcome.votes.map((v) => ({ answer: String(v.answer), weight: Number(v.weight) || 0, traces: v.traces ?? [] }));
      return { votes, answer: String(this.outcome.answer ?? ""), warning: String(this.outcome.warning ?? ""), counted: "weight" };
    }
    const by = new Map();
    for (const { end, index } of this.tracks) {
      if (!end || end.time > t || end.answer === "") continue;
      const v = by.get(end.answer) ?? { answer: end.answer, weight: 0, traces: [] };
      v.weight++;
      v.traces.push(index);
      by.set(end.answer, v);
    }
    const votes = [...by.values()].sort((a, b) => b.weight - a.weight);
    return { votes, answer: votes[0]?.answer ?? "", warning: "", counted: "traces" };
  }
}
