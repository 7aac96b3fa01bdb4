// What would happen to a connection, and why: the same answer that `tproxygw explain` gives.

import { el, put, say } from "./dom.js";

const FIELDS = [
  { key: "from", name: "From", required: true, placeholder: "10.1.2.3 or 10.1.2.3:40000" },
  { key: "to", name: "To", required: true, placeholder: "198.51.100.7:443" },
  { key: "interface", name: "Interface", placeholder: "any that no rule names" },
  { key: "sni", name: "TLS: name (SNI)", placeholder: "www.example.org" },
  { key: "alpn", name: "TLS: protocols", placeholder: "h2,http/1.1" },
  { key: "query", name: "DNS: question", placeholder: "www.example.org/AAAA" },
];

export function create({ ask }) {
  const inputs = Object.fromEntries(FIELDS.map((field) => [field.key, el("input", {
    id: `e-${field.key}`, required: field.required, placeholder: field.placeholder, autocomplete: "off", spellcheck: "false" })]));
  inputs.protocol = el("select", { id: "e-protocol" }, ["tcp", "udp", "icmp", "other"].map((each) => el("option", { value: each }, each)));
  const problem = el("p", { class: "problem", role: "alert" });
  const told = el("div", { class: "explained", "aria-live": "polite" });
  const row = (key, name) => el("label", { for: `e-${key}` }, el("span", {}, name), inputs[key]);
  const [from, to, ...others] = FIELDS;
  let form = null;
  const node = el("div", {}, el("h1", {}, "Explain"),
    el("p", { class: "muted" }, "What the policy in force would do with a connection, and why. Nothing is sent."),
    form = el("form", { class: "filter", onsubmit: explain }, row(from.key, from.name), row(to.key, to.name), row("protocol", "Protocol"),
      others.map((field) => row(field.key, field.name)), el("button", { type: "submit", class: "primary" }, "Explain")),
    problem, told);

  async function explain(event) {
    event.preventDefault();
    const wanted = {};
    for (const [key, input] of Object.entries(inputs)) if (input.value.trim()) wanted[key] = input.value.trim();
    try {
      const { rows } = await ask("explain", wanted);
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
    show(_, wanted) {
      if (!wanted) return;
      for (const [key, input] of Object.entries(inputs)) input.value = wanted.get(key) ?? (key === "protocol" ? "tcp" : "");
      if (form.checkValidity()) form.requestSubmit();
    },
  };
}
