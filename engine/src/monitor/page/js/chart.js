// Charts of lines and of stacked areas, drawn as SVG. Where there is no value there is a gap.

import { el, fill, say, svg } from "./dom.js";
import { clock, NONE } from "./text.js";

const HEIGHT = 158;
const TOP = 8;
const BOTTOM = 20;
const LEFT = 52;
const RIGHT = 10;

let hatches = 0;

// The parts that all charts have: a title, a legend, a plot with an axis of time, a cursor.
export class Plot {
  constructor(figure, { title, aside = "", height = HEIGHT, legend = true, label = title }) {
    this.figure = figure;
    this.label = label;
    this.height = height;
    this.hatch = `hatch-${++hatches}`;
    this.aside = el("p", { class: "aside" }, aside);
    this.legend = el("ul", { class: "legend" });
    this.svg = svg("svg", { role: "img", tabindex: "0", height, focusable: "true" });
    this.area = el("div", { class: "plot" }, this.svg);
    const caption = title ? el("figcaption", {}, el("h2", {}, title), this.aside) : null;
    figure.append(...[caption, this.area, legend ? this.legend : null].filter(Boolean));
    this.wire();
  }

  wire() {
    const at = (event) => {
      const x = event.clientX - this.svg.getBoundingClientRect().left;
      this.moved?.(this.time(x));
    };
    this.svg.addEventListener("pointermove", at);
    this.svg.addEventListener("pointerdown", at);
    this.svg.addEventListener("pointerleave", () => this.moved?.(null));
    this.svg.addEventListener("blur", () => this.moved?.(null));
    this.svg.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
      if (by !== undefined) this.stepped?.(by, this);
      else if (event.key === "Home") this.stepped?.(-Infinity, this);
      else if (event.key === "End") this.stepped?.(Infinity, this);
      else if (event.key === "Escape") this.moved?.(null);
      else return;
      event.preventDefault();
    });
  }

  measure(view) {
    this.view = view;
    this.width = Math.max(this.area.clientWidth, 160);
    this.inner = this.width - LEFT - RIGHT;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
  }

  x(time) {
    const { from, to } = this.view;
    return LEFT + ((time - from) / (to - from)) * this.inner;
  }

  time(x) {
    const { from, to } = this.view;
    return from + ((x - LEFT) / this.inner) * (to - from);
  }

  // The axis of time, where nothing is known, and the layer for what is drawn on top.
  frame() {
    const { from, to, unknown } = this.view;
    const bottom = this.height - BOTTOM;
    const parts = [];
    this.notes = [];
    const pattern = svg("pattern", {
      id: this.hatch, width: 6, height: 6, patternUnits: "userSpaceOnUse",
      patternTransform: "rotate(45)",
    });
    pattern.append(svg("line", { x1: 0, y1: 0, x2: 0, y2: 6, class: "hatch" }));
    const defs = svg("defs");
    defs.append(pattern);
    parts.push(defs);
    for (const [start, end] of unknown) {
      const [a, b] = [this.x(Math.max(start, from)), this.x(Math.min(end, to))];
      if (b - a < 1) continue;
      const gap = { x: a, y: TOP, width: b - a, height: bottom - TOP, fill: `url(#${this.hatch})` };
      parts.push(svg("rect", gap));
      if (b - a > 70) {
        const place = { x: (a + b) / 2, y: (TOP + bottom) / 2 + 4, class: "nodata" };
        this.notes.push(svg("text", place, "no data"));
      }
    }
    const minutes = (to - from) / 60000;
    const most = Math.max(2, Math.floor(this.inner / 90));
    const steps = [0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880];
    const step = (steps.find((step) => minutes / step <= most) ?? 5760) * 60000;
    const zone = new Date(to).getTimezoneOffset() * 60000;
    for (let t = Math.ceil((from - zone) / step) * step + zone; t <= to; t += step) {
      const x = this.x(t);
      parts.push(svg("line", { x1: x, x2: x, y1: bottom, y2: bottom + 4, class: "tick" }));
      if (x > LEFT + 12 && x < this.width - 22) {
        const place = { x, y: this.height - 4, class: "label time" };
        parts.push(svg("text", place, clock(t, step < 60000)));
      }
    }
    this.cursor = svg("line", { y1: TOP, y2: bottom, class: "cursor", visibility: "hidden" });
    return parts;
  }

  // Marks a moment.
  mark(time) {
    if (!this.cursor) return;
    this.cursor.setAttribute("visibility", time === null ? "hidden" : "visible");
    if (time !== null) {
      this.cursor.setAttribute("x1", this.x(time));
      this.cursor.setAttribute("x2", this.x(time));
    }
  }
}

export class Chart extends Plot {
  // `series`: [metric, label, colour]; `limit`: one that is drawn as a dashed line.
  constructor(figure, { series, limit = null, stacked = false, log = false, whole = false, format, least = 1, ...rest }) {
    super(figure, rest);
    Object.assign(this, { series, limit, stacked, log, whole, format, least });
  }

