// The last hour: steps as the gateway kept them, and what charts make of them.

export const VERDICTS = ["passed", "passed-in-part", "denied", "failed", "reset", "closed", "broken"];
const MOST_SERVICES = 6;
const HOUR = 3600;

export class Past {
  constructor() {
    this.steps = [];
    this.seconds = 10;
    this.now = null;
  }

  /** What the gateway has kept. */
  adopt(told) {
    this.steps = told.steps;
    this.seconds = told.seconds;
  }

  /** How it is now; and one more step, if it is time for one. */
  add(status) {
    this.now = figures(status);
    const last = this.steps.at(-1);
    if (last && status.now - last.at < this.seconds - 1) return;
    this.steps.push(this.now);
    this.steps = this.steps.filter((step) => step.at > status.now - HOUR - this.seconds);
  }

  /** All steps, and how it is now. */
  get points() {
    return this.now && this.now.at > (this.steps.at(-1)?.at ?? 0) ? [...this.steps, this.now] : this.steps;
  }

  get end() {
    return this.points.at(-1)?.at ?? Date.now() / 1000;
  }

  /** Sessions that ran, by service. */
  running() {
    const { points } = this;
    const most = new Map();
    for (const step of points)
      for (const [name, count] of Object.entries(step.running)) most.set(name, Math.max(most.get(name) ?? 0, count));
    const names = [...most.keys()].sort((a, b) => most.get(b) - most.get(a) || a.localeCompare(b));
    const shown = names.length > MOST_SERVICES ? names.slice(0, MOST_SERVICES - 1) : names;
    const others = names.slice(shown.length);
    const series = shown.map((name) => ({ name, values: points.map((step) => step.running[name] ?? 0) }));
    if (others.length) {
      const values = points.map((step) => others.reduce((sum, name) => sum + (step.running[name] ?? 0), 0));
      series.push({ name: `${others.length} others`, values });
    }
    return { times: points.map((step) => step.at), series, end: this.end };
  }

  /** Sessions that ended in each minute, by verdict; and connections that became none. */
  ended() {
    const of = (step, name) => (name === "refused" ? step.refused : step.ended[name] ?? 0);
    return this.minutes([...VERDICTS, "refused"].map((name) => ({ name, class: `v-${name}`, of: (step) => of(step, name) })), 1);
  }

  /** Bytes a second, in each minute. */
  traffic() {
    const way = (name, key) => ({ name, of: (step) => step.bytes[key] });
    return this.minutes([way("to clients", "to_client"), way("to servers", "to_server")], 60, true);
  }

  /** What has grown in each minute. A total that shrinks is that of another process. */
  minutes(wanted, divisor, all = false) {
    const times = [];
    const values = wanted.map(() => []);
    let former = this.points[0];
    for (const step of this.points.slice(1)) {
      const at = Math.ceil(step.at / 60) * 60;
      if (times.at(-1) !== at) {
        times.push(at);
        values.forEach((each) => each.push(0));
      }
      wanted.forEach((one, index) => {
        const grown = one.of(step) - one.of(former);
        values[index][times.length - 1] += Math.max(0, grown) / divisor;
      });
      former = step;
    }
    if (all && times.length > 1) {  // a line would fall in the minute that is not over
      times.pop();
      values.forEach((each) => each.pop());
    }
    const series = wanted.map((one, index) => ({ name: one.name, class: one.class, values: values[index] }));
    return { times, series: series.filter((one) => all || one.values.some(Boolean)), end: Math.ceil(this.end / 60) * 60 };
  }

  /** How fast a total grows now: over the last seconds, by two answers of the gateway. */
  rate(of, status, seconds = 60) {
    const first = this.steps.find((step) => step.at >= status.now - seconds - this.seconds);
    if (!first || status.now - first.at < 1) return 0;
    return Math.max(0, of(figures(status)) - of(first)) / (status.now - first.at);
  }
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** The same that the gateway keeps of an answer to "status". */
export function figures(status) {
  const services = Object.entries(status.services);
  const ended = {};
  for (const [, each] of services)
    for (const [verdict, count] of Object.entries(each.ended)) ended[verdict] = (ended[verdict] ?? 0) + count;
  return {
    at: status.now,
    running: Object.fromEntries(services.filter(([, each]) => each.running).map(([name, each]) => [name, each.running])),
    ended,
    bytes: {
      to_server: sum(services.map(([, each]) => each.bytes.to_server)),
      to_client: sum(services.map(([, each]) => each.bytes.to_client)),
    },
    refused: sum(Object.values(status.refused)),
  };
}

export const total = (counts) => sum(Object.values(counts));
