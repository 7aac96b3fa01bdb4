// Records of the audit, as lines for people.

import { el, recorded, time, word } from "./dom.js";

const text = (value) => (Array.isArray(value) ? value.join(", ") : typeof value === "object" && value ? JSON.stringify(value) : String(value));

/** What a record is about, beside who and where. */
const ABOUT = {
  http: (one) => [one.http_method, `${one.hostname ?? ""}${one.url ?? ""}`, one.status],
  tls: (one) => [one.sni, one.version],
  quic: (one) => [one.sni],
  ftp: (one) => [one.command, one.command_data],
  ftp_data: (one) => [one.command, one.filename],
  smtp: (one) => [one.mail_from, one.rcpt_to && `to ${text(one.rcpt_to)}`],
  email: (one) => [one.subject, one.from && `from ${one.from}`, one.attachment && `with ${text(one.attachment)}`],
  dns: (one) => [(one.queries ?? []).map((query) => `${query.rrname ?? ""} ${query.rrtype ?? ""}`), one.rcode],
  pop3: (one) => [one.request?.command, one.request?.args],
  imap: (one) => [one.request?.command, one.request?.args],
  alert: (one) => [one.signature, one.category],
  fileinfo: (one) => [one.filename, one.magic],
  flow: () => [],
  audit: (one) => [one.refused && `${one.refused} connections refused: ${one.reason}`, one.dropped && `${one.dropped} records dropped`,
    one.ended && `${one.ended} ended with ${one.sessions} sessions: ${one.reason}`],
};

function about(record) {
  const own = record[record.event_type] ?? {};
  const parts = (ABOUT[record.event_type] ?? ((one) => Object.entries(one).map(([name, value]) => `${name} ${text(value)}`)))(own);
  return parts.filter((part) => part !== undefined && part !== null && part !== false && part !== "" && part.length !== 0).map(text).join(" ");
}

export function verdict(record) {
  if (record.gateway?.denied_by && record.event_type !== "flow") return "denied";
  return record.gateway?.verdict ?? (record.audit?.refused ? "denied" : "");
}

const peer = (ip, port) => (ip === undefined ? "" : port === undefined ? ip : ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);

/** One record: when, what, why, by which line of the policy. */
export function line(record, { session = true } = {}) {
  const own = record.gateway ?? {};
  const place = own.denied_by ?? own.rule ?? "";
  const ended = verdict(record);
  return el("li", { class: "record" },
    el("div", { class: "first" },
      el("time", {}, time(recorded(record.timestamp))), " ",
      el("span", { class: "kind" }, record.event_type), " ",
      ended ? word(ended) : null, " ",
      own.service ? el("span", { class: "service" }, own.service) : null, " ",
      el("span", { class: "about" }, about(record))),
    el("div", { class: "second" },
      own.reason ? el("span", { class: "reason" }, own.reason) : null, " ",
      place ? el("code", { class: "place" }, place) : null, " ",
      session && record.src_ip ? el("a", { class: "who", href: `#session/${record.flow_id}` },
        `${peer(record.src_ip, record.src_port)} → ${peer(record.dest_ip, record.dest_port)}`) : null));
}
