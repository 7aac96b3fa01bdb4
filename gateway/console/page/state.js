// How the gateway itself is: divert, keeper, workers, scanners, audit, policy.

import { bytes, counted, duration, el, facts, number, put, section, table, time, word } from "./dom.js";

export function create({ ask, writes, notice }) {
  const body = el("div", {});
  const reload = el("button", { type: "button", hidden: true, id: "reload" }, "Reload the policy");
  const problem = el("pre", { class: "problem", role: "alert", hidden: true });
  const node = el("div", {}, el("h1", {}, "State"), el("p", { class: "summary" }, reload), problem, body);

  reload.addEventListener("click", async () => {
    reload.disabled = true;
    problem.hidden = true;
    try {
      await ask("reload");
      notice("Reloaded: the new policy is in force.");
    } catch (error) {
      problem.textContent = `Not reloaded, the former policy is still in force:\n${error.message}`;
      problem.hidden = false;
    } finally {
      reload.disabled = false;
    }
  });

  const good = (well, yes, no) => word(well ? yes : no, well ? "good" : "bad");

  function divert(status) {
    const { divert: one, keeper } = status;
    return section("Divert", facts([
      ["Rules", good(one.installed, "in force", "NOT in force")],
      ["Lost", one.lost ? word(`${counted(one.lost, "kind")} of packets: see tproxygw doctor`, "bad") : "nothing that should be inspected"],
      keeper && ["Keeper", good(!keeper.trouble, keeper.restarts ? `runs; was killed ${counted(keeper.restarts, "time")}` : "runs", keeper.trouble)],
      keeper && ["Put back", keeper.restored ? `${counted(keeper.restored, "time")}: somebody else had removed rules` : "nothing"],
    ]));
  }

  function policy(status) {
    const { policy: one } = status;
    return section("Policy", facts([
      ["Folder", el("code", {}, one.directory)],
      ["In force since", time(one.loaded)],
      ["Services, rules", `${number(one.services)}, ${number(one.rules)}`],
      ["Configuration", one.broken ? [word("broken", "bad"), el("pre", {}, one.broken)] : good(true, "as in force", "")],
    ]));
  }

  function audit(status) {
    const { audit: one } = status;
    return section("Audit", facts([
      ["Waiting", `${bytes(one.waiting)} to be written`],
      ["Dropped", one.dropped ? word(counted(one.dropped, "record"), "bad") : "none"],
      ["Room", good(status.sessions.room, "new sessions are accepted", "new sessions have to wait")],
    ]));
  }

  function workers(status) {
    return section("Workers", el("div", { class: "scroll" }, table("Workers", [
      { head: "Process", cell: (row) => row.pid },
      { head: "Up", number: true, cell: (row) => duration(status.now - row.started) },
      { head: "Sessions", number: true, cell: (row) => number(row.running) },
      { head: "In the kernel", number: true, cell: (row) => number(row.in_kernel) },
    ], status.workers, "None answers.")));
  }

  function scanners(status) {
    return section("Scanners", el("div", { class: "scroll" }, table("Scanners", [
      { head: "Address", cell: (row) => el("code", {}, row.address) },
      { head: "State", cell: (row) => good(row.up, "answers", "left alone: it fails") },
      { head: "Connections", number: true, cell: (row) => number(row.connections) },
      { head: "Waiting", number: true, cell: (row) => number(row.waiting) },
    ], status.scanners ?? [], "No service asks one, or none was needed yet.")));
  }

  return {
    node,
    show() {},
    now(status) {
      reload.hidden = !writes();
      put(body, el("div", { class: "columns" }, divert(status), policy(status), audit(status)),
        el("div", { class: "columns" }, workers(status), scanners(status)),
        el("p", { class: "muted" }, `tproxygw ${status.version}, ${status.state}, since ${time(status.started)}`));
    },
  };
}
