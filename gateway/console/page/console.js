// The page: who is there, which view is shown, and what the gateway says meanwhile.

import * as api from "./api.js";
import { el, put, say } from "./dom.js";
import { Past } from "./past.js";
import * as explain from "./explain.js";
import * as loginView from "./login.js";
import * as now from "./now.js";
import * as policy from "./policy.js";
import * as refusedView from "./refused.js";
import * as sessions from "./sessions.js";
import * as state from "./state.js";
import * as story from "./story.js";

const VIEWS = { now: "Now", sessions: "Sessions", refused: "Refusals", policy: "Policy", explain: "Explain", state: "State" };
const MAKERS = { now, sessions, refused: refusedView, policy, explain, state, session: story };
const AGAIN = 3000;
const RESTS_AFTER = 10000;

const past = new Past();
const refused = new refusedView.Refusals();
const content = document.getElementById("content");
const health = document.getElementById("health");
const views = {};
let visitor = null;
let shown = null;
let last = null;
let hearing = null;

// What views are given

const shared = {
  past,
  refused,
  writes: () => visitor?.right === "write",
  notice,
  async ask(question, details) {
    try {
      return await api.ask(question, details);
    } catch (error) {
      if (error.status === 401) leave();
      throw error;
    }
  },
};

function notice(text) {
  const node = document.getElementById("notice");
  say(node, text);
  node.hidden = !text;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => (node.hidden = true), 8000);
}

// Which view is shown: #now, #sessions?service=web, #session/17

function route() {
  if (!visitor) return;
  const [path, query] = location.hash.slice(1).split("?");
  const [name, detail] = path.split("/");
  const key = Object.hasOwn(MAKERS, name) ? name : "now";
  views[shown]?.hide?.();
  shown = key;
  views[key] ??= MAKERS[key].create(shared);
  put(content, views[key].node);
  document.title = `${VIEWS[key] ?? "Session"} · tproxygw`;
  for (const link of document.querySelectorAll("#views a")) {
    const here = link.hash === `#${key}` || (key === "session" && link.hash === "#sessions");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  views[key].show(detail, query === undefined ? null : new URLSearchParams(query));
  if (last) views[key].now?.(last);
}

// What the gateway says

async function hear() {
  hearing = new AbortController();
  const { signal } = hearing;
  for (;;) {
    try {
      await api.events("api/now", null, heard, signal);
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      if (error.status === 401) return leave();
    }
    if (signal.aborted) return;
    tellHealth("bad", "The gateway does not answer");
    await new Promise((done) => setTimeout(done, AGAIN));
  }
}

// A browser has few connections to one host: a page that nobody sees leaves them to others.

let resting = null;
let rests = false;

document.addEventListener("visibilitychange", () => {
  clearTimeout(resting);
  if (document.hidden) resting = setTimeout(rest, RESTS_AFTER);
  else if (rests) wake();
});

function rest() {
  if (!visitor) return;
  rests = true;
  hearing?.abort();
  views[shown]?.rest?.();
}

function wake() {
  rests = false;
  if (!visitor) return;
  views[shown]?.wake?.();
  hear();
}

function heard(kind, data) {
  if (kind === "past") {
    past.adopt(data);
    refused.adopt(data.refused);
    views[shown]?.pastChanged?.();
    views[shown]?.refusedChanged?.();
  } else if (kind === "now") {
    last = data;
    past.add(data);
    views[shown]?.now?.(data);
    judge(data);
  } else if (kind === "refused") {
    refused.add(data);
    views[shown]?.refusedChanged?.();
  } else if (kind === "left-out") {
    refused.leftOut += data;
    views[shown]?.refusedChanged?.();
  } else if (kind === "over") leave();
}

/** The worst thing, in the bar. */
function judge(status) {
  const down = (status.scanners ?? []).filter((one) => !one.up).length;
  const worst = [
    [!status.divert.installed, "bad", "NOT INSPECTING: the rules are not in force"],
    [status.keeper?.trouble, "bad", "The keeper can't put rules back"],
    [status.policy.broken, "odd", "The configuration is broken: a former policy is in force"],
    [!status.sessions.room, "odd", "No room: new sessions wait"],
    [status.divert.lost, "odd", "This host loses what should be inspected"],
    [status.audit.dropped, "odd", "Audit records were dropped"],
    [down, "odd", `${down} of ${(status.scanners ?? []).length} scanners fail`],
    [status.state !== "running", "odd", status.state],
  ].find(([wrong]) => wrong);
  tellHealth(worst ? worst[1] : "good", worst ? worst[2] : "Inspecting");
}

function tellHealth(kind, text) {
  health.className = `health ${kind}`;
  say(health, text);
}

// Who is there

function enter(told) {
  visitor = told;
  for (const key of Object.keys(views)) delete views[key];
  put(document.getElementById("views"), Object.entries(VIEWS).map(([key, name]) => el("a", { href: `#${key}` }, name)));
  say(document.getElementById("visitor"), `${told.name} (${told.right === "write" ? "may change" : "may look"})`);
  document.getElementById("bar").hidden = false;
  route();
  hear();
}

function leave() {
  if (!visitor) return;
  visitor = null;
  last = null;
  hearing?.abort();
  views[shown]?.hide?.();
  shown = null;
  document.getElementById("bar").hidden = true;
  ask();
}

function ask() {
  document.title = "tproxygw";
  const view = loginView.create(api.login, enter);
  put(content, view.node);
  view.focus();
}

document.getElementById("logout").addEventListener("click", async () => {
  await api.logout().catch(() => {});
  leave();
});

// Light or dark: as the system says, unless the operator does.

const THEMES = ["auto", "light", "dark"];

function useTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  say(button, { auto: "Auto colours", light: "Light", dark: "Dark" }[theme]);
  button.setAttribute("aria-label", `Colours: ${theme}`);
}

document.getElementById("theme").addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
  localStorage.setItem("tproxygw-theme", next);
  useTheme(next);
});

// Keys: 1 to 6 for the views, / for the search.

document.addEventListener("keydown", (event) => {
  if (!visitor || event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea, dialog")) return;
  const view = Object.keys(VIEWS)[Number(event.key) - 1];
  if (view) location.hash = view;
  else if (event.key === "/" && views[shown]?.search) {
    event.preventDefault();
    views[shown].search.focus();
  }
});

addEventListener("hashchange", () => {
  route();
  content.focus({ preventScroll: true });
  scrollTo(0, 0);
});

useTheme(THEMES.includes(localStorage.getItem("tproxygw-theme")) ? localStorage.getItem("tproxygw-theme") : "auto");
api.me().then(enter, ask);
