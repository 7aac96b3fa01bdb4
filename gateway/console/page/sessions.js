// The running sessions: filters, order, and an end for those that are chosen.

import { address, bytes, counted, duration, el, number, put, say, table } from "./dom.js";
import { confirmKill } from "./kill.js";
import { poll } from "./poll.js";

const SHOWN = 200;
const EVERY = 2000;
const NUMBERS = ["age", "idle", "bytes", "rate"];
const SORTS = { id: "oldest first", age: "age", idle: "idle longest", bytes: "bytes", rate: "bytes a second" };

export function create({ ask, writes, notice }) {
  const fields = {
    service: el("input", { id: "f-service", list: "services", autocomplete: "off", size: 12 }),
    client: el("input", { id: "f-client", placeholder: "address or network", autocomplete: "off", size: 16, inputmode: "text" }),
    server: el("input", { id: "f-server", placeholder: "address or network", autocomplete: "off", size: 16 }),
    zone: el("input", { id: "f-zone", autocomplete: "off", size: 10 }),
    state: el("select", { id: "f-state" }, el("option", { value: "" }, "any"),
      ["alone", "connecting", "open", "leaving", "kernel"].map((each) => el("option", { value: each }, each))),
    age: el("input", { id: "f-age", type: "number", min: 0, placeholder: "s" }),
    idle: el("input", { id: "f-idle", type: "number", min: 0, placeholder: "s" }),
    bytes: el("input", { id: "f-bytes", type: "number", min: 0 }),
    rate: el("input", { id: "f-rate", type: "number", min: 0 }),
    sort: el("select", { id: "f-sort" }, Object.entries(SORTS).map(([value, text]) => el("option", { value }, text))),
  };
  const labels = { service: "Service", client: "Client", server: "Server", zone: "Zone", state: "State", age: "Age ≥",
    idle: "Idle ≥", bytes: "Bytes ≥", rate: "Bytes/s ≥", sort: "Sort by" };
  const names = el("datalist", { id: "services" });
  const count = el("span", { class: "muted" });
  const problem = el("p", { class: "problem", role: "alert" });
  const endFound = el("button", { type: "button", class: "danger", hidden: true }, "End all that match…");
  const results = el("div", { class: "scroll" });
  const field = (key) => el("label", { for: `f-${key}` }, el("span", {}, labels[key]), fields[key]);
  const common = ["service", "client", "server", "sort"];
  const more = el("details", { class: "more" }, el("summary", {}, "More filters"),
    Object.keys(fields).filter((key) => !common.includes(key)).map(field));
  const form = el("form", { class: "filter", role: "search", onsubmit: (event) => event.preventDefault() },
    common.map(field), more, names);
  const node = el("div", {}, el("h1", {}, "Sessions"), form, problem,
    el("p", { class: "summary" }, count, endFound), results);
  const looking = poll(look, EVERY);
  let found = 0;

  function filter() {
    const wanted = {};
    for (const [key, input] of Object.entries(fields)) {
      const value = input.value.trim();
      if (!value || key === "sort") continue;
      wanted[key] = NUMBERS.includes(key) ? Number(value) : value;
    }
    return wanted;
  }

  async function look(wanted) {
    try {
      const told = await ask("sessions", { ...filter(), sort: fields.sort.value, limit: SHOWN });
      if (wanted()) draw(told);
    } catch (error) {
      if (wanted()) say(problem, error.message);
    }
  }

  function draw(told) {
    say(problem, "");
    found = told.found;
    const part = told.sessions.length < told.found ? `, the first ${told.sessions.length} are shown` : "";
    say(count, `${number(told.found)} of ${number(told.running)} sessions${part}`);
    endFound.hidden = !writes() || !told.found || !Object.keys(filter()).length;
    if (!getSelection().isCollapsed && results.contains(getSelection().anchorNode)) return;  // somebody copies
    if (results.contains(document.activeElement) && document.activeElement.matches("button, a")) return refresh(told);
    put(results, rows(told));
  }

  /** The same, but what has the focus keeps it. */
  function refresh(told) {
    const { id } = document.activeElement;
    put(results, rows(told));
    document.getElementById(id)?.focus();
  }

  function rows(told) {
    const rate = (row) => (row.rate ? `${bytes(row.rate.to_client + row.rate.to_server)}/s` : "");
    const columns = [
      { head: "Session", cell: (row) => el("a", { id: `s-${row.id}`, href: `#session/${row.id}`, class: "mono" },
        el("span", {}, address(row.client)), " ", el("span", {}, `→ ${address(row.server)}`)) },
      { head: "Service", cell: (row) => row.service },
      { head: "State", wide: true, cell: (row) => row.state },
      { head: "Age", number: true, cell: (row) => duration(row.age) },
      { head: "Idle", number: true, wide: true, cell: (row) => duration(row.idle) },
      { head: "To client", number: true, wide: true, cell: (row) => bytes(row.bytes.to_client) },
      { head: "To server", number: true, wide: true, cell: (row) => bytes(row.bytes.to_server) },
      { head: "Now", number: true, wide: true, cell: rate },
      { head: "Rule", wide: true, cell: (row) => el("code", { class: "place" }, row.rule) },
    ];
    if (writes()) columns.push({ head: el("span", { class: "hidden" }, "End"), class: "act", cell: (row) =>
      el("button", { type: "button", class: "quiet danger", id: `k-${row.id}`, "aria-label": `End the session ${address(row.client)} → ${address(row.server)}`,
        onclick: () => kill({ id: row.id }, `the session ${address(row.client)} → ${address(row.server)} of ${row.service}`) }, "End…") });
    return table("Running sessions", columns, told.sessions, "No session matches.");
  }

  async function kill(which, what) {
    const told = await confirmKill(ask, which, what);
    if (told) {
      notice(told);
      looking.again();
    }
  }

  endFound.addEventListener("click", () => kill(filter(), `${counted(found, "session")} that match${found === 1 ? "es" : ""}`));
  /** The address of what is shown, for a reload, and for colleagues. */
  function remember() {
    const set = Object.entries(fields).filter(([, input]) => input.value.trim() && input.value !== input.options?.[0].value);
    const query = new URLSearchParams(set.map(([key, input]) => [key, input.value.trim()])).toString();
    history.replaceState(null, "", query ? `#sessions?${query}` : "#sessions");
  }

  form.addEventListener("input", () => {
    remember();
    looking.again(250);
  });

  return {
    node,
    search: fields.client,
    show(_, wanted) {
      if (wanted) {
        for (const input of Object.values(fields)) input.value = input.tagName === "SELECT" ? input.options[0].value : "";
        for (const [key, value] of wanted) if (fields[key]) fields[key].value = value;
        more.open ||= [...wanted.keys()].some((key) => !common.includes(key));
      }
      looking.start();
    },
    hide: looking.stop,
    now(status) {
      const known = Object.keys(status.services);
      if (names.childElementCount !== known.length) put(names, known.map((name) => el("option", { value: name })));
    },
  };
}
