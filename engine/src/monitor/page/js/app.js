// The page: which pool and which time are shown, and what is drawn when.

import { $, el, fill, say } from "./dom.js";
import { ask } from "./ask.js";
import { Live } from "./live.js";
import { Past } from "./past.js";
import { Chart } from "./chart.js";
import { Heatmap } from "./heatmap.js";
import { Circuit } from "./circuit.js";
import { showPool, showServer } from "./pool.js";
import { showActions } from "./actions.js";
import { loadRules, showAlerts, wireForm } from "./alerts.js";
import { ACQUIRE, ALL, CONNECTIONS, LATENCY, LIMIT, OUTCOMES, PIPELINE, WAITING } from "./metrics.js";
import { clock, number, perSecond, seconds } from "./text.js";

const figure = (name) => document.querySelector(`[data-chart="${name}"]`);
const heatmap = new Heatmap(figure("heatmap"));
const charts = [
  new Chart(figure("throughput"), { title: "Throughput", aside: "queries by what became of them", series: OUTCOMES, stacked: true, format: perSecond }),
  new Chart(figure("latency"), { title: "Latency", aside: "queries, logarithmic", series: LATENCY, log: true, format: seconds }),
  heatmap,
  new Chart(figure("connections"), { title: "Connections", aside: "in the pool", series: CONNECTIONS, limit: LIMIT, stacked: true, format: number, whole: true, least: 4 }),
  new Chart(figure("acquire"), { title: "Acquire", aside: "from asking to having a connection, logarithmic", series: ACQUIRE, log: true, format: seconds }),
  new Chart(figure("waiting"), { title: "Waiting callers", aside: "mean of each step", series: WAITING, format: number, whole: true, least: 4 }),
  new Circuit(figure("circuit")),
  new Chart(figure("pipeline"), { title: "", label: "Pipeline", series: PIPELINE, format: perSecond, height: 110 }),
];

const chosen = { pool: null, minutes: 5, ...fromAddress() };
let last = null;
let cursor = null;
const past = new Past(() => soon());

function fromAddress() {
  const of = new URLSearchParams(location.hash.slice(1));
  const minutes = Number(of.get("minutes"));
  return { ...(of.has("pool") && { pool: of.get("pool") }), ...(minutes > 0 && { minutes }) };
}

function choose(change) {
  Object.assign(chosen, change);
  history.replaceState(null, "", `#${new URLSearchParams({ pool: chosen.pool, minutes: chosen.minutes })}`);
  cursor = null;
  if (last) show(last);
}

function picks(fieldset, name, options, value, pick) {
  fill(fieldset, [options, value], () => [
    fieldset.querySelector("legend"),
    ...options.map(([id, label, mark]) => {
      const input = el("input", { type: "radio", name, value: String(id), checked: id === value });
      input.addEventListener("change", () => pick(id));
      return el("label", { title: label }, input, el("span", {}, mark ? el("i", { class: `mark ${mark}`, title: mark }) : null, label));
    }),
  ]);
}

// Fills with the focus where it was.
function repick(fieldset, ...rest) {
  const focused = fieldset.contains(document.activeElement) ? document.activeElement.value : null;
  picks(fieldset, ...rest);
  if (focused !== null) [...fieldset.querySelectorAll("input")].find((i) => i.value === focused)?.focus();
}

function heard(message) {
  const first = last === null;
  last = message;
  show(message);
  if (first) hello();
}

async function hello() {
  loadRules();
  showActions();
  const { pools } = await ask("/api/pools").catch(() => ({ pools: [] }));
  const names = pools[0]?.metrics ?? [];
  $("metrics").replaceChildren(...names.map((value) => el("option", { value })));
}

function show(message) {
  const { pools } = message;
  const pool = pools.find((pool) => pool.id === chosen.pool) ?? worst(pools);
  const none = pools.length === 0;
  trouble(none ? "No pool is shown here at the moment." : past.error ? `The history could not be had: ${past.error}` : null);
  showAlerts(message);
  showServer(message.server);
  if (none) {
    document.documentElement.dataset.health = "none";
    say($("state"), "No pool");
    return;
  }
  chosen.pool = pool.id;
  repick($("pools"), "pool", pools.map((pool) => [pool.id, pool.id, pool.health.state]), pool.id, (id) => choose({ pool: id }));
  const kept = pool.history.retention_minutes;
  const ranges = [5, 15, 30, 60].filter((minutes) => minutes < kept).map((minutes) => [minutes, `${minutes} min`]);
  ranges.push([kept, kept === 60 ? "60 min" : kept % 60 === 0 && kept > 0 ? `all (${kept / 60} h)` : `all (${kept} min)`]);
  if (!ranges.some(([minutes]) => minutes === chosen.minutes)) chosen.minutes = ranges[0][0];
  repick($("ranges"), "range", ranges, chosen.minutes, (minutes) => choose({ minutes }));
  showPool(pool, now);
  title(pools, pool);
  if (kept === 0) return;
  if (past.pool !== pool.id || past.minutes !== chosen.minutes) past.show(pool.id, chosen.minutes);
  past.heard(message.charted, pool.steps, pool.unix_ms);
  heatmap.refresh(pool.id, chosen.minutes, pool.unix_ms);
  const of = new URLSearchParams({ pool: pool.id, minutes: chosen.minutes, format: "csv" });
  $("csv").href = `/api/history/${ALL.join(",")}?${of}`;
  soon();
}

