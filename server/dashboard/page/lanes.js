// The traces as lanes: from left to right goes time, from top to bottom their order.
//
//   12 ━━━━━━━━━━┥ → 3 0.69      ran, was pruned in favour of 3
//   13 ━━━━━━━━━━┿┈┈┈┈┈┈┈┈┈┈     ran, is held
//   14 ━━━━━━━━━━┿━━━━━━━━━━━● 232   was held, went on, finished
//
// A curve leads from the end of a pruned lane to the lane of its keeper.

import { HUES } from "./palette.js";
import { score as scoreText, seconds } from "./format.js";

const AXIS = 22; // height of the time axis
const LEFT = 34; // room for indices
const TURN = 19; // room for curves beside the end of a lane

export class Lanes {
  constructor(host) {
    this.host = host;
    this.canvas = host.querySelector("canvas");
    this.ctx = this.canvas.getContext("2d");
    this.width = 0;
    this.k = 0;
    this.lane = 12; // height of one
    this.y = []; // of each trace's lane, its middle
    this.order = [];
  }

  /** Fits the canvas to its host and to k lanes; true if anything changed. */
  resize(k) {
    const width = Math.floor(this.host.clientWidth);
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    if (width === this.width && k === this.k && ratio === this.ratio) return false;
    if (k !== this.k) {
      this.order = Array.from({ length: k }, (_, i) => i);
      this.y = [];
    }
    this.width = width;
    this.right = width < 480 ? 76 : 94; // room for what is said at the end of a lane
    this.k = k;
    this.ratio = ratio;
    this.lane = Math.max(3, Math.min(22, Math.round(704 / k)));
    this.height = AXIS + k * this.lane + 6;
    this.canvas.width = width * ratio;
    this.canvas.height = this.height * ratio;
    this.canvas.style.height = `${this.height}px`;
    return true;
  }

  /** The order of lanes: that of indices, or the largest cluster first. */
  arrange(moment, by) {
    const order = moment.lanes.map((_, i) => i);
    if (by === "cluster") {
      // Without clusters, traces of one answer have a colour in common.
      const kin = moment.lanes.map((l) => (l.hue >= 0 ? -1 - l.hue : l.keeper));
      const size = new Map();
      for (const key of kin) size.set(key, (size.get(key) ?? 0) + 1);
      const waits = (i) => (moment.lanes[i].state === "not_started" ? 1 : 0);
      const leads = (i) => (moment.lanes[i].keeper === i ? 0 : 1);
      order.sort((a, b) => waits(a) - waits(b) || size.get(kin[b]) - size.get(kin[a]) || kin[a] - kin[b] || leads(a) - leads(b) || a - b);
    }
    this.order = order;
  }

  /** Moves lanes towards their places; true while they are on their way. */
  settle(motion) {
    let moving = false;
    this.order.forEach((i, row) => {
      const to = AXIS + (row + 0.5) * this.lane;
      const from = this.y[i];
      if (!motion || from === undefined || Math.abs(to - from) < 0.5) this.y[i] = to;
      else {
        this.y[i] = from + (to - from) * 0.22;
        moving = true;
      }
    });
    return moving;
  }

  /** The trace at a height of the canvas, -1 for none. */
  at(y) {
    return this.order[Math.floor((y - AXIS) / this.lane)] ?? -1;
  }

  /** The trace so many lanes below another. */
  beside(i, by) {
    const row = this.order.indexOf(i);
    return this.order[Math.max(0, Math.min(this.k - 1, row < 0 ? 0 : row + by))];
  }

  x(time) {
    return LEFT + (time / this.domain) * (this.width - LEFT - this.right);
  }

  /** The time at a width of the canvas. */
  time(x) {
    return Math.max(0, Math.min(1, (x - LEFT) / (this.width - LEFT - this.right))) * this.domain;
  }

