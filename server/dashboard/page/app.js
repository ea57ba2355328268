// Puts the page together: one run is shown at a time, at the player's moment.

import { Api, drain } from "./api.js";
import { $, h, text } from "./dom.js";
import { count, percent, plural, seconds, trace as sentence } from "./format.js";
import { Lanes } from "./lanes.js";
import { drawMemory, MemoryFigures } from "./memory.js";
import { Palette } from "./palette.js";
import { Counts, history, Table, tip, TracePanel, Votes } from "./panels.js";
import { Player, SPEEDS, watchableSpeed } from "./player.js";
import { parseLine, Run } from "./run.js";
import { follow } from "./stream.js";

const recorded = document.documentElement.dataset.source === "file";
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const POLL = 4000; // ms between looks at the list of groups
const PANELS = 120; // ms between changes of what stands in text

const api = new Api(askKey);
const player = new Player();
const palette = new Palette($("probe"));
const lanes = new Lanes($("lanes"));
const counts = new Counts($("counts"));
const votes = new Votes($("votes"), $("votes-note"));
const memory = new MemoryFigures($("memory-figures"), $("memory"));
const panel = new TracePanel($("trace-title"), $("trace-body"), recorded ? null : stopTrace, go);
const table = new Table($("rows"), (i) => { go(i); $("lanes").focus(); });

const view = { domain: 1, selected: -1, hovered: -1, palette, motion: !calm.matches, now: 0 };
let run = null; // the one that is shown
let moment = null;
let complete = false; // no more lines will come
let following = null; // AbortController of the stream
let groups = []; // as listed by the server
let pinned = false; // a group was chosen: newer ones do not replace it
let dirty = true; // the picture is not that of the moment
let stale = true; // nor is the text, which follows more slowly
let panelsAt = 0;
let arrangedAt = 0;
let unread = 0; // lines that were not JSON

// ---- which group is shown

function fromHash() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  return { group: wanted.get("group"), speed: Number(wanted.get("speed")) };
}

function open(id) {
  following?.abort();
  following = new AbortController();
  run = new Run(Number(id));
  complete = false;
  unread = 0;
  moment = null;
  view.selected = view.hovered = -1;
  view.domain = 1;
  player.playing = false;
  player.time = 0;
  player.follow();
  counts.clear();
  notice("run");
  $("empty").hidden = true;
  $("group").hidden = false;
  $("tip").hidden = true;
  const { signal } = following;
  const mine = run;
  follow((path, init) => api.open(path, init), `v1/groups/${encodeURIComponent(id)}/events`, {
    signal,
    onEvent(data) {
      try {
        mine.add(parseLine(data));
      } catch {
        unread++;
        notice("run", `${plural(unread, "line of the journal", "lines of the journal")} could not be read.`);
      }
      dirty = true;
      if (mine.done) ended();
      return mine.done;
    },
    onState(state, error) {
      if (signal.aborted) return;
      if (state === "open") link("open");
      else if (state === "broken") link("broken");
      else if (state === "over") ended();
      else refused(error);
    },
  });
  showHistory();
}

/** All lines that will come have come. */
function ended() {
  if (complete) return;
  complete = true;
  dirty = true;
  const { speed } = fromHash();
  setSpeed(speed > 0 ? speed : watchableSpeed(run.end));
  if (recorded && !calm.matches) {
    player.seek(0);
    player.playing = true;
  } else {
    player.tick(0, run.end, true);
  }
  if (!run.done) notice("run", "The journal ends before the group does.");
  if (!recorded) look();
}

function refused(error) {
  complete = true;
  player.live = false;
  dirty = true;
  notice("run", error.status === 404 ? "The server does not have this group any more. What it sent before is shown." : error.message);
  if (!run.begun) showEmpty();
}

function showEmpty() {
  $("group").hidden = true;
  $("empty").hidden = false;
}

// ---- the list of groups

