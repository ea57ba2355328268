// What stands beside the lanes: counts, vote, one trace, the table, the history.

import { h, text } from "./dom.js";
import { count, percent, plural, score, state, trace as sentence } from "./format.js";
import { HUES } from "./palette.js";

const hueClass = (n) => (n < 0 ? "hue-none" : `hue-${n % HUES}${n >= HUES ? " hollow" : ""}`);

/** How many traces are in which state. */
export class Counts {
  #cells = new Map();

  constructor(list) {
    this.list = list;
  }

  show(counts, over) {
    for (const [name, n] of Object.entries(counts)) {
      let cell = this.#cells.get(name);
      if (!cell && n === 0) continue;
      if (!cell) {
        cell = { item: h("li", { class: `state-${name}` }), n: h("b"), word: h("span") };
        cell.item.append(h("i", { class: "glyph", "aria-hidden": "true" }), cell.n, " ", cell.word);
        this.#cells.set(name, cell);
        const order = Object.keys(counts);
        const next = [...this.#cells].find(([other]) => order.indexOf(other) > order.indexOf(name));
        this.list.insertBefore(cell.item, next?.[1].item ?? null);
      }
      cell.item.hidden = n === 0;
      text(cell.n, count(n));
      text(cell.word, state(name, over));
    }
  }

  clear() {
    this.#cells.clear();
    this.list.replaceChildren();
  }
}

/** The vote: a bar for each answer, the heaviest first. */
export class Votes {
  #shown = "";

  constructor(list, note) {
    this.list = list;
    this.note = note;
  }

  show(run, moment) {
    const { votes, counted, over } = { ...moment };
    const total = votes.reduce((sum, v) => sum + v.weight, 0);
    const hues = votes.map((v) => run.answerHue(v.answer, moment.time));
    const key = JSON.stringify([votes, hues, counted, over]);
    if (key === this.#shown) return;
    this.#shown = key;
    const most = 8;
    const items = votes.slice(0, most).map((v, i) => {
      const share = total > 0 ? v.weight / total : 0;
      const bar = h("i", { class: `bar ${hueClass(hues[i])}`, "aria-hidden": "true" });
      bar.style.width = `${100 * share}%`;
      const weight = counted === "weight" ? `weight ${Number(v.weight.toFixed(2))} from ` : "";
      return h("li", { class: i === 0 ? "first" : "" },
        h("span", { class: "vote-answer", title: v.answer }, v.answer),
        h("span", { class: "vote-share" }, percent(share)),
        h("span", { class: "vote-bar" }, bar),
        h("span", { class: "faint vote-note" }, weight + plural(v.traces.length, "trace", "traces")));
    });
    if (votes.length > most) items.push(h("li", { class: "faint" }, `and ${plural(votes.length - most, "more answer", "more answers")}`));
    this.list.replaceChildren(...items);
    text(this.note, votes.length === 0 ? (over ? "No trace gave an answer." : "No trace has finished yet.")
      : counted === "weight" ? "" : over ? "Answers counted; the journal has no weights." : "Answers so far, each counted once.");
  }
}

/** Everything about one trace. */
export class TracePanel {
  #key = "";
  #text = h("p", { class: "trace-text", tabindex: "0", "aria-label": "Text of the trace" });

  /** @param stop (index) => void, or null where traces cannot be stopped */
  constructor(title, body, stop, go) {
    Object.assign(this, { title, body, stop, go });
    this.empty = [...body.childNodes];
  }

