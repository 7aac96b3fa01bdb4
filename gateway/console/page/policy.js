// The policy with its counters: what brought sessions, what denied, and what has matched nothing yet.

import { counted, el, number, put, say, section, table } from "./dom.js";
import { poll } from "./poll.js";

const EVERY = 5000;

export function create({ ask }) {
  const search = el("input", { type: "search", id: "policy-search", placeholder: "service, zone, port, file:line", autocomplete: "off" });
  const never = el("input", { type: "checkbox", id: "policy-never" });
  const count = el("span", { class: "muted" });
  const problem = el("p", { class: "problem", role: "alert" });
  const rules = el("div", { class: "scroll" });
  const others = el("div", { class: "scroll" });
  const node = el("div", {}, el("h1", {}, "Policy"),
    el("form", { class: "filter", onsubmit: (event) => event.preventDefault() },
      el("label", { for: "policy-search" }, "Find"), search,
      el("span", { class: "check" }, never, " ", el("label", { for: "policy-never" }, "only what never matched")), count),
    problem, section("Rules, in deciding order", rules), section("Tests, lists and settings", others));
  let told = null;
  const looking = poll(look, EVERY);

  async function look(wanted) {
    try {
      const answer = await ask("rules");
      if (!wanted()) return;
      told = answer;
      say(problem, "");
      draw();
    } catch (error) {
      say(problem, error.message);
    }
  }

  function draw() {
    if (!told) return;
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matching = (row) => {
      const text = JSON.stringify(Object.values(row)).toLowerCase();
      return words.every((word) => text.includes(word));
    };
    const found = (rows, key) => rows.filter((row) => matching(row) && (!never.checked || row[key] === 0))
      .map((row) => ({ ...row, class: row[key] === 0 ? "never" : null }));
    const unused = (rows, key) => number(rows.filter((row) => row[key] === 0).length);
    say(count, `${unused(told.rules, "sessions")} of ${counted(told.rules.length, "rule")} brought no session yet, `
      + `${unused(told.tests, "hits")} of ${counted(told.tests.length, "test")} matched nothing`);
    put(rules, table("Rules", [
      { head: "Service", cell: (row) => el("a", { href: `#sessions?service=${encodeURIComponent(row.service)}` }, row.service) },
      { head: "Action", class: "action", cell: (row) => row.action },
      { head: "Matches", class: "says", cell: (row) => row.says.map((each) => el("div", {}, each)) },
      { head: "Sessions", number: true, class: "sum", cell: (row) => (row.sessions === null ? "the kernel decides" : [row.sessions ? number(row.sessions) : "none yet", el("span", { class: "narrow" }, " sessions")]) },
      { head: "Where", cell: (row) => el("code", { class: "place" }, row.place) },
    ], found(told.rules, "sessions"), "No rule matches.", "stack"));
    put(others, table("Tests, lists and settings", [
      { head: "Service", cell: (row) => row.service },
      { head: "Where", cell: (row) => el("code", { class: "place" }, row.place) },
      { head: "Matched", number: true, cell: (row) => (row.hits ? number(row.hits) : "never") },
    ], found(told.tests, "hits"), "None."));
  }

  search.addEventListener("input", draw);
  never.addEventListener("change", draw);
  return { node, search, show: looking.start, hide: looking.stop };
}
