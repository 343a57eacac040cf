// How the pool stands now: health, numbers, and tables. All of it is what /api/status says.

import { $, el, fill, pairs, say } from "./dom.js";
import { bytes, count, NONE, number, percent, perSecond, seconds, span, when, words } from "./text.js";

const WELL = { healthy: "Healthy", degraded: "Degraded", down: "Down" };

let lastTold = null;

// `now`: the values of the last step, by metric.
export function showPool(pool, now) {
  const { state, reasons } = pool.health;
  document.documentElement.dataset.health = state;
  say($("state"), WELL[state] ?? state);
  // Said aloud when it changes, not every second.
  const told = `${pool.id}: ${WELL[state] ?? state}`;
  if (told !== lastTold) say($("readout"), `${told}. ${reasons[0] ?? ""}`);
  lastTold = told;
  fill($("reasons"), reasons, () => reasons.map((reason) => el("li", {}, reason)));
  const role = pool.role === "any" ? "" : `${pool.role} · `;
  say($("about"), `${role}up for ${span(pool.uptime_s)}`);
  tiles(pool, now);
  circuit(pool.circuit_breaker);
  errors(pool);
  holders(pool.longest_holders);
  pipeline(pool);
  if ($("details").open) details(pool);
  const memory = pool.history;
  const kept = memory.retention_minutes > 0
    ? `history: ${memory.retention_minutes} min, ${bytes(memory.bytes)} of at most ${bytes(memory.bytes_most)}`
    : "no history is kept: metrics_retention_minutes is 0";
  say($("memory"), kept);
  const { metrics_url: url } = pool.monitoring;
  fill($("metrics-url"), url, () => (url ? ["Prometheus: ", el("code", {}, url)] : []));
}

function tiles(pool, now) {
  const breaker = pool.circuit_breaker;
  const waiting = pool.queue_depth + pool.waiting_for_circuit;
  const latest = (metric, format) => {
    const value = now(metric);
    return value === null ? "last minute" : `now ${format(value)}`;
  };
  const all = [
    ["Queries, 1 min", perSecond(pool.queries_per_second), latest("all", perSecond), ""],
    ["Errors, 1 min", percent(pool.error_rate), latest("failed", percent), level(pool.error_rate, 0.01, 0.05)],
    ["Query, mean", seconds(ms(pool.avg_query_time_ms)), "last minute", ""],
    ["Acquire, mean", seconds(ms(pool.avg_acquisition_time_ms)), "last minute", ""],
    [
      "In use",
      `${pool.active_connections} / ${pool.max_connections}`,
      `${percent(pool.utilization_rate)}, ${pool.idle_connections} idle`,
      level(pool.utilization_rate, 0.9, 1),
    ],
    [
      "Waiting",
      count(waiting),
      pool.waiting_for_circuit > 0 ? `${count(pool.waiting_for_circuit)} for the circuit` : "callers now",
      level(waiting, 1, 100),
    ],
    [
      "Circuit",
      words(breaker.state),
      breaker.time_until_recovery === null
        ? breaker.mode === "active" ? `opened ${count(breaker.metrics.opened)} times` : breaker.mode
        : `next in ${seconds(breaker.time_until_recovery)}`,
      { open: "bad", half_open: "odd" }[breaker.state] ?? "",
    ],
  ];
  fill($("tiles"), all, () =>
    all.map(([name, value, note, level]) =>
      el("div", { class: level }, el("dt", {}, name), el("dd", {}, value), el("dd", { class: "note" }, note)),
    ),
  );
}

const ms = (n) => (n === null ? null : n / 1000);

const level = (n, odd, bad) => (n === null ? "" : n >= bad ? "bad" : n >= odd ? "odd" : "");

const nothing = (columns, text) => [
  el("tr", {}, el("td", { colspan: String(columns), class: "dim" }, text)),
];

