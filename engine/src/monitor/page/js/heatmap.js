// How often queries took how long, over time: the darker, the more.

import { ask } from "./ask.js";
import { el, svg } from "./dom.js";
import { Plot } from "./chart.js";
import { count, seconds } from "./text.js";

const COLUMNS = 100;
const STEPS_S = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];
const HEIGHT = 158;
const [TOP, BOTTOM, LEFT] = [8, 20, 52];

export class Heatmap extends Plot {
  constructor(figure) {
    super(figure, { title: "Latency heatmap", aside: "queries by how long they took", height: HEIGHT, legend: true });
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.area.prepend(this.canvas);
    this.columns = [];
    this.bounds = [];
  }

  // Asks for what is shown, if that is old.
  async refresh(pool, minutes, nowMs) {
    const step = (STEPS_S.find((s) => (minutes * 60) / s <= COLUMNS) ?? 14400) * 1000;
    const key = `${minutes} ${pool}`;
    if (key !== this.key) [this.columns, this.key, this.askedMs] = [[], key, 0];
    if (this.asking || document.hidden || nowMs - (this.askedMs ?? 0) < step) return;
    this.asking = true;
    this.askedMs = nowMs;
    try {
      const of = new URLSearchParams({ pool, minutes, step_ms: step });
      const answer = await ask(`/api/heatmap?${of}`);
      if (key !== this.key) return;
      this.columns = answer.columns.filter((column) => column.counts.length > 0);
      this.bounds = answer.bounds_s;
      this.step = answer.step_ms;
      if (this.view) this.draw(this.view);
    } catch {
      // It is asked again.
    } finally {
      this.asking = false;
    }
  }

  draw(view) {
    this.measure(view);
    const rows = this.rows();
    const parts = this.frame();
    const [low, high] = rows;
    const n = high - low + 1;
    const bottom = this.height - BOTTOM;
    const rowHeight = (bottom - TOP) / n;
    for (let row = low; row <= high; row += 1) {
      if (n > 8 && (row - low) % 3 !== 2) continue;
      const bound = this.bounds[row];
      if (bound === undefined) continue;
      const y = bottom - (row - low + 1) * rowHeight;
      parts.push(svg("text", { x: LEFT - 7, y: y + 4, class: "label value" }, seconds(bound)));
    }
    if (this.columns.length === 0 && view.unknown.length === 0) {
      const place = { x: LEFT + this.inner / 2, y: this.height / 2, class: "nodata" };
      parts.push(svg("text", place, "no data"));
    }
    this.svg.replaceChildren(...parts, ...this.notes, this.cursor);
    this.paint(low, n, rowHeight, bottom);
    this.mark(view.cursor);
    this.tell(view);
  }

  // The rows in which there is something, and one around.
  rows() {
    let [low, high] = [Infinity, -Infinity];
    for (const { counts } of this.columns) {
      counts.forEach((n, row) => {
        if (n > 0) [low, high] = [Math.min(low, row), Math.max(high, row)];
      });
    }
    if (low > high) return [0, Math.max(this.bounds.length - 1, 1)];
    return [Math.max(low - 1, 0), Math.min(Math.max(high, low + 4), this.bounds.length)];
  }

  paint(low, n, rowHeight, bottom) {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = this.width * ratio;
    this.canvas.height = this.height * ratio;
    const to = this.canvas.getContext("2d");
    to.scale(ratio, ratio);
    to.fillStyle = getComputedStyle(this.canvas).color;
    const most = this.columns.reduce((most, { counts }) => Math.max(most, ...counts), 1);
    for (const { unix_ms: end, counts } of this.columns) {
      const a = Math.max(this.x(end - this.step), LEFT);
      const b = Math.min(this.x(end), this.width);
      if (b <= a) continue;
      counts.forEach((count, row) => {
        if (count === 0 || row < low) return;
        // One slow query among thousands is what is looked for.
        to.globalAlpha = 0.16 + 0.84 * (Math.log1p(count) / Math.log1p(most));
        to.fillRect(a, bottom - (row - low + 1) * rowHeight, Math.max(b - a - 0.5, 0.5), rowHeight - 0.5);
      });
    }
  }

  tell(view) {
    const at = view.cursor ?? Infinity;
    const column = this.columns.find((column) => column.unix_ms >= at) ?? this.columns.at(-1);
    if (!column) {
      this.legend.replaceChildren(el("li", {}, "no data"));
      this.said = "no data";
    } else {
      const total = column.counts.reduce((a, b) => a + b, 0);
      const slowest = column.counts.findLastIndex((n) => n > 0);
      const bound = this.bounds[slowest];
      const text = bound === undefined ? `over ${seconds(this.bounds.at(-1))}` : `up to ${seconds(bound)}`;
      this.said = total === 0 ? "no query" : `${count(total)} in ${this.step / 1000} s, the slowest ${text}`;
      this.legend.replaceChildren(
        total === 0
          ? el("li", {}, "no query")
          : el("li", {}, el("b", {}, count(total)), ` in ${this.step / 1000} s, the slowest `, el("b", {}, text)),
      );
    }
    this.svg.setAttribute("aria-label", `${this.label}. ${this.said}. Arrow keys go through time.`);
  }
}
