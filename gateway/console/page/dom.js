// Elements, and how numbers and times are written. Whatever peers said becomes text, never markup: there is no other way
// to make an element here, and the page's policy forbids one.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== ""));
  return node;
}

/** An element. Children are elements or text. */
export function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An element of a picture. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** In place of what was in there. */
export function put(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== ""));
}

/** Text that is written only if it is another one: a screen reader reads no news twice. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export const number = (value) => whole.format(value);

/** 1,234 as it is, 12345 as 12.3 k. */
export function brief(value) {
  if (value < 10000) return value < 10 && value % 1 ? short.format(value) : whole.format(value);
  return value < 1e6 ? `${short.format(value / 1e3)} k` : `${short.format(value / 1e6)} M`;
}

export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit ? short.format(value) : whole.format(value)} ${units[unit]}`;
}

export function duration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${short.format(seconds)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const both = (size, unit, lesser, name) => {
    const rest = Math.floor((seconds % size) / lesser);
    return `${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${name}` : ""}`;
  };
  if (seconds < 3600) return both(60, "min", 1, "s");
  return seconds < 86400 ? both(3600, "h", 60, "min") : both(86400, "d", 3600, "h");
}

const when = (seconds) => new Date(seconds * 1000);
export const minute = (seconds) => hours.format(when(seconds));

/** A time; with its day, if that is not today. */
export function time(seconds) {
  if (!Number.isFinite(seconds)) return "";
  const date = when(seconds);
  const text = clock.format(date);
  return date.toDateString() === new Date().toDateString() ? text : `${day.format(date)} ${text}`;
}

/** A time out of a record: 2025-11-23T12:00:02.500000+0000 */
export function recorded(text) {
  return Date.parse(String(text).replace(/([+-]\d\d)(\d\d)$/, "$1:$2")) / 1000;
}

/** 1 session, 2 sessions. */
export const counted = (count, one, several = `${one}s`) => `${whole.format(count)} ${count === 1 ? one : several}`;

export const address = (one) => (one.ip.includes(":") ? `[${one.ip}]:${one.port}` : `${one.ip}:${one.port}`);

/** A table: columns are {head, cell(row), wide, number}. */
export function table(caption, columns, rows, empty, kind = null) {
  const classes = (column) => [column.wide && "wide", column.number && "number", column.class].filter(Boolean).join(" ") || null;
  const head = columns.map((column) => el("th", { scope: "col", class: classes(column) }, column.head));
  const body = rows.map((row) =>
    el("tr", { class: row.class }, columns.map((column) => el("td", { class: classes(column) }, column.cell(row)))));
  if (!rows.length) body.push(el("tr", {}, el("td", { colspan: columns.length, class: "empty" }, empty)));
  return el("table", { class: kind }, el("caption", { class: "hidden" }, caption), el("thead", {}, el("tr", {}, head)), el("tbody", {}, body));
}

/** A count; what is none stands back. */
export const count = (value, kind = "") => el("span", { class: value ? `count ${kind}` : "none" }, number(value ?? 0));

/** A heading with what is below it. */
export function section(title, ...children) {
  return el("section", {}, el("h2", {}, title), children);
}

/** Names and what they are. */
export function facts(pairs) {
  return el("dl", {}, pairs.filter(Boolean).map(([name, ...value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/** A word for how something ended, or is, in its colour. */
export function word(text, kind = text) {
  return el("span", { class: `word ${kind}` }, text);
}
