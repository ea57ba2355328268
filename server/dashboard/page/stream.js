// Server-sent events over fetch: EventSource cannot send an Authorization header.

/** Splits a text stream into events, as the HTML standard's section 9.2 says. */
export class EventParser {
  #rest = "";
  #data = [];
  #id = "";
  #name = "";
  #cr = false;

  /** Takes the next piece of the stream; the events that are complete with it. */
  push(text) {
    // A line may end in CR, LF or both, and a piece between the two.
    if (this.#cr && text.startsWith("\n")) text = text.slice(1);
    this.#cr = text.endsWith("\r");
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop();
    const events = [];
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length > 0) events.push({ id: this.#id, name: this.#name || "message", data: this.#data.join("\n") });
        this.#data = [];
        this.#name = "";
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue; // a comment, which keeps the connection alive
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
      if (field === "data") this.#data.push(value);
      else if (field === "event") this.#name = value;
      else if (field === "id" && !value.includes("\0")) this.#id = value;
    }
    return events;
  }
}

/** Milliseconds before the n-th attempt in a row, from 0; random in [0, 1). */
export function backoff(n, random) {
  return Math.min(8000, 400 * 2 ** n) * (0.75 + 0.5 * random);
}

function sleep(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

/**
 * Follows a stream until `onEvent` returns true, the signal aborts, or the server
 * refuses it; reconnects where it broke off. Each event's data goes to
 * `onEvent(data)`, and what becomes of the connection to `onState`: "open",
 * "broken", "over" (no more will come) or "refused" with the error.
 *
 * @param open (path, init) => Response, or throws an error with a status
 * @param wait (milliseconds, signal) => Promise, between two attempts
 */
export async function follow(open, path, { onEvent, onState, signal, wait = sleep }) {
  let last = "";
  let failures = 0;
  while (!signal.aborted) {
    try {
      const headers = { Accept: "text/event-stream" };
      if (last !== "") headers["Last-Event-ID"] = last;
      const response = await open(path, { headers, signal });
      if (response.status === 204) {
        onState("over");
        return;
      }
      onState("open");
      const parser = new EventParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        for (const event of parser.push(value)) {
          failures = 0;
          if (event.id !== "") last = event.id;
          if (onEvent(event.data)) {
            reader.cancel().catch(() => {}); // it may have broken meanwhile
            return;
          }
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      // 4xx will not change by asking again, but for too many requests.
      if (error.status >= 400 && error.status < 500 && error.status !== 429) {
        onState("refused", error);
        return;
      }
    }
    if (signal.aborted) return;
    onState("broken");
    await wait(backoff(failures++, Math.random()), signal);
  }
}