  /**
   * Draws a moment. view: {domain, selected, hovered, palette, motion, now}.
   */
  draw(run, moment, view) {
    const { ctx } = this;
    const { palette } = view;
    this.domain = Math.max(1, view.domain);
    ctx.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    ctx.clearRect(0, 0, this.width, this.height);
    ctx.font = `10px ${palette.sans}`;
    ctx.textBaseline = "middle";
    this.#axis(palette);
    const focus = view.selected >= 0 ? view.selected : view.hovered;
    const family = focus >= 0 ? moment.lanes[focus].keeper : -1;
    for (const i of new Set([view.hovered, view.selected])) {
      if (i < 0) continue;
      ctx.fillStyle = palette.band;
      ctx.fillRect(0, this.y[i] - this.lane / 2, this.width, this.lane);
    }
    this.#curves(run, moment, palette, family, focus);
    for (let i = 0; i < this.k; i++) this.#lane(run, moment, i, view);
    if (moment.time < this.domain * 0.999) {
      ctx.fillStyle = palette.accent;
      ctx.globalAlpha = 0.5;
      ctx.fillRect(this.x(moment.time) - 0.5, AXIS - 4, 1, this.height - AXIS);
      ctx.globalAlpha = 1;
    }
    if (view.selected >= 0) {
      ctx.strokeStyle = palette.accent;
      ctx.lineWidth = 1.5;
      ctx.setLineDash([]);
      const h = Math.max(this.lane, 7);
      ctx.strokeRect(1, this.y[view.selected] - h / 2, this.width - 2, h);
    }
  }

