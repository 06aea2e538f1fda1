// Says what went wrong, where it did, and tries again by itself what may work later.

import { h, replace } from "./elements.js";
import { t } from "./texts.js";

const AGAIN_MS = 5000;
const TOAST_MS = 6000;

// With a place the sentence stands there, with a way to try again; without one it is a note that goes by itself.
export function tell(error, place, again) {
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
  const toast = h("div", { class: "toast" }, said);
  document.body.append(toast);
  setTimeout(() => toast.remove(), TOAST_MS);
}

// Nobody answered, or asked to come back later.
const passing = (error) => error.status === 0 || error.status === 429 || error.status >= 502;
