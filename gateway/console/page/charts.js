// Charts of the last hour: plain SVG. A chart can be read with the pointer, and with the arrow keys.

import { el, svg, put, minute, say } from "./dom.js";

const HEIGHT = 150;
const LEFT = 46;
const RIGHT = 4;
const TOP = 6;
const BOTTOM = 18;
const HOUR = 3600;

/** The least round number that is not below. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

/**
 * A chart. draw({times, series, end}): times in seconds, series [{name, values}], one value for each time.
 * bars: each stands for the time up to its own; else lines over areas. All are stacked. least: what the axis shows at least.
 */
export function chart(title, unit, write, { bars = false, least = 2 } = {}) {
  const picture = svg("svg", { class: "chart", height: HEIGHT, tabindex: 0, role: "img" });
  const legend = el("ul", { class: "legend" });
  const reading = el("output", { class: "reading" });
  const node = el("figure", {},
    el("figcaption", {}, el("strong", {}, title), " ", el("span", { class: "muted" }, unit), reading), picture, legend);
  let data = { times: [], series: [], end: Date.now() / 1000 };
  let chosen = null;
  let scale = null;

  function draw(fresh = data) {
    data = fresh;
    const width = Math.max(picture.clientWidth || 400, 200);
    picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const sums = data.times.map((_, index) => data.series.reduce((sum, one) => sum + (one.values[index] ?? 0), 0));
    const most = roundUp(Math.max(least, ...sums));
    const x = (at) => LEFT + ((at - data.end + HOUR) / HOUR) * (width - LEFT - RIGHT);
    const y = (value) => HEIGHT - BOTTOM - (value / most) * (HEIGHT - TOP - BOTTOM);
    scale = { x, width };
    put(picture, grid(most, x, y, width), data.series.length ? (bars ? columns(x, y) : areas(x, y)) : [], cursor());
    picture.setAttribute("aria-label", described(sums));
    put(legend, data.series.map((one, index) =>
      el("li", {}, el("span", { class: `key ${one.class ?? `s${index % 8}`}`, "aria-hidden": "true" }), one.name)));
    read();
  }

  function grid(most, x, y, width) {
    const lines = [0, 0.5, 1].map((part) => [
      svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(most * part), y2: y(most * part) }),
      svg("text", { class: "tick", x: LEFT - 6, y: y(most * part) + 4, "text-anchor": "end" }, write(most * part))]);
    const step = width < 340 ? 1800 : 900;
    const times = [];
    for (let at = Math.ceil((data.end - HOUR) / step) * step; at <= data.end; at += step) {
      const anchor = x(at) > width - 20 ? "end" : x(at) < LEFT + 16 ? "start" : "middle";
      times.push(svg("text", { class: "tick", x: x(at), y: HEIGHT - 4, "text-anchor": anchor }, minute(at)));
    }
    return [lines, times];
  }

  function columns(x, y) {
    const parts = [];
    data.times.forEach((at, index) => {
      let below = 0;
      data.series.forEach((one, which) => {
        const value = one.values[index] ?? 0;
        if (!value) return;
        const width = Math.max(1, x(at) - x(at - 60) - 1.5);
        parts.push(svg("rect", {
          class: one.class ?? `s${which % 8}`, x: x(at) - width, width,
          y: y(below + value), height: Math.max(0.5, y(below) - y(below + value)) }));
        below += value;
      });
    });
    return parts;
  }

  function areas(x, y) {
    const below = data.times.map(() => 0);
    return data.series.map((one, which) => {
      const lower = data.times.map((at, index) => `${x(at).toFixed(1)},${y(below[index]).toFixed(1)}`).reverse();
      const upper = data.times.map((at, index) => {
        below[index] += one.values[index] ?? 0;
        return `${x(at).toFixed(1)},${y(below[index]).toFixed(1)}`;
      });
      if (!upper.length) return [];
      const kind = one.class ?? `s${which % 8}`;
      return [svg("path", { class: `area ${kind}`, d: `M${upper.join("L")}L${lower.join("L")}Z` }),
        svg("path", { class: `edge ${kind}`, d: `M${upper.join("L")}` })];
    });
  }

  function cursor() {
    const at = chosen === null ? undefined : data.times[chosen];
    if (at === undefined) return null;
    return svg("line", { class: "cursor", x1: scale.x(at), x2: scale.x(at), y1: TOP, y2: HEIGHT - BOTTOM });
  }

  function values(index) {
    return data.series.map((one) => `${one.name} ${write(one.values[index] ?? 0)}`).join(", ");
  }

  function read() {
    const at = chosen === null ? undefined : data.times[chosen];
    say(reading, at === undefined ? "" : `${minute(at)}: ${values(chosen) || "nothing"}`);
  }

  function described(sums) {
    if (!sums.length || !data.series.length) return `${title}: nothing in the last hour`;
    return `${title} in the last hour: at most ${write(Math.max(...sums))}; now ${values(sums.length - 1)}. Arrow keys read it.`;
  }

  function choose(index) {
    chosen = index === null || !data.times.length ? null : Math.min(Math.max(index, 0), data.times.length - 1);
    picture.querySelector(".cursor")?.remove();
    const line = cursor();
    if (line) picture.append(line);
    read();
  }

  picture.addEventListener("pointermove", (event) => {
    if (!scale || !data.times.length) return;
    const box = picture.getBoundingClientRect();
    const at = (event.clientX - box.left) * (scale.width / box.width);
    const distances = data.times.map((each) => Math.abs(scale.x(each) - at));
    choose(distances.indexOf(Math.min(...distances)));
  });
  picture.addEventListener("pointerleave", () => choose(null));
  picture.addEventListener("blur", () => choose(null));
  picture.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    choose((chosen ?? data.times.length) + step);
  });
  new ResizeObserver(() => draw()).observe(node);
  return { node, draw };
}