  draw(view) {
    this.measure(view);
    const { past } = view;
    this.shown = this.series.filter(([metric], i) => {
      const some = past.values[metric].some((value) => value);
      return some || (this.stacked ? i === 0 : true);
    });
    const tops = this.stacked ? stack(this.shown, past) : this.shown.map(([m]) => past.values[m]);
    const lines = this.limit ? [...tops, past.values[this.limit[0]]] : tops;
    const all = lines.flat().filter((value) => value !== null);
    this.range(all);
    const parts = this.frame();
    for (const value of this.ticks) {
      const y = this.y(value);
      parts.push(svg("line", { x1: LEFT, x2: this.width - RIGHT, y1: y, y2: y, class: "rule" }));
      parts.push(svg("text", { x: LEFT - 7, y: y + 4, class: "label value" }, this.format(value)));
    }
    // The highest area first, so that the lower ones lie upon it.
    for (let i = this.shown.length - 1; i >= 0; i -= 1) {
      const colour = this.shown[i][2];
      if (this.stacked) {
        const below = i > 0 ? tops[i - 1] : null;
        parts.push(svg("path", { d: this.path(tops[i], below, true), class: `area c-${colour}` }));
      }
      parts.push(svg("path", { d: this.path(tops[i]), class: `line c-${colour}` }));
    }
    if (this.limit) {
      const d = this.path(past.values[this.limit[0]]);
      parts.push(svg("path", { d, class: `line limit c-${this.limit[2]}` }));
    }
    this.svg.replaceChildren(...parts, ...this.notes, this.cursor);
    this.mark(view.cursor);
    this.tell(view);
  }

  range(all) {
    const most = all.reduce((a, b) => Math.max(a, b), 0);
    if (this.log) {
      const low = all.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), most || 1);
      this.low = Math.floor(Math.log10(low || 0.001));
      this.high = Math.max(Math.ceil(Math.log10(most || 0.01)), this.low + 1);
      const all10 = Array.from({ length: this.high - this.low + 1 }, (_, i) => 10 ** (this.low + i));
      this.ticks = all10.filter((_, i) => all10.length <= 6 || i % 2 === 0);
      return;
    }
    const rough = Math.max(most * 1.05, this.least) / 4;
    const power = 10 ** Math.floor(Math.log10(rough));
    const steps = this.whole && power < 10 ? [1, 2, 3, 4, 5, 10] : [1, 2, 2.5, 5, 10];
    const step = steps.map((n) => n * power).find((step) => step >= rough);
    this.most = step * 4;
    this.ticks = [0, 1, 2, 3, 4].map((i) => i * step);
  }

  y(value) {
    const bottom = this.height - BOTTOM;
    const share = this.log
      ? value > 0 ? Math.max((Math.log10(value) - this.low) / (this.high - this.low), 0) : 0
      : value / this.most;
    return bottom - share * (bottom - TOP);
  }

  // A line with its gaps; closed to the line below it if it is an area.
  path(values, below, closed = false) {
    const { past } = this.view;
    let d = "";
    let run = [];
    const end = () => {
      if (run.length === 0) return;
      const points = run.map((i) => `${this.x(past.times[i]).toFixed(1)},${this.y(values[i]).toFixed(1)}`);
      // One value by itself is a dot, as wide as its step.
      if (run.length === 1) points.unshift(`${this.x(past.times[run[0]] - past.stepMs).toFixed(1)},${this.y(values[run[0]]).toFixed(1)}`);
      d += `M${points.join("L")}`;
      if (closed) {
        const back = [...run].reverse();
        const base = back.map((i) => `${this.x(past.times[i]).toFixed(1)},${this.y(below?.[i] ?? 0).toFixed(1)}`);
        if (run.length === 1) base.push(`${this.x(past.times[run[0]] - past.stepMs).toFixed(1)},${this.y(below?.[run[0]] ?? 0).toFixed(1)}`);
        d += `L${base.join("L")}Z`;
      }
      run = [];
    };
    values.forEach((value, i) => {
      const apart = i > 0 && past.times[i] - past.times[i - 1] > past.stepMs * 1.5;
      if (value === null || apart) end();
      if (value !== null) run.push(i);
    });
    end();
    return d;
  }

  // The legend, with the values at the cursor or the last.
  tell(view) {
    const { past, place } = view;
    const of = ([metric, label, colour]) => {
      const values = past.values[metric];
      return [label, colour, this.format(place === null ? values.at(-1) : values[place])];
    };
    const items = [...this.shown, ...(this.limit ? [this.limit] : [])].map(of);
    fill(this.legend, items, () =>
      items.map(([label, colour, value]) =>
        el("li", {}, el("i", { class: `c-${colour}`, "aria-hidden": "true" }), `${label} `, el("b", {}, value)),
      ),
    );
    const said = items.map(([label, , value]) => `${label} ${value === NONE ? "no data" : value}`);
    this.svg.setAttribute("aria-label", `${this.label}. ${said.join(", ")}. Arrow keys go through time.`);
    this.said = said.join(", ");
  }
}

function stack(series, past) {
  let below = null;
  return series.map(([metric]) => {
    const line = past.values[metric].map((value, i) => {
      if (value === null) return null;
      return value + (below?.[i] ?? 0);
    });
    below = line;
    return line;
  });
}
