// What would happen to a connection, and to what is asked for in it, and why: the same answer that `tproxygw explain` gives.

import { el, put, say } from "./dom.js";

const LISTS = { headers: "\n", commands: "\n", rcpt: ",", attachments: "," };

const OUTSIDE = [
  { key: "interface", name: "Interface", placeholder: "any that no rule names" },
  { key: "sni", name: "TLS: name (SNI)", placeholder: "www.example.org" },
  { key: "alpn", name: "TLS: protocols", placeholder: "h2,http/1.1" },
  { key: "query", name: "DNS: question", placeholder: "www.example.org/AAAA" },
];

const INSIDE = [
  { key: "url", name: "HTTP: URL", placeholder: "http://www.example.org/path", size: 34 },
  { key: "method", name: "HTTP: method", placeholder: "GET", size: 8 },
  { key: "headers", name: "HTTP: headers, one a line", placeholder: "User-Agent: curl", lines: true },
  { key: "mail_from", name: "Mail: from", placeholder: "anna@example.org" },
  { key: "rcpt", name: "Mail: to", placeholder: "ben@example.net, …" },
  { key: "attachments", name: "Mail: attachments", placeholder: "report.pdf, …" },
  { key: "commands", name: "FTP, IMAP: commands, one a line", placeholder: "STOR upload.zip", lines: true },
];

export function create({ ask }) {
  const inputs = {
    from: el("input", { id: "e-from", required: true, placeholder: "10.1.2.3 or 10.1.2.3:40000", autocomplete: "off", spellcheck: "false" }),
    to: el("input", { id: "e-to", required: true, placeholder: "198.51.100.7:443", autocomplete: "off", spellcheck: "false" }),
    protocol: el("select", { id: "e-protocol" }, ["tcp", "udp", "icmp", "other"].map((each) => el("option", { value: each }, each))),
  };
  for (const { key, placeholder, size, lines } of [...OUTSIDE, ...INSIDE])
    inputs[key] = lines
      ? el("textarea", { id: `e-${key}`, rows: 2, cols: 28, placeholder, spellcheck: "false" })
      : el("input", { id: `e-${key}`, placeholder, size, autocomplete: "off", spellcheck: "false" });
  const problem = el("p", { class: "problem", role: "alert" });
  const told = el("div", { class: "explained", "aria-live": "polite" });
  const row = ({ key, name }) => el("label", { for: `e-${key}` }, el("span", {}, name), inputs[key]);
  const inside = el("details", { class: "more" }, el("summary", {}, "And what is asked for in it"), INSIDE.map(row));
  const form = el("form", { class: "filter", onsubmit: explain },
    [{ key: "from", name: "From" }, { key: "to", name: "To" }, { key: "protocol", name: "Protocol" }, ...OUTSIDE].map(row),
    inside, el("button", { type: "submit", class: "primary" }, "Explain"));
  const node = el("div", {}, el("h1", {}, "Explain"),
    el("p", { class: "muted" }, "What the policy in force would do with a connection, and why. Nothing is sent."),
    form, problem, told);

  function wanted() {
    const asked = {};
    for (const [key, input] of Object.entries(inputs)) {
      const text = input.value.trim();
      if (!text) continue;
      asked[key] = key in LISTS ? text.split(LISTS[key]).map((each) => each.trim()).filter(Boolean) : text;
    }
    return asked;
  }

  async function explain(event) {
    event.preventDefault();
    try {
      const { rows } = await ask("explain", wanted());
      say(problem, "");
      put(told, el("dl", { class: "rows" }, grouped(rows).map(([heading, texts]) =>
        [el("dt", {}, heading), el("dd", {}, texts.map((text) => el("div", {}, text)))])));
    } catch (error) {
      say(problem, error.message);
      put(told);
    }
  }

  /** A heading stands for all rows up to the next one. */
  function grouped(rows) {
    const groups = [];
    for (const [heading, text] of rows) {
      if (heading || !groups.length) groups.push([heading, []]);
      groups.at(-1)[1].push(text);
    }
    return groups;
  }

  return {
    node,
    search: inputs.from,
    show(_, asked) {
      if (!asked) return;
      for (const [key, input] of Object.entries(inputs)) input.value = asked.get(key) ?? (key === "protocol" ? "tcp" : "");
      if (form.checkValidity()) form.requestSubmit();
    },
  };
}
