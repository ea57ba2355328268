// KV memory over time: what reasoner and judge have in use, and what came back.

import { upTo } from "./run.js";
import { bytes, count, plural } from "./format.js";
import { h, text } from "./dom.js";

export function drawMemory(canvas, run, moment, domain, palette) {
  const width = Math.floor(canvas.clientWidth);
  const height = Math.floor(canvas.clientHeight);
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  if (canvas.width !== width * ratio || canvas.height !== height * ratio) {
    canvas.width = width * ratio;
    canvas.height = height * ratio;
  }
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  const s = run.steps;
  const top = Math.max(s.peaks.at(-1) ?? 0, run.reclaims.bytes.at(-1) ?? 0, 1);
  const x = (t) => (t / Math.max(1, domain)) * width;
  const y = (b) => height - 1 - (b / top) * (height - 6);
  const n = upTo(s.times, moment.time);
  const block = run.header?.block_bytes ?? 0;

  // A step holds what it holds until the next; more steps than the screen has
  // columns need no more points than those.
  const area = (value, color) => {
    ctx.beginPath();
    ctx.moveTo(0, y(0));
    let column = -1;
    let last = 0;
    for (let i = 0; i < n; i++) {
      const at = x(s.times[i]);
      const before = last;
      last = value(i);
      if (Math.floor(at * 2) === column) continue;
      column = Math.floor(at * 2);
      ctx.lineTo(at, y(before));
      ctx.lineTo(at, y(last));
    }
    ctx.lineTo(x(moment.time), y(last));
    ctx.lineTo(x(moment.time), y(0));
    ctx.closePath();
    ctx.fillStyle = color;
    ctx.fill();
  };
  area((i) => s.bytes[i], palette.judge);
  area((i) => (block > 0 ? Math.min(s.bytes[i], s.blocks[i] * block) : s.bytes[i]), palette.accent);

  const r = run.reclaims;
  const m = upTo(r.times, moment.time);
  ctx.beginPath();
  let level = y(0);
  ctx.moveTo(0, level);
  for (let i = 0; i < m; i++) {
    ctx.lineTo(x(r.times[i]), level);
    level = y(r.bytes[i]);
    ctx.lineTo(x(r.times[i]), level);
  }
  ctx.lineTo(x(moment.time), level);
  ctx.strokeStyle = palette.ink;
  ctx.lineWidth = 1.5;
  ctx.setLineDash([4, 3]);
  ctx.stroke();
  ctx.setLineDash([]);
}

/** The figures under the curve, which are also its text alternative. */
export class MemoryFigures {
  constructor(list, canvas) {
    this.canvas = canvas;
    this.cells = {};
    for (const [name, label, swatch] of [
      ["reasoner", "reasoner, in use", "accent"], ["judge", "judge, in use", "judge"], ["reclaimed", "reclaimed by pruning", "dash"],
      ["shared", "shared", ""], ["peak", "peak", ""],
    ]) {
      const value = h("dd");
      this.cells[name] = value;
      list.append(h("div", {}, h("dt", {}, swatch ? h("i", { class: `swatch ${swatch}`, "aria-hidden": "true" }) : null, label), value));
    }
  }

  show(run, m) {
    const size = (blocks, each) => (each > 0 ? bytes(blocks * each) : plural(blocks, "block", "blocks"));
    const reasoner = `${plural(m.blocks, "block", "blocks")}, ${size(m.blocks, run.header?.block_bytes ?? 0)}`;
    const judge = `${plural(m.judgeBlocks, "block", "blocks")}, ${size(m.judgeBlocks, run.header?.judge_block_bytes ?? 0)}`;
    const reclaimed = `${plural(m.reclaimedBlocks, "block", "blocks")}, ${bytes(m.reclaimedBytes)}`;
    text(this.cells.reasoner, reasoner);
    text(this.cells.judge, judge);
    text(this.cells.reclaimed, reclaimed);
    text(this.cells.shared, m.shared > 0 && m.holders > 1 ? `${plural(m.shared, "block", "blocks")} of the question by ${count(m.holders)} traces` : "–");
    text(this.cells.peak, bytes(m.peak));
    this.canvas.setAttribute("aria-label", `KV memory over time. In use: reasoner ${reasoner}; judge ${judge}. Reclaimed: ${reclaimed}. Peak ${bytes(m.peak)}.`);
  }
}