async function look() {
  try {
    const reply = await api.json("v1/groups");
    groups = (reply.data ?? []).map((g) => ({
      id: g.id, question: String(g.question ?? ""), status: String(g.status ?? g.state ?? ""), answer: String(g.answer ?? ""),
      policy: String(g.policy ?? ""), k: Number(g.k ?? g.traces) || 0,
    }));
    groups.sort((a, b) => Number(b.id) - Number(a.id));
    notice("list");
    if (reply.damaged?.length > 0) notice("damaged", `${plural(reply.damaged.length, "damaged line was", "damaged lines were")} skipped: ${reply.damaged.slice(0, 3).join("; ")}`);
    link("open");
  } catch (error) {
    if (error.status === 401) notice("list", "The server wants an API key. ", h("button", { type: "button", class: "inline", onclick: look }, "Enter one"));
    else if (error.status) notice("list", `The list of groups: ${error.message}`);
    else link("broken");
    return;
  }
  const latest = groups[0];
  if (!run && !latest) showEmpty();
  else if (latest && !pinned && (!run || (complete && !player.playing && String(run.id) !== String(latest.id)))) open(latest.id);
  showHistory();
}

function showHistory() {
  history($("history"), groups, run?.id);
}

// ---- asking and stopping

async function ask(event) {
  event.preventDefault();
  const button = $("ask").querySelector("button");
  button.disabled = true;
  try {
    notice("ask");
    const models = await api.json("v1/models");
    const request = JSON.stringify({
      model: String(models.data?.[0]?.id ?? ""), stream: true,
      messages: [{ role: "user", content: $("ask-question").value.trim() }],
      deepprune: { traces: Number($("ask-k").value), policy: $("ask-policy").value.trim() },
    });
    // A seed has up to 64 bits, more than a number of JavaScript holds.
    const seed = $("ask-seed").value.replace(/^0+(?=.)/, "");
    const response = await api.open("v1/chat/completions", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: `${request.slice(0, -1)},"seed":${seed}}`,
    });
    drain(response).catch(() => {}).finally(look);
    const id = response.headers.get("Deepprune-Group");
    window.history.replaceState(null, "", location.pathname + location.search);
    pinned = false; // newer groups may take its place
    if (id) open(id);
    look();
  } catch (error) {
    notice("ask", error.message);
  } finally {
    button.disabled = false;
  }
}

async function stop(path, what) {
  try {
    await api.open(path, { method: "DELETE" });
  } catch (error) {
    notice("ask", `Stopping ${what}: ${error.message}`);
  }
}

function stopTrace(i) {
  stop(`v1/groups/${run.id}/traces/${i}`, `trace ${i}`);
}

// ---- words to the reader

const notices = new Map(); // by topic, so that one does not hide another

/** Says something at the top of the page until it is taken back by saying nothing. */
function notice(topic, ...parts) {
  const words = (list) => list?.map((e) => e.textContent ?? e).join("");
  if (words(notices.get(topic)) === (parts.length > 0 ? words(parts) : undefined)) return; // said already
  if (parts.length === 0) notices.delete(topic);
  else notices.set(topic, parts);
  const box = $("notice");
  box.hidden = notices.size === 0;
  box.replaceChildren(...[...notices.values()].map((each) => h("span", {}, ...each)));
}

function link(state) {
  const words = { open: recorded ? "recorded" : "connected", broken: "connection lost, trying again" };
  $("link").dataset.state = state;
  text($("link"), words[state]);
}

function askKey(why) {
  const dialog = $("key-dialog");
  text($("key-why"), `${why} This server asks for a key. It is kept in this tab until it is closed.`.trim());
  $("key").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "use" ? $("key").value.trim() : null), { once: true });
  });
}

// ---- lanes by pointer and keys

function go(i) {
  view.selected = i;
  dirty = true;
  panelsAt = 0;
  announce();
}

let option = "a";

