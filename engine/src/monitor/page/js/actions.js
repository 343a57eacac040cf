// Actions: what can be done from here, if somebody offers it.

import { $, el, fill } from "./dom.js";
import { ask } from "./ask.js";

const AGAIN_MS = 1000;

export async function showActions() {
  const { actions } = await ask("/api/actions").catch(() => ({ actions: [] }));
  $("actions").hidden = actions.length === 0;
  if (actions.length === 0) return;
  const busy = actions.some((action) => action.running);
  const focused = document.activeElement?.dataset?.action;
  fill($("buttons"), actions, () => actions.map((action) => button(action, busy)));
  if (focused) $("buttons").querySelector(`[data-action="${CSS.escape(focused)}"]`)?.focus();
  setTimeout(showActions, AGAIN_MS);
}

function button({ name, title, about, running }, busy) {
  const made = el(
    "button",
    { type: "button", title: about, "data-action": name, "aria-pressed": String(running), class: running ? "running" : "" },
    title,
  );
  // One that is disabled loses the focus.
  made.setAttribute("aria-disabled", String(busy));
  made.addEventListener("click", async () => {
    if (busy) return;
    const error = $("action-error");
    error.hidden = true;
    try {
      await ask(`/api/actions/${encodeURIComponent(name)}`, { method: "POST" });
    } catch (failed) {
      error.textContent = failed.message;
      error.hidden = false;
    }
  });
  return made;
}
