// Alerts: what fires, the rules, what changed, and a form for one more.

import { $, el, fill, say } from "./dom.js";
import { ask } from "./ask.js";
import { NONE, number, span, when, words } from "./text.js";

const seen = (values) =>
  Object.entries(values).map(([name, value]) => `${name} ${value === null ? "no data" : number(value)}`).join(", ");

// Those that were said aloud.
let told = [];

export function showAlerts({ alerts, events, unix_ms: nowMs }) {
  const firing = alerts.filter((alert) => alert.state === "firing" || alert.fired_ms !== null);
  const box = $("firing");
  const names = firing.map((alert) => `${alert.severity}: ${alert.rule} on ${alert.pool}`);
  const fresh = names.filter((name) => !told.includes(name));
  if (fresh.length > 0) say($("readout"), `Alert fires. ${fresh.join(". ")}`);
  told = names;
  box.hidden = firing.length === 0;
  const rows = firing.map((alert) => [alert.rule, alert.pool, alert.severity, alert.state, alert.fired_ms]);
  fill(box, rows, () =>
    firing.map((alert) =>
      el(
        "p",
        { class: `alert ${alert.severity}` },
        el("b", {}, `${alert.severity} `),
        el("span", { class: "name" }, alert.rule),
        ` on ${alert.pool}, since ${when(alert.fired_ms)}`,
        alert.state === "no_data" ? ", and no data since" : "",
        el("span", { class: "dim" }),
      ),
    ),
  );
  firing.forEach((alert, i) => say(box.children[i].lastChild, seen(alert.values)));
  rules(alerts);
  fill($("events"), events, () =>
    events.length === 0
      ? [el("li", { class: "dim" }, "nothing so far")]
      : events.map((event) =>
          el(
            "li",
            {},
            el("span", { class: "time" }, when(event.unix_ms)),
            ` ${event.rule} on ${event.pool}: `,
            el("span", { class: `chip ${event.to}` }, words(event.to)),
            event.to === "firing" && !event.announced ? " again, within the cooldown" : "",
          ),
        ),
  );
  return firing;
}

let known = [];

function rules(alerts) {
  const of = new Map();
  for (const alert of alerts) {
    const all = of.get(alert.rule) ?? [];
    all.push(alert);
    of.set(alert.rule, all);
  }
  // A rule that somebody else has added or removed.
  const names = known.map((rule) => rule.name);
  const same = of.size === 0 || (names.length === of.size && names.every((name) => of.has(name)));
  if (!same) loadRules();
  const rows = known.map((rule) => {
    const chips = (of.get(rule.name) ?? []).map((alert) => [alert.pool, alert.state, alert.since_ms]);
    chips.sort((a, b) => (a[0] < b[0] ? -1 : 1));
    return [rule, chips];
  });
  fill($("rules"), rows, () =>
    rows.map(([rule, chips]) =>
      el(
        "tr",
        {},
        el(
          "th",
          { scope: "row" },
          el("span", { class: `severity ${rule.severity}` }, rule.severity),
          ` ${rule.name} `,
          el("span", { class: "dim" }, rule.for_s > 0 ? `after ${span(rule.for_s)} of` : "at once at"),
          el("code", {}, rule.expression),
        ),
        el(
          "td",
          {},
          ...chips.map(([pool, state, since]) =>
            el("span", { class: `chip ${state}`, title: `since ${when(since)}` }, `${pool}: ${words(state)}`),
          ),
          chips.length === 0 ? NONE : "",
        ),
        el("td", {}, removal(rule.name)),
      ),
    ),
  );
}

function removal(name) {
  const button = el("button", { type: "button", class: "quiet", "aria-label": `Remove the alert ${name}` }, "Remove");
  let sure;
  button.addEventListener("click", async () => {
    if (!sure) {
      // It is asked for twice, not in a box that holds up the page.
      button.textContent = "Sure?";
      sure = setTimeout(() => { sure = undefined; button.textContent = "Remove"; }, 3000);
      return;
    }
    clearTimeout(sure);
    button.disabled = true;
    await ask(`/api/alerts/${encodeURIComponent(name)}`, { method: "DELETE" }).catch(() => {});
    await loadRules();
  });
  return button;
}

export async function loadRules() {
  try {
    const answer = await ask("/api/alerts");
    known = answer.rules;
    rules(answer.alerts);
  } catch {
    // They come with the next change.
  }
}

export function wireForm() {
  $("add").addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const rule = Object.fromEntries(new FormData(form));
    rule.for_s = Number(rule.for_s);
    const error = $("add-error");
    error.hidden = true;
    try {
      await ask("/api/alerts", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(rule),
      });
      form.reset();
      await loadRules();
    } catch (failed) {
      error.textContent = failed.message;
      error.hidden = false;
    }
  });
}