/** Tells assistive technology which lane is selected: two options take turns. */
function announce() {
  if (!moment || view.selected < 0) return;
  $(`option-${option}`).setAttribute("aria-selected", "false");
  option = option === "a" ? "b" : "a";
  const e = $(`option-${option}`);
  e.textContent = sentence(run, moment, view.selected);
  e.setAttribute("aria-selected", "true");
  e.setAttribute("aria-posinset", lanes.order.indexOf(view.selected) + 1);
  e.setAttribute("aria-setsize", run.k);
  $("lanes").setAttribute("aria-activedescendant", e.id);
}

function showTip() {
  const box = $("tip");
  const focused = document.activeElement === $("lanes");
  const i = view.hovered >= 0 ? view.hovered : focused ? view.selected : -1;
  box.hidden = i < 0 || !moment;
  if (box.hidden) return;
  box.replaceChildren(...tip(run, moment, i));
  const width = Math.min(340, lanes.width - 16);
  box.style.width = `${width}px`;
  const end = run.tracks[i].end;
  const x = view.hovered >= 0 ? view.pointerX : lanes.x(Math.min(moment.time, end ? end.time : moment.time));
  box.style.left = `${Math.max(8, Math.min(lanes.width - width - 8, x - width / 2))}px`;
  const below = lanes.y[i] + lanes.lane / 2 + 8;
  const fits = below + box.offsetHeight < lanes.height || lanes.y[i] < box.offsetHeight + 30;
  box.style.top = `${fits ? below : lanes.y[i] - lanes.lane / 2 - box.offsetHeight - 8}px`;
}

function onKey(event) {
  if (!moment || event.altKey || event.ctrlKey || event.metaKey) return;
  const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -run.k, End: run.k }[event.key];
  const at = view.selected;
  if (by !== undefined) go(at < 0 ? lanes.order[by < 0 && event.key !== "Home" ? run.k - 1 : 0] : lanes.beside(at, by));
  else if (event.key === "ArrowLeft" || event.key === "ArrowRight") seek(player.time + (event.key === "ArrowRight" ? 0.02 : -0.02) * run.end);
  else if (event.key === " ") play();
  else if (event.key === "Escape") go(-1);
  else if (event.key === "Enter" && at >= 0) $("trace").focus();
  else if (event.key.toLowerCase() === "k" && at >= 0) go(moment.lanes[at].keeper);
  else return;
  event.preventDefault();
}

// ---- playing

function play() {
  player.toggle(run.end);
  dirty = true;
}

function seek(time) {
  player.playing = false;
  player.seek(Math.max(0, Math.min(run.end, time)));
  dirty = true;
}

function setSpeed(speed) {
  player.speed = speed;
  const select = $("speed");
  const known = [...select.options].some((o) => Number(o.value) === speed);
  if (!known) select.append(h("option", { value: speed }, `×${speed}`));
  select.value = String(speed);
}

function showPlayer() {
  const atEnd = player.time >= run.end;
  text($("play"), player.playing || player.live ? "Pause" : atEnd ? "Replay" : "Play");
  const scrub = $("scrub");
  if (document.activeElement !== scrub || player.playing || player.live) scrub.value = run.end > 0 ? Math.round((1000 * player.time) / run.end) : 0;
  const words = `${seconds(player.time)} of ${seconds(run.end)}`;
  scrub.setAttribute("aria-valuetext", words);
  text($("clock"), `${seconds(player.time)} / ${seconds(run.end)}`);
  $("live").hidden = complete || player.live;
  $("stop").hidden = recorded || complete || run.done;
}

// ---- the picture

