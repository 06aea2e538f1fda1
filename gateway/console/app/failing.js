// Says what went wrong, where it did, and tries again by itself what may work later.

import { h, replace } from "./elements.js";
import { t } from "./texts.js";

const AGAIN_MS = 5000;
const TOAST_MS = 12_000;
const GROUPS = ".actions, .deeds, .doing, .row-of-buttons, .choice, label";

let pressed; // The control that somebody touched last.
let beside; // The one note that stands beside such a control.

// From now on no call fails in silence: what no page caught is said beside the control that was touched last.
export function sayWhatFails() {
  for (const kind of ["click", "change"])
    document.addEventListener(kind, ({ target }) => (pressed = target.closest("button, a, input, select, summary") ?? pressed), true);
  window.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    tell(event.reason);
  });
}

// With a place the sentence stands there, with a way to try again; without one beside what was pressed, or, where that is
// gone, as a note that goes by itself. A question given up and a session that ended are told elsewhere.
export function tell(error, place, again) {
  if (error.name === "AbortError" || error.status === 401) return;
  if (!error.reason) console.error(error);
  const said = h(
    "div",
    { class: "notice warn", role: "alert" },
    h("p", {}, error.reason ? error.message : t("failed")),
    error.requestId ? h("p", { class: "muted" }, `${t("requestId")}: ${error.requestId}`) : "",
    again ? h("button", { onclick: () => again() }, t("retry")) : "",
  );
  if (place) {
    replace(place, said);
    if (again && passing(error)) setTimeout(() => said.isConnected && again(), AGAIN_MS);
    return;
  }
  beside?.remove();
  beside = said;
  if (pressed?.isConnected) {
    said.classList.add("beside");
    (pressed.closest(GROUPS) ?? pressed).after(said);
    return;
  }
  const toast = h("div", { class: "toast" }, said);
  document.body.append(toast);
  setTimeout(() => toast.remove(), TOAST_MS);
}

// Nobody answered, or asked to come back later.
const passing = (error) => error.status === 0 || error.status === 429 || error.status >= 502;