// What the last step says: queries per second, and the share of them that failed.
function now(what) {
  const values = OUTCOMES.map(([metric]) => past.values[metric].at(-1) ?? null);
  if (past.last() === null || past.nowMs - past.last() > 5000 || values[0] === null) return null;
  const all = values.reduce((a, b) => a + b, 0);
  const fine = values[0] + values[1];
  return what === "all" ? all : all > 0 ? (all - fine) / all : null;
}

const RANK = { down: 0, degraded: 1, healthy: 2 };
const worst = (pools) => [...pools].sort((a, b) => RANK[a.health.state] - RANK[b.health.state])[0];

function title(pools, pool) {
  const { state } = worst(pools).health;
  const mark = { healthy: "", degraded: "▲ degraded · ", down: "● DOWN · " }[state] ?? "";
  const text = `${mark}${pool.id} · Seawall`;
  if (document.title !== text) document.title = text;
}

function trouble(text) {
  $("trouble").hidden = text === null;
  if (text !== null) say($("trouble"), text);
}

let drawing = false;
function soon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function view() {
  const to = past.nowMs ?? past.last();
  const from = to - past.minutes * 60000;
  const place = cursor === null ? null : nearest(cursor);
  return { past, from, to, unknown: past.unknown(from, to), cursor: place === null ? null : past.times[place], place };
}

function nearest(time) {
  if (past.times.length === 0) return null;
  const place = past.times.findIndex((at) => at >= time);
  if (place < 0) return past.times.length - 1;
  return place > 0 && time - past.times[place - 1] < past.times[place] - time ? place - 1 : place;
}

function draw() {
  if (past.stepMs === null || document.hidden) return;
  const now = view();
  charts.forEach((chart) => chart.draw(now));
}

function mark() {
  if (past.stepMs === null) return;
  const now = { ...charts[0].view, ...view() };
  // Where the plots stand, not where they will.
  [now.from, now.to] = [charts[0].view.from, charts[0].view.to];
  charts.forEach((chart) => {
    chart.mark(now.cursor);
    chart.tell(now);
  });
}

for (const chart of charts) {
  chart.moved = (time) => {
    cursor = time;
    mark();
  };
  chart.stepped = (by, on) => {
    const at = cursor === null ? past.times.length - 1 : nearest(cursor);
    const place = Math.min(Math.max(at + by, 0), past.times.length - 1);
    cursor = past.times[place] ?? null;
    mark();
    if (cursor !== null) say($("readout"), `${clock(cursor)}: ${on.said}`);
  };
}

let wasStale = false;
function age() {
  const seconds = live.age();
  const stale = seconds !== null && seconds > 3;
  document.documentElement.toggleAttribute("data-stale", stale);
  const state = seconds === null ? "connecting" : stale ? `last seen ${Math.round(seconds)} s ago` : "live";
  if (stale !== wasStale) say($("readout"), stale ? "The server is not heard any more." : "The server is heard again.");
  wasStale = stale;
  $("live").className = `live ${seconds === null ? "" : stale ? "stale" : "fresh"}`;
  say($("live"), state);
}

const THEMES = ["auto", "light", "dark"];
function theme(name) {
  document.documentElement.dataset.theme = name;
  say($("theme"), name[0].toUpperCase() + name.slice(1));
  try { localStorage.setItem("theme", name); } catch { /* then it is for this visit */ }
  soon();
}
function remembered() {
  try { return localStorage.getItem("theme"); } catch { return null; }
}
$("theme").addEventListener("click", () => {
  const now = THEMES.indexOf(document.documentElement.dataset.theme);
  theme(THEMES[(now + 1) % THEMES.length]);
});
theme(THEMES.find((name) => name === remembered()) ?? "auto");

wireForm();
$("details").addEventListener("toggle", () => last && show(last));
new ResizeObserver(soon).observe($("main"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon);
addEventListener("hashchange", () => choose(fromAddress()));
const live = new Live(heard);
setInterval(age, 500);
