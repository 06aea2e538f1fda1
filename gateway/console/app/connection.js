// One light for all streams: live when each is, else what is being done about it.

import { h, replace } from "./elements.js";
import { t } from "./texts.js";

export function connection() {
  const states = new Map();
  const text = h("span", {});
  const element = h(
    "p",
    { class: "connection", role: "status", "data-state": "connecting" },
    h("i", { "aria-hidden": "true" }),
    text,
  );
  let wasLive = false;

  function show() {
    const all = [...states.values()];
    const state = !all.length
      ? "connecting"
      : all.includes("refused")
        ? "refused"
        : all.every((one) => one === "live")
          ? "live"
          : wasLive
            ? "cut"
            : "connecting";
    if (state === "live") wasLive = true;
    element.dataset.state = state;
    replace(text, t(state));
  }

  show();
  return {
    element,
    part: (name) => (state) => {
      states.set(name, state);
      show();
    },
    reset() {
      states.clear();
      wasLive = false;
      show();
    },
  };
}
