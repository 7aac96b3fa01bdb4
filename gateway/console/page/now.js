// What happens now: figures, the last hour, services, and what was refused last.

import { address, brief, bytes, count, duration, el, number, put, say, section, table } from "./dom.js";
import { chart } from "./charts.js";
import { figures, total } from "./past.js";
import { poll } from "./poll.js";
import { line } from "./records.js";

const SHOWN = 8;
const BUSIEST = 6;
const EVERY = 5000;

export function create({ ask, past, refused }) {
  const tiles = {};
  const tile = (key, name) => {
    tiles[key] = { value: el("span", { class: "value" }), more: el("span", { class: "more" }) };
    return el("div", { class: "tile" }, el("span", { class: "name" }, name), tiles[key].value, tiles[key].more);
  };
  const charts = {
    running: chart("Sessions", "that run, by service", brief),
    ended: chart("Ended", "sessions a minute, by verdict", brief, { bars: true }),
    traffic: chart("Traffic", "bytes a second, of sessions that ended", bytes, { least: 1000 }),
  };
  const services = el("div", { class: "scroll" });
  const busiest = el("div", { class: "scroll" });
  const list = el("ul", { class: "records" });
  const looking = poll(look, EVERY);
  const node = el("div", { class: "now" },
    el("h1", { class: "hidden" }, "Now"),
    el("div", { class: "tiles" },
      tile("running", "Sessions"), tile("new", "Ended"), tile("denied", "Denied"), tile("refused", "Refused at once"), tile("up", "Up")),
    el("div", { class: "charts" }, Object.values(charts).map((each) => each.node)),
    el("div", { class: "columns" },
      el("div", {}, section("Services", services), section("Busiest sessions", busiest)),
      section("Last refusals", list, el("p", {}, el("a", { href: "#refused" }, "All that are kept")))));

  function draw() {
    charts.running.draw(past.running());
    charts.ended.draw(past.ended());
    charts.traffic.draw(past.traffic());
  }

  function tell(key, value, more) {
    say(tiles[key].value, value);
    say(tiles[key].more, more);
  }

  function drawServices(status) {
    const rows = Object.entries(status.services).map(([name, each]) => ({ name, ...each, all: total(each.ended) }))
      .sort((a, b) => b.running - a.running || b.all - a.all || a.name.localeCompare(b.name));
    put(services, table("Services", [
      { head: "Service", cell: (row) => el("a", { href: `#sessions?service=${encodeURIComponent(row.name)}` }, row.name) },
      { head: "Running", number: true, cell: (row) => count(row.running) },
      { head: "Ended", number: true, cell: (row) => count(row.all) },
      { head: "Denied", number: true, cell: (row) => count(row.ended.denied, "denied") },
      { head: "In part", number: true, wide: true, cell: (row) => count(row.ended["passed-in-part"], "denied") },
      { head: "Failed", number: true, cell: (row) => count(row.ended.failed, "failed") },
      { head: "Broken", number: true, wide: true, cell: (row) => count(row.ended.broken, "broken") },
      { head: "To clients", number: true, wide: true, cell: (row) => amount(row.bytes.to_client) },
      { head: "To servers", number: true, wide: true, cell: (row) => amount(row.bytes.to_server) },
    ], rows, "The policy has no service."));
  }

  const amount = (value) => (value ? bytes(value) : count(0));

  async function look(wanted) {
    const told = await ask("sessions", { sort: "rate", limit: BUSIEST }).catch(() => null);
    if (!told || !wanted()) return;
    const rate = (row) => (row.rate ? row.rate.to_client + row.rate.to_server : 0);
    put(busiest, table("Busiest sessions", [
      { head: "Session", cell: (row) => el("a", { class: "mono", href: `#session/${row.id}` },
        el("span", {}, address(row.client)), " ", el("span", {}, `→ ${address(row.server)}`)) },
      { head: "Service", cell: (row) => row.service },
      { head: "So far", number: true, wide: true, cell: (row) => bytes(row.bytes.to_client + row.bytes.to_server) },
      { head: "Now", number: true, cell: (row) => `${bytes(rate(row))}/s` },
    ], told.sessions.filter(rate), "Nothing is being sent."));
  }

  function drawRefused() {
    const records = refused.records.slice(-SHOWN).reverse();
    put(list, records.length ? records.map((record) => line(record)) : el("li", { class: "empty" }, "Nothing was refused."));
  }

  return {
    node,
    show() {
      draw();
      drawRefused();
      looking.start();
    },
    hide: looking.stop,
    refusedChanged: drawRefused,
    pastChanged: draw,
    now(status) {
      const perMinute = (of) => past.rate(of, status) * 60;
      const now = figures(status);
      const { running, most, in_kernel: carried } = status.sessions;
      tell("running", number(running), `of ${number(most)}${carried ? `, ${number(carried)} in the kernel` : ""}`);
      tell("new", brief(perMinute((one) => total(one.ended))), `a minute, ${brief(total(now.ended))} in all`);
      tell("denied", brief(perMinute((one) => one.ended.denied ?? 0)), `a minute, ${brief(now.ended.denied ?? 0)} in all`);
      tell("refused", brief(perMinute((one) => one.refused)), `a minute, ${brief(now.refused)} in all`);
      tell("up", duration(status.now - status.started), `version ${status.version}`);
      drawServices(status);
      draw();
    },
  };
}
