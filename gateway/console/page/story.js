// The story of one session: why it is there, both legs, what each side waits for, its records as they come, its end.

import { events } from "./api.js";
import { address, bytes, counted, duration, el, facts, number, put, say, section, time, word } from "./dom.js";
import { confirmKill } from "./kill.js";
import { poll } from "./poll.js";
import { line, verdict } from "./records.js";

const EVERY = 2000;
const MOST_RECORDS = 200;

export function create({ ask, writes, notice, refused }) {
  const title = el("h1", { tabindex: -1 }, "Session");
  const state = el("p", { class: "summary", role: "status" });
  const end = el("button", { type: "button", class: "danger", hidden: true, id: "end" }, "End this session…");
  const problem = el("p", { class: "problem", role: "alert" });
  const body = el("div", { class: "story" });
  const list = el("ul", { class: "records", id: "story-records" });
  const node = el("div", {}, el("p", { class: "back" }, el("a", { href: "#sessions" }, "All sessions")), title,
    el("div", { class: "summary" }, state, end), problem, body, section("Its records", list));
  const looking = poll(look, EVERY);
  let id = 0;
  let hearing = null;
  let rested = 0;
  let over = false;
  let told = null;

  async function look(wanted) {
    if (over) return;
    try {
      const { session } = await ask("show", { id });
      if (!wanted()) return;
      say(problem, "");
      if (session) draw(session);
      else gone();
    } catch (error) {
      if (wanted()) say(problem, error.message);
    }
  }

  function gone() {
    over = true;
    end.hidden = true;
    if (told) say(state, "It has ended.");
    else if (!list.querySelector(".record")) say(state, "There is no such session (any more), and nothing of it was refused lately.");
    else say(state, "It has ended. What was refused of it:");
  }

  function draw(session) {
    told = session;
    const { client, server } = session;
    say(title, `${address(client)} → ${address(server)}`);
    if (!over) put(state, word(session.state), ` ${session.service}, ${session.protocol}, #${session.id}, for ${duration(session.age)}`);
    end.hidden = !writes() || over;
    put(body, el("div", { class: "columns" }, leg("Client", session, session.legs.client), leg("Server", session, session.legs.server)),
      el("div", { class: "columns" }, why(session), inspector(session)));
  }

  function rate(session, way) {
    return session.rate ? `, ${bytes(session.rate[way])}/s` : "";
  }

  function leg(name, session, one) {
    const client = name === "Client";
    const { upstream } = session;
    return section(name, facts([
      ["Address", el("span", { class: "mono" }, one.peer ? address(one.peer) : client ? address(session.client) : "not connected yet")],
      !client && upstream && ["Sees", el("span", { class: "mono" }, address(upstream.source)), upstream.port_kept ? " (the client's own port)" : " (another port)"],
      !client && upstream && ["Connected", `after ${duration(upstream.connect_seconds)}, ${counted(upstream.attempts, "attempt")}`],
      ["Received", `${bytes(one.received)}${rate(session, client ? "to_server" : "to_client")}`],
      ["Sent", `${bytes(one.sent)}${rate(session, client ? "to_client" : "to_server")}`],
      ["Waiting to be sent", bytes(one.waiting)],
      ["Waits for", one.waits_for?.length ? one.waits_for.join("; ") : "nothing: it is read"],
      ["Ended", one.ended ? "it will send no more" : "no"],
      ["TLS", one.tls ? tls(one.tls) : "none"],
    ]));
  }

  function tls(one) {
    return [`${[one.version, one.cipher, one.group, one.alpn].filter(Boolean).join(", ")}${one.resumed ? ", resumed" : ""}`,
      one.subject ? el("div", { class: "muted" }, `${one.subject}${one.names.length ? ` (${one.names.join(", ")})` : ""}`) : null];
  }

  function why(session) {
    const { rule } = session;
    return section("Why it is here", facts(rule ? [
      ["Rule", el("code", { class: "place" }, rule.place)],
      ["It says", rule.says],
      ["It won", el("ul", {}, rule.because.map((each) => el("li", {}, each)))],
      ["Zones", `from ${session.zones.from.join(", ") || "anyone"}, to ${session.zones.to.join(", ") || "anywhere"}`],
      ["Began", time(session.started)],
      ["Today", el("a", { href: `#explain?${asked(session)}` }, "what the policy in force would do with it")],
    ] : [
      ["Announced by", el("a", { href: `#session/${session.parent}` }, `session #${session.parent}`)],
      ["Began", time(session.started)],
    ]));
  }

  function asked({ client, server, protocol }) {
    return new URLSearchParams({ from: address(client), to: address(server), protocol }).toString();
  }

  function inspector(session) {
    return section("Inspector", facts([
      ["Inspector", session.inspector.name],
      ["It says", session.inspector.about || "nothing"],
      ["Not let pass", number(session.denied)],
      ["Idle", duration(session.idle)],
      ["Time limits", session.limits.length
        ? el("ul", {}, session.limits.map((each) => el("li", {}, `${each.name}: ${duration(Math.max(0, each.left))} left of ${duration(each.seconds)}`)))
        : "none runs"],
      session.announced ? ["Announced", counted(session.announced, "connection")] : null,
      session.released ? ["Released", `${session.released.in}${session.released.why ? `: ${session.released.why}` : ""}`] : null,
      session.verdict ? ["Verdict", session.verdict] : null,
    ]));
  }

  function follow() {
    hearing = new AbortController();
    events("api/follow", { id }, heard, hearing.signal).catch((error) => {
      if (error.name !== "AbortError") say(problem, error.message);
    });
  }

  function heard(kind, record) {
    if (kind !== "record") return;
    list.querySelector(".nothing")?.remove();
    list.prepend(line(record, { session: record.flow_id !== id }));
    if (list.childElementCount > MOST_RECORDS) list.lastElementChild.remove();
    if (record.event_type === "flow" && record.flow_id === id) {
      over = true;
      end.hidden = true;
      const { reason } = record.gateway;
      put(state, word(verdict(record)), ` It has ended after ${duration(record.gateway.seconds ?? 0)}${reason ? `: ${reason}` : "."}`);
    }
  }

  end.addEventListener("click", async () => {
    const done = await confirmKill(ask, { id }, `the session ${title.textContent}`);
    if (done) notice(done);
  });

  return {
    node,
    show(wanted) {
      id = Number(wanted);
      over = false;
      told = null;
      say(title, `Session #${wanted}`);
      say(state, "");
      put(body);
      const known = refused.records.filter((record) => record.flow_id === id).reverse();
      put(list, known.length ? known.map((record) => line(record, { session: false })) : el("li", { class: "empty nothing" }, "None since you look."));
      follow();
      looking.start();
    },
    /** Nobody sees the page for a while. */
    rest() {
      hearing?.abort();
      rested = Date.now() / 1000;
    },
    wake() {
      if (over) return;
      list.prepend(el("li", { class: "empty" }, `Not heard from ${time(rested)} to ${time(Date.now() / 1000)}: nobody looked.`));
      follow();
    },
    hide() {
      id = 0;
      looking.stop();
      hearing?.abort();
    },
  };
}