  show(run, moment, i) {
    const key = i < 0 ? "none" : JSON.stringify([run.id, i, moment.lanes[i], moment.over, run.tracks[i].verdicts.filter((v) => v.time <= moment.time).length]);
    if (key === this.#key) return;
    this.#key = key;
    if (i < 0) {
      text(this.title, "Trace");
      this.body.replaceChildren(...this.empty);
      return;
    }
    const lane = moment.lanes[i];
    const track = run.tracks[i];
    const end = track.end && track.end.time <= moment.time ? track.end : null;
    const held = document.activeElement && this.body.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const link = (to) => h("button", { type: "button", class: "inline", "data-key": `go-${to}`, onclick: () => this.go(to) }, `trace ${to}`);
    text(this.title, `Trace ${i}`);
    const facts = h("dl", { class: "figures" });
    const fact = (name, ...value) => facts.append(h("div", {}, h("dt", {}, name), h("dd", {}, ...value)));
    fact("state", h("i", { class: `dot ${hueClass(lane.hue)}`, "aria-hidden": "true" }), state(lane.state, moment.over));
    fact("tokens", count(lane.tokens));
    if (lane.keeper !== i) fact("cluster of", link(lane.keeper));
    const followers = moment.lanes.filter((l, n) => l.keeper === i && n !== i).length;
    if (followers > 0) fact("keeper of", plural(followers, "trace", "traces"));
    if (end?.state === "pruned") {
      if (end.keeper >= 0) fact("pruned for", link(end.keeper), `, similarity ${score(end.score)}`);
      fact("at", `token ${count(end.tokens)}, step ${count(end.step)}`);
      if (end.reason) fact("because", end.reason);
    }
    if (end?.answer) fact("answer", h("b", {}, end.answer));
    const verdicts = track.verdicts.filter((v) => v.time <= moment.time);
    const parts = [facts];
    if (verdicts.length > 0) {
      parts.push(h("h3", {}, "Judge"), h("ol", { class: "verdicts" }, ...verdicts.slice(-40).map((v) => {
        const mark = h("i", { class: "score", "aria-hidden": "true" }, h("i", { class: v.score > run.threshold ? "same" : "" }));
        mark.firstChild.style.width = `${100 * Math.max(0, Math.min(1, v.score ?? 0))}%`;
        return h("li", {}, h("span", {}, "with ", String(v.keeper)), mark, h("span", { class: "num" }, score(v.score)), h("span", { class: "faint num" }, `step ${count(v.step)}`));
      })));
    }
    parts.push(this.#text);
    if (this.stop && !run.done && ["running", "held", "not_started"].includes(lane.state)) {
      parts.push(h("p", {}, h("button", { type: "button", class: "danger", "data-key": "stop", onclick: () => this.stop(i) }, `Stop trace ${i}`)));
    }
    this.body.replaceChildren(...parts);
    if (held) this.body.querySelector(`[data-key="${held}"]`)?.focus();
  }

  /** The text of the trace that is shown, "" for none. */
  write(value) {
    this.#text.hidden = value === "";
    text(this.#text, value);
  }
}

/** What is shown beside a lane under the pointer or the keys. */
export function tip(run, moment, i) {
  const out = [h("p", {}, sentence(run, moment, i))];
  const verdicts = run.tracks[i].verdicts.filter((v) => v.time <= moment.time);
  if (verdicts.length > 0) {
    const shown = verdicts.slice(-6);
    const more = verdicts.length - shown.length;
    out.push(h("p", { class: "faint" }, "judge: " + (more > 0 ? `${more} earlier; ` : "") + shown.map((v) => `${score(v.score)} with ${v.keeper} (step ${count(v.step)})`).join(", ")));
  }
  return out;
}

/** The traces as a table, the text alternative of the lanes. */
export class Table {
  #rows = [];
  #run = null;

  constructor(body, go) {
    this.body = body;
    this.go = go;
  }

  show(run, moment) {
    if (run !== this.#run || this.#rows.length !== run.k) {
      this.#run = run;
      this.#rows = Array.from({ length: run.k }, (_, i) => {
        const cells = Array.from({ length: 7 }, () => h("td"));
        const row = h("tr", {}, h("th", { scope: "row" }, h("button", { type: "button", class: "inline", "aria-label": `Go to trace ${i}`, onclick: () => this.go(i) }, String(i))), ...cells);
        return { row, cells };
      });
      this.body.replaceChildren(...this.#rows.map((r) => r.row));
    }
    moment.lanes.forEach((lane, i) => {
      const end = run.tracks[i].end && run.tracks[i].end.time <= moment.time ? run.tracks[i].end : null;
      const pruned = end?.state === "pruned" && end.keeper >= 0;
      const values = [
        state(lane.state, moment.over), count(lane.tokens), lane.keeper !== i || lane.hue >= 0 ? String(lane.keeper) : "",
        pruned ? String(end.keeper) : "", pruned ? score(end.score) : "", end ? count(end.step) : "", end?.answer ?? "",
      ];
      values.forEach((v, n) => text(this.#rows[i].cells[n], v));
    });
  }
}

/** The groups that the server knows, the latest first. */
export function history(list, groups, current) {
  const key = JSON.stringify([groups, current]);
  if (list.dataset.key === key) return;
  const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  list.dataset.key = key;
  list.replaceChildren(...groups.map((g) => {
    const href = `#group=${encodeURIComponent(g.id)}`;
    const detail = [g.answer ? `answer ${g.answer}` : g.status, plural(g.k, "trace", "traces"), g.policy].filter(Boolean).join(" · ");
    return h("li", {}, h("a", { href, "aria-current": String(g.id) === String(current) ? "page" : null },
      h("span", { class: "history-question" }, g.question || `group ${g.id}`), h("span", { class: "faint" }, detail)));
  }));
  if (focused) list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}