function circuit(breaker) {
  const { metrics } = breaker;
  const mode = breaker.mode === "active" ? "" : `${breaker.mode} · `;
  say(
    $("circuit"),
    `${mode}${words(breaker.state)} · ${count(metrics.refused)} refused · ${count(metrics.probes)} probes, ${count(metrics.probes_failed)} failed`,
  );
  const changes = [...breaker.transitions].reverse();
  fill($("transitions"), changes, () =>
    changes.length === 0
      ? nothing(3, "it has never changed")
      : changes.map((change) =>
          el(
            "tr",
            {},
            el("td", { class: "time" }, when(change.unix_ms)),
            el("td", {}, el("span", { class: `to to-${change.to}` }, `${words(change.from)} → ${words(change.to)}`)),
            el("td", {}, change.reason),
          ),
        ),
  );
}

function errors(pool) {
  const examples = new Map(pool.error_examples.map((example) => [example.class, example]));
  const classes = Object.entries(pool.detailed_metrics.errors).filter(([, n]) => n > 0);
  classes.sort((a, b) => b[1] - a[1]);
  fill($("errors"), [classes, pool.error_examples], () =>
    classes.length === 0
      ? nothing(4, "none")
      : classes.map(([name, n]) => {
          const example = examples.get(name);
          const state = example?.sqlstate ? el("code", {}, example.sqlstate) : null;
          return el(
            "tr",
            {},
            el("th", { scope: "row" }, words(name)),
            el("td", { class: "n" }, count(n)),
            el("td", { class: "time" }, example ? when(example.unix_ms) : NONE),
            el("td", {}, state, state ? " " : "", example?.text ?? ""),
          );
        }),
  );
}

function holders(all) {
  // Rows are made anew only when they are others; else only times change.
  const rows = all.map(({ connection, doing }) => [connection, doing]);
  fill($("holders"), rows, () =>
    rows.length === 0
      ? nothing(3, "nobody holds a connection now")
      : rows.map(([connection, doing]) =>
          el("tr", {}, el("td", {}, `#${connection}`), el("td", { class: "n" }), el("td", {}, words(doing))),
        ),
  );
  all.forEach((holder, i) => say($("holders").rows[i].cells[1], seconds(holder.held_s)));
}

function pipeline(pool) {
  const { pipeline } = pool;
  const sizes = pool.detailed_metrics.histograms.pipeline_batch_size;
  say(
    $("pipeline"),
    pipeline.total_queries === 0
      ? "not used so far"
      : `${count(pipeline.total_queries)} queries in ${count(pipeline.total_batches)} batches of ${number(sizes?.mean)}, ${percent(pipeline.success_rate)} done`,
  );
  const outcomes = Object.entries(pipeline.outcomes).filter(([, n]) => n > 0);
  fill($("outcomes"), outcomes, () =>
    outcomes.map(([name, n]) => el("div", {}, el("dt", {}, words(name)), " ", el("dd", {}, count(n)))),
  );
}

function details(pool) {
  const { histograms, counters, results, query_summary: summary, sqlstate_classes: states } = pool.detailed_metrics;
  const rows = Object.entries(histograms).filter(([, histogram]) => histogram.count > 0);
  const columns = ["mean", "p50", "p90", "p95", "p99", "p999", "max"];
  fill($("histograms"), rows, () =>
    rows.length === 0
      ? nothing(9, "nothing so far")
      : rows.map(([name, histogram]) => {
          const format = name.includes("seconds") ? seconds : number;
          const cells = columns.map((column) => el("td", { class: "n" }, format(histogram[column])));
          return el("tr", {}, el("th", { scope: "row" }, words(name.replace("_duration_seconds", ""))), el("td", { class: "n" }, count(histogram.count)), ...cells);
        }),
  );
  const plain = (all) => Object.entries(all).map(([name, n]) => [words(name.replace(/_total$/, "")), n]);
  pairs($("counters"), plain(counters), count);
  pairs($("results"), plain(results).filter(([, n]) => n > 0), count);
  pairs($("kinds"), plain(summary.by_kind), count);
  pairs($("sqlstates"), plain(states), count);
}

export function showServer(server) {
  if (!$("details").open) return;
  const of = (all) => Object.entries(all).map(([name, n]) => [words(name), n]);
  pairs($("server"), of(server.dashboard), count);
}
