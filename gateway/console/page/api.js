// What the page asks of the gateway. A login is a cookie, which no script can read, and a key, which only this origin can.

const KEY = "tproxygw-key";
let key = localStorage.getItem(KEY) ?? "";

/** The gateway answered, but not what was asked for. */
export class Problem extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function send(method, path, body, signal) {
  const headers = { "X-Tproxygw": key || "page" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method, headers, signal, credentials: "same-origin", cache: "no-store", redirect: "error",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The gateway does not answer.");
  }
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    throw new Problem(response.status, told.problem ?? `The gateway said ${response.status}.`);
  }
  return response;
}

const json = async (...request) => (await send(...request)).json();

export const me = () => json("GET", "api/me");

export async function login(token) {
  const told = await json("POST", "api/login", { token });
  key = told.key;
  localStorage.setItem(KEY, key);
  return told;
}

export async function logout() {
  await json("POST", "api/logout", {});
  key = "";
  localStorage.removeItem(KEY);
}

/** An answer to one of the gateway's questions: docs/control.md. */
export async function ask(question, details = {}) {
  const told = await json("POST", "api/ask", { ...details, ask: question });
  if (told.problem) throw new Problem(200, told.problem);
  return told;
}

/**
 * Server-sent events. tell is called with each event's name and data; whoever aborts the signal hears no more.
 * (EventSource can't send the key.)
 */
export async function events(path, details, tell, signal) {
  const response = await send(details ? "POST" : "GET", path, details ?? undefined, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch((error) => {
      if (error.name === "AbortError") throw error;
      return { done: true };
    });
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n");
      const field = (name) => lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
      const data = field("data").join("\n");
      if (data) tell(field("event")[0] ?? "message", JSON.parse(data));
    }
  }
}
