import { backoff, EventParser, follow } from "../page/stream.js";
import { equal, test } from "./harness.js";

const text = ": hello\r\n\r\nid: 1\ndata: {\"a\":1}\n\nevent: x\rdata: two\rdata:  lines\rid: 2\r\rdata\nid\n\nid: bad\0\ndata:ü🙂\n\ndata: unfinished";
const events = [
  { id: "1", name: "message", data: '{"a":1}' },
  { id: "2", name: "x", data: "two\n lines" },
  { id: "", name: "message", data: "" },
  { id: "", name: "message", data: "ü🙂" },
];

test("events, in whatever pieces they come", () => {
  for (let a = 0; a <= text.length; a++) {
    for (const b of [a, Math.min(a + 1, text.length), Math.min(a + 7, text.length)]) {
      const p = new EventParser();
      const got = [...p.push(text.slice(0, a)), ...p.push(text.slice(a, b)), ...p.push(text.slice(b))];
      equal(got, events, `cut at ${a} and ${b}`);
    }
  }
});

test("waiting grows and is bounded", () => {
  for (let n = 0; n < 60; n++) for (const r of [0, 0.5, 0.999]) {
    const ms = backoff(n, r);
    if (!(ms >= 300 && ms <= 10_000)) throw new Error(`attempt ${n}: ${ms} ms`);
  }
  if (!(backoff(3, 0) > backoff(0, 0.999))) throw new Error("it does not grow");
});

const response = (...pieces) => ({
  status: 200,
  body: new ReadableStream({
    start(c) {
      for (const p of pieces) c.enqueue(new TextEncoder().encode(p));
      c.close();
    },
  }),
});

test("a broken stream goes on after the last event", async () => {
  const asked = [];
  const answers = [
    () => response("id: 1\ndata: a\n\n", "id: 2\nda"),
    () => { throw new TypeError("network"); },
    () => response("id: 2\ndata: b\n\nid: 3\ndata: c\n\nid: 4\ndata: d\n\n"),
  ];
  const got = [];
  const states = [];
  await follow(async (path, init) => {
    asked.push(init.headers["Last-Event-ID"] ?? "");
    return answers[asked.length - 1]();
  }, "p", {
    signal: new AbortController().signal, wait: async () => {},
    onEvent: (data) => (got.push(data), data === "c"),
    onState: (s) => states.push(s),
  });
  equal(got, ["a", "b", "c"]);
  equal(asked, ["", "1", "1"]);
  equal(states, ["open", "broken", "broken", "open"]);
});

test("a refusal ends it, too many requests do not", async () => {
  const fail = (status) => Object.assign(new Error("no"), { status });
  let n = 0;
  const states = [];
  await follow(async () => { throw fail([429, 503, 404][n++]); }, "p", { signal: new AbortController().signal, wait: async () => {}, onEvent: () => false, onState: (s, e) => states.push([s, e?.status ?? 0]) });
  equal(states, [["broken", 0], ["broken", 0], ["refused", 404]]);
});

test("204 says that no more will come", async () => {
  const states = [];
  await follow(async () => ({ status: 204 }), "p", { signal: new AbortController().signal, onEvent: () => false, onState: (s) => states.push(s) });
  equal(states, ["over"]);
});

test("an abort ends the wait", async () => {
  const stop = new AbortController();
  await follow(async () => response(""), "p", { signal: stop.signal, onEvent: () => false, onState: (s) => { if (s === "broken") setTimeout(() => stop.abort(), 1); } });
});