function show() {
  const { over, saved } = moment;
  text($("question"), run.question || "A prompt of token ids");
  text($("about"), [`Group ${run.id}`, run.policy, plural(run.k, "trace", "traces"), `seed ${run.seed}`, over ? "finished" : `step ${count(moment.step)}`].join(" · "));
  if (run.header) text($("engine"), [run.header.model, run.header.judge, run.header.device?.name].filter(Boolean).join(" · "));
  document.title = `${over && moment.answer ? `${moment.answer.slice(0, 40)} · ` : ""}deepprune`;
  showAnswer();
  const known = saved.tokens > 0 || over;
  const atLeast = saved.basis === "longest" && saved.tokens > 0;
  text($("saved-label"), over ? "Tokens saved, estimated" : "Tokens saved so far, estimated");
  text($("saved"), !known ? "–" : (atLeast ? "≥ " : "") + percent(saved.share));
  $("saved").classList.toggle("open", !known);
  $("saved-bar").hidden = !known;
  $("saved-bar").firstElementChild.style.width = `${100 * (1 - saved.share)}%`;
  text($("saved-note"), savedNote(saved, over));
  counts.show(moment.counts, over);
  votes.show(run, moment);
  memory.show(run, moment.memory);
  panel.show(run, moment, view.selected >= 0 ? view.selected : view.hovered);
  if ($("as-table").open) table.show(run, moment);
  showText();
}

function showAnswer() {
  const { over, answer, votes: list, counted } = moment;
  const total = list.reduce((sum, v) => sum + v.weight, 0);
  $("answer").classList.toggle("long", answer.length > 24 || answer === "");
  $("answer").classList.toggle("open", !over);
  text($("answer-label"), over || answer === "" ? "Answer" : "Leading");
  text($("answer"), answer !== "" ? answer : over ? "none" : "not yet");
  const share = total > 0 ? percent(list[0].weight / total) : "";
  text($("answer-note"), total === 0 ? "" : counted === "weight" ? `${share} of the vote` : `${share} of ${plural(total, "answer", "answers")} so far`);
  $("warning").hidden = moment.warning === "";
  text($("warning"), moment.warning);
}

function savedNote(saved, over) {
  if (saved.tokens === 0 && over) return `${count(moment.generated)} generated; nothing was stopped early.`;
  if (saved.tokens === 0) return `${count(moment.generated)} generated so far.${moment.counts.pruned > 0 ? " What the stopped traces save shows when others grow longer." : ""}`;
  const basis = saved.basis === "longest" ? `as long as the longest so far, ${count(saved.mean)}; none has finished`
    : saved.ended === 1 ? `as long as the one that finished, ${count(saved.mean)}` : `as long as the ${count(saved.ended)} that finished, ${count(saved.mean)} on average`;
  const judge = saved.withJudge === null || moment.pairs === 0 ? "" : ` With the judge’s work counted: ${percent(saved.withJudge)}.`;
  return `${count(moment.generated)} generated, instead of about ${count(saved.whole)} if each stopped trace had become ${basis}.${judge}`;
}

// The text of the selected trace, where the server can tell it.
let words = { key: "", busy: false, able: true };

async function showText() {
  const i = view.selected;
  const n = i < 0 ? 0 : moment.lanes[i].tokens;
  const key = `${run.id}/${i}/${n}`;
  if (n === 0) panel.write("");
  if (!words.able || words.busy || n === 0 || key === words.key) return;
  words.busy = true;
  try {
    const reply = await api.json("detokenize", {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ model: run.header?.model, tokens: run.tracks[i].tokens.slice(0, n) }),
    });
    words.key = key;
    if (view.selected === i) panel.write(String(reply.prompt ?? ""));
  } catch (error) {
    if (error.status === 404 || error.status === 405) words.able = false;
    panel.write("");
  } finally {
    words.busy = false;
    panelsAt = 0;
    dirty = true;
  }
}

let last = performance.now();

