// What was refused last: all that the gateway has kept, and what comes.

import { el, put } from "./dom.js";
import { line } from "./records.js";

export function create({ refused }) {
  const search = el("input", { type: "search", id: "refused-search", placeholder: "service, address, reason, file:line", autocomplete: "off" });
  const count = el("span", { class: "muted" });
  const list = el("ul", { class: "records" });
  const node = el("div", {},
    el("h1", {}, "Last refusals"),
    el("form", { class: "filter", onsubmit: (event) => event.preventDefault() },
      el("label", { for: "refused-search" }, "Find"), search, count),
    list);

  function draw() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = refused.records.filter((record) => {
      const text = JSON.stringify(record).toLowerCase();
      return words.every((word) => text.includes(word));
    });
    const left = refused.leftOut ? `; ${refused.leftOut} more came too fast to be shown: see the audit` : "";
    put(count, `${found.length} of the last ${refused.records.length}${left}`);
    put(list, found.length ? found.reverse().map((record) => line(record)) : el("li", { class: "empty" }, "None."));
  }

  search.addEventListener("input", draw);
  return { node, search, show: draw, refusedChanged: draw };
}

export class Refusals {
  constructor() {
    this.records = [];
    this.leftOut = 0;
  }

  adopt(records) {
    this.records = records;
  }

  add(record) {
    this.records.push(record);
    if (this.records.length > 200) this.records.shift();
  }
}