  #axis(palette) {
    const { ctx } = this;
    const room = this.width - LEFT - this.right;
    const most = Math.max(2, Math.floor(room / 90));
    const step = niceStep(this.domain / most);
    ctx.textAlign = "center";
    ctx.lineWidth = 1;
    for (let t = 0; t <= this.domain * 1.0001; t += step) {
      const x = Math.round(this.x(t)) + 0.5;
      ctx.strokeStyle = palette.rule;
      ctx.beginPath();
      ctx.moveTo(x, AXIS - 5);
      ctx.lineTo(x, this.height);
      ctx.stroke();
      ctx.fillStyle = palette.faint;
      ctx.fillText(t === 0 ? "0" : seconds(t), x, 8);
    }
  }

  #lane(run, moment, i, view) {
    const { ctx, lane: h } = this;
    const { palette } = view;
    const y = this.y[i];
    const lane = moment.lanes[i];
    const track = run.tracks[i];
    const color = palette.hue(lane.hue);
    const thick = Math.max(1.5, Math.min(7, h * 0.42));
    const every = h >= 10 ? 1 : Math.ceil(12 / h);
    if (h >= 10 ? true : this.order[0] === i || i % (every * 2) === 0 || i === view.selected) {
      ctx.fillStyle = lane.state === "not_started" ? palette.rule : lane.keeper === i && lane.hue >= 0 ? palette.ink : palette.faint;
      if (lane.state === "not_started") ctx.fillStyle = palette.faint;
      ctx.textAlign = "right";
      ctx.fillText(String(i), LEFT - 8, y + 0.5);
    }
    if (lane.state === "not_started") {
      ctx.fillStyle = palette.rule;
      ctx.fillRect(LEFT, y - 0.5, moment.over ? 6 : 10, 1);
      return;
    }
    ctx.lineCap = "butt";
    const pieces = track.segments(moment.time);
    for (const s of pieces) {
      const from = this.x(s.from);
      const to = this.x(s.to);
      if (s.state === "running" && !s.away) {
        ctx.fillStyle = color;
        ctx.fillRect(from, y - thick / 2, Math.max(1, to - from), thick);
        if (lane.hue >= HUES && thick >= 3) {
          ctx.fillStyle = palette.paper;
          ctx.fillRect(from, y - thick / 6, Math.max(0, to - from - 1), thick / 3);
        }
        continue;
      }
      // Waiting: held at its checkpoint, or without its blocks.
      ctx.strokeStyle = color;
      ctx.lineWidth = Math.min(2, thick);
      ctx.globalAlpha = s.away ? 0.35 : 0.75;
      ctx.setLineDash(s.away ? [1, 6] : [2, 4]);
      const last = s === pieces.at(-1) && lane.state === "held";
      ctx.lineDashOffset = last && view.motion ? -(view.now / 90) % 6 : 0;
      ctx.beginPath();
      ctx.moveTo(from, y);
      ctx.lineTo(to, y);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.globalAlpha = 1;
      if (h >= 6) {
        ctx.fillStyle = color;
        ctx.fillRect(from - 1, y - h * 0.36, 2, h * 0.72);
      }
    }
    this.#end(run, moment, i, view, pieces, color, thick);
  }

  /** What is said at the end of a lane. */
  #end(run, moment, i, view, pieces, color, thick) {
    const { ctx, lane: h } = this;
    const { palette } = view;
    const y = this.y[i];
    const lane = moment.lanes[i];
    const end = run.tracks[i].end;
    const shown = end && end.time <= moment.time;
    const x = this.x(shown ? end.time : (pieces.at(-1)?.to ?? 0));
    if (!shown) {
      if (lane.state === "running" && h >= 5) disc(ctx, x, y, Math.max(1.6, thick * 0.62), palette.ink);
      return;
    }
    const room = this.width - x - 8;
    ctx.textAlign = "left";
    if (end.state === "finished" || end.state === "length") {
      disc(ctx, x, y, Math.max(2.5, Math.min(5, h * 0.42)), color);
      if (end.answer === "" || room < 20) return;
      ctx.font = `600 ${h >= 10 ? 12 : 11}px ${palette.sans}`;
      const answer = fit(ctx, end.answer, room - 6);
      this.#plate(answer, x + 9, y, palette);
      ctx.fillStyle = palette.ink;
      ctx.fillText(answer, x + 9, y + 0.5);
      ctx.font = `10px ${palette.sans}`;
      return;
    }
    ctx.fillStyle = color;
    ctx.fillRect(x - 1, y - Math.max(2, h * 0.36), 2, Math.max(4, h * 0.72));
    if (h < 10 && i !== view.selected && i !== view.hovered) return;
    const what = end.state === "pruned" ? (end.keeper >= 0 ? `→ ${end.keeper}  ${scoreText(end.score)}` : end.reason) : end.state;
    const label = fit(ctx, what, this.width - x - TURN);
    ctx.fillStyle = palette.faint;
    ctx.fillText(label, x + TURN, y + 0.5);
  }

  /** Clears the ground under a text that lies over other lanes. */
  #plate(label, x, y, palette) {
    const { ctx } = this;
    ctx.fillStyle = palette.paper;
    ctx.globalAlpha = 0.85;
    ctx.fillRect(x - 2, y - 7, ctx.measureText(label).width + 4, 14);
    ctx.globalAlpha = 1;
  }

  #curves(run, moment, palette, family, focus) {
    const { ctx } = this;
    const fresh = this.domain * 0.05;
    ctx.lineWidth = 1;
    for (let i = 0; i < this.k; i++) {
      const { end } = run.tracks[i];
      if (!end || end.time > moment.time || end.keeper < 0 || end.keeper >= this.k) continue;
      const near = focus >= 0 && (i === focus || end.keeper === focus || (family >= 0 && moment.lanes[i].keeper === family && focus === family));
      const age = (moment.time - end.time) / fresh;
      const alpha = near ? 0.95 : focus >= 0 ? 0.06 : Math.max(moment.over ? 0.2 : 0.16, 0.9 * (1 - age));
      const x = this.x(end.time);
      const from = this.y[i];
      const to = this.y[end.keeper];
      const out = Math.min(TURN, 7 + Math.abs(to - from) * 0.06);
      ctx.strokeStyle = palette.hue(moment.lanes[i].hue);
      ctx.globalAlpha = alpha;
      ctx.beginPath();
      ctx.moveTo(x + 1, from);
      ctx.bezierCurveTo(x + out, from, x + out, to, x + 1, to);
      ctx.stroke();
      if (near || age < 1) disc(ctx, x + 1, to, 2.2, palette.hue(moment.lanes[i].hue));
    }
    ctx.globalAlpha = 1;
  }
}

function disc(ctx, x, y, r, color) {
  ctx.fillStyle = color;
  ctx.beginPath();
  ctx.arc(x, y, r, 0, 2 * Math.PI);
  ctx.fill();
}

/** A text cut to a width. */
function fit(ctx, s, width) {
  const chars = [...s.slice(0, 60)];
  if (chars.length === [...s].length && ctx.measureText(s).width <= width) return s;
  while (chars.length > 1 && ctx.measureText(chars.join("") + "…").width > width) chars.pop();
  return chars.join("") + "…";
}

/** The least of 1, 2, 5 times a power of ten that is at least x. */
export function niceStep(x) {
  const power = 10 ** Math.floor(Math.log10(Math.max(x, 1e-9)));
  for (const m of [1, 2, 5]) if (m * power >= x) return m * power;
  return 10 * power;
}