function frame(now) {
  requestAnimationFrame(frame);
  const elapsed = Math.min(100, now - last);
  last = now;
  if (!run?.begun) return;
  const before = player.time;
  player.tick(elapsed, run.end, complete);
  view.now = now;
  const moving = player.time !== before;
  const waiting = view.motion && moment !== null && !moment.over && !complete && moment.counts.held > 0;
  if (!moment || moving || dirty) moment = run.at(player.time);
  const want = complete ? run.end : Math.max(50, run.end * 1.06);
  view.domain = want;
  if (lanes.resize(run.k)) dirty = true;
  if (now - arrangedAt > 300 || dirty) {
    lanes.arrange(moment, $("order").value);
    arrangedAt = now;
  }
  const settling = lanes.settle(view.motion);
  if (moving || dirty || settling || waiting || player.live) {
    lanes.draw(run, moment, view);
    drawMemory($("memory"), run, moment, view.domain, palette);
    showPlayer();
  }
  stale ||= dirty || moving;
  dirty = false;
  if (stale && now - panelsAt > PANELS) {
    stale = false;
    panelsAt = now;
    show();
    showTip();
  }
}

// ---- theme

const THEMES = ["system", "light", "dark"];

function theme(name) {
  document.documentElement.dataset.theme = name;
  text($("theme"), `Theme: ${name}`);
  palette.read();
  dirty = true;
}

function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // storage is switched off
  }
}

// ---- begin

function start() {
  theme(THEMES.includes(stored("deepprune-theme")) ? stored("deepprune-theme") : "system");
  $("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    theme(next);
    try {
      localStorage.setItem("deepprune-theme", next);
    } catch {
      // It lasts until the page is closed, then.
    }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { palette.read(); dirty = true; });
  calm.addEventListener("change", () => { view.motion = !calm.matches; dirty = true; });
  addEventListener("resize", () => { dirty = true; });

  for (const s of SPEEDS) $("speed").append(h("option", { value: s }, `×${s}`));
  setSpeed(1);
  $("speed").addEventListener("change", () => { player.speed = Number($("speed").value); });
  $("play").addEventListener("click", play);
  $("scrub").addEventListener("input", () => seek((Number($("scrub").value) / 1000) * run.end));
  $("live").addEventListener("click", () => { player.follow(); dirty = true; });
  $("stop").addEventListener("click", () => stop(`v1/groups/${run.id}`, `group ${run.id}`));
  $("order").addEventListener("change", () => { dirty = true; });
  $("as-table").addEventListener("toggle", () => { panelsAt = 0; dirty = true; });

  const host = $("lanes");
  const point = (event) => {
    const box = host.querySelector("canvas").getBoundingClientRect();
    view.pointerX = event.clientX - box.left;
    return lanes.at(event.clientY - box.top);
  };
  host.addEventListener("pointermove", (event) => { if (moment) { view.hovered = point(event); panelsAt = 0; dirty = true; } });
  host.addEventListener("pointerleave", () => { view.hovered = -1; panelsAt = 0; dirty = true; });
  host.addEventListener("click", (event) => { if (moment) go(point(event)); });
  host.addEventListener("keydown", onKey);
  host.addEventListener("focus", () => { if (moment && view.selected < 0) go(lanes.order[0]); panelsAt = 0; dirty = true; });
  host.addEventListener("blur", () => { panelsAt = 0; dirty = true; });

  $("key-dialog").querySelector("form").addEventListener("submit", () => { $("key-dialog").returnValue = "use"; });
  $("key-cancel").addEventListener("click", () => $("key-dialog").close());

  if (!recorded) {
    $("ask").hidden = false;
    $("ask").addEventListener("submit", ask);
    $("ask-question").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        $("ask").requestSubmit();
      }
    });
    for (const q of ["What is (12 + 7) * 3 - 8?", "Tom has 24 apples. Then he buys 3 packs of 7 apples. How many apples does Tom have now?"]) {
      $("examples").append(h("button", { type: "button", class: "quiet", onclick: () => { $("ask-question").value = q; $("ask-question").focus(); } }, q));
    }
  }
  addEventListener("hashchange", choose);
  choose();
  requestAnimationFrame(frame);
  look();
  if (!recorded) setInterval(() => { if (!document.hidden) look(); }, POLL);
}

function choose() {
  const { group } = fromHash();
  pinned = group !== null && /^\d+$/.test(group);
  if (pinned && String(run?.id) !== group) open(group);
}

start();
