// A unit that cannot be shown: says why, whom to ask, and leads back to one's own.

import { h } from "./elements.js";
import { t } from "./texts.js";

// Why a unit that was asked for is not shown, by the status of the answer; of others the failure itself is told.
const WHY = { 400: "noSuchUnit", 403: "notYours", 404: "noSuchUnit" };

// The reason why a unit could not be opened; throws what is no such reason.
export function whyNotShown(error) {
  if (!WHY[error.status]) throw error;
  return WHY[error.status];
}

// `onHome` only where there is a unit of one's own; `hint` says more where something more is known.
export function notShown(why, { hint = "", onHome, onLeave }) {
  return h(
    "div",
    { class: "card", role: "alert" },
    h("h1", {}, t(why)),
    hint ? h("p", {}, hint) : "",
    h("p", {}, t(why === "noSuchUnit" ? "noSuchUnitHint" : "noUnitHint")),
    onHome ? h("button", { class: "primary", onclick: onHome }, t("toOwn")) : "",
    h("button", { onclick: onLeave }, t("signOut")),
  );
}
