// One light for the whole page, and a sentence above it once figures may no longer be current: why, and when they
// were last received or confirmed.

import { h, replace } from "./elements.js";
import { clock } from "./format.js";
import { t } from "./texts.js";

const PATIENCE_MS = 1500; // A line that is back within it was never worth a sentence.

export function connection() {
  const parts = new Map();
  const text = h("span", {});
  const element = h(
    "p",
    { class: "connection", role: "status", "data-state": "connecting", hidden: true },
    h("i", { "aria-hidden": "true" }),
    text,
  );
  const notice = h("div", { class: "stale", role: "alert", hidden: true });
  let wasLive = false;
  let reached = 0; // The moment that the figures shown reach to: they were received then or later.
  let telling;

  function stateNow() {
    const all = [...parts.values()].map((part) => part.state);
    if (!all.length) return "connecting";
    if (all.includes("refused")) return "refused";
    if (all.every((one) => one === "live")) return "live";
    if (!wasLive) return "connecting";
    return all.includes("connecting") ? "cut" : "partial";
  }

  function show() {
    const state = stateNow();
    if (state === "live") wasLive = true;
    if (element.dataset.state !== state || !text.textContent) replace(text, t(state));
    element.dataset.state = state;
    const stale = state === "cut" || state === "partial";
    if (!stale) quiet();
    else if (!notice.hidden) say(state);
    else telling ??= setTimeout(() => say(stateNow()), PATIENCE_MS);
  }

  function say(state) {
    telling = undefined;
    if (state !== "cut" && state !== "partial") return;
    const seen = [...parts.values()].filter((part) => part.state !== "live").map((part) => part.seen);
    const said = t(`${state}Since`, { n: clock(Math.max(reached, Math.min(...seen))) });
    if (notice.textContent !== said) replace(notice, said);
    notice.hidden = false;
    document.documentElement.dataset.stale = "";
  }

  function quiet() {
    clearTimeout(telling);
    telling = undefined;
    notice.hidden = true;
    replace(notice);
    delete document.documentElement.dataset.stale;
  }

  quiet();
  show();
  return {
    element,
    notice,
    // `seen` is when the part last showed that it was live; while it is away that moment stands.
    part(name) {
      element.hidden = false;
      return (state, seen) => {
        const before = parts.get(name);
        const now = state === "live" ? Date.now() : (seen ?? before?.seen ?? Date.now());
        parts.set(name, { state, seen: now });
        show();
      };
    },
    // What is not followed any more says nothing of what is shown.
    without(name) {
      parts.delete(name);
      element.hidden = !parts.size;
      show();
    },
    reach(dataTime) {
      if (dataTime) reached = Math.max(reached, new Date(dataTime).getTime());
    },
    stop() {
      quiet();
      notice.remove();
    },
  };
}
