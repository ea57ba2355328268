// Requests to the server, with the API key where it wants one.

const STORED = "deepprune-key";

export class Api {
  #asking = null;

  /** @param askKey (why) => Promise of a key, or of null for none */
  constructor(askKey) {
    this.askKey = askKey;
  }

  /** The response of a request that succeeded; else an error with its status. */
  async open(path, init = {}) {
    for (;;) {
      const key = sessionStorage.getItem(STORED);
      const headers = new Headers(init.headers);
      if (key) headers.set("Authorization", `Bearer ${key}`);
      const response = await fetch(path, { ...init, headers, cache: "no-store", redirect: "error" });
      if (response.ok) return response;
      const error = await failure(response);
      if (response.status !== 401) throw error;
      // Another request may have been given a new key meanwhile.
      if (sessionStorage.getItem(STORED) !== key) continue;
      this.#asking ??= this.askKey(key ? "The server does not know this key." : "").finally(() => (this.#asking = null));
      const given = await this.#asking;
      if (!given) throw error;
      sessionStorage.setItem(STORED, given);
    }
  }

  async json(path, init) {
    return (await this.open(path, init)).json();
  }
}

/** The error of a response, in OpenAI's shape or as text. */
async function failure(response) {
  let message = "";
  try {
    const body = await response.text();
    try {
      message = JSON.parse(body).error.message;
    } catch {
      message = body;
    }
  } catch {
    // Without a body the status says enough.
  }
  const error = new Error(String(message || response.statusText || "the request failed").slice(0, 500).trim());
  error.status = response.status;
  return error;
}

/** Ignores what a response says until it ends, so that the server goes on. */
export async function drain(response) {
  const reader = response.body.getReader();
  while (!(await reader.read()).done);
}
