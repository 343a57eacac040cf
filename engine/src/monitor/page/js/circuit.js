// The states of the circuit over time, as a strip.

import { svg } from "./dom.js";
import { Plot } from "./chart.js";
import { CIRCUIT } from "./metrics.js";

const NAMES = ["closed", "half-open", "open"];
const HEIGHT = 62;

export class Circuit extends Plot {
  constructor(figure) {
    super(figure, { title: "", height: HEIGHT, legend: false, label: "State of the circuit" });
  }

  draw(view) {
    this.measure(view);
    const { past } = view;
    const values = past.values[CIRCUIT];
    const parts = this.frame();
    const bands = [];
    values.forEach((value, i) => {
      if (value === null) return;
      const from = past.times[i] - past.stepMs;
      const last = bands.at(-1);
      const place = Math.round(value);
      if (last && last.place === place && from - last.to < past.stepMs / 2) last.to = past.times[i];
      else bands.push({ place, from, to: past.times[i] });
    });
    for (const { place, from, to } of bands) {
      const [a, b] = [this.x(Math.max(from, view.from)), this.x(to)];
      if (b <= a) continue;
      // Also what was short is seen.
      const width = Math.max(b - a, place > 0 ? 3 : 0);
      parts.push(svg("rect", { x: a, y: 12, width, height: 24, class: `state-${place}` }));
      if (width > 60) {
        parts.push(svg("text", { x: a + 8, y: 28, class: "band" }, NAMES[place]));
      }
    }
    this.svg.replaceChildren(...parts, ...this.notes, this.cursor);
    this.mark(view.cursor);
    this.tell(view);
  }

  tell(view) {
    const values = view.past.values[CIRCUIT];
    const value = view.place === null ? values.at(-1) : values[view.place];
    const now = value === null || value === undefined ? "no data" : NAMES[Math.round(value)];
    const open = values.filter((value) => value === 2).length * (view.past.stepMs / 1000);
    const said = `${now}; open for some ${Math.round(open)} s of the time shown`;
    this.svg.setAttribute("aria-label", `${this.label}. ${said}. Arrow keys go through time.`);
    this.said = now;
  }
}
