// The page of alerts: what is to be handled, the rules that raise it, silences, and how the rules do.

import { may } from "./access.js";
import { say } from "./alertTexts.js";
import { unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { openPage } from "./page.js";
import { rules } from "./rules.js";
import { silences } from "./silences.js";
import { statistics } from "./statistics.js";
import { t } from "./texts.js";
import { worklist } from "./worklist.js";

const TABS = { worklist, rules, silences, statistics };
const ASKED = {
  worklist: (unit) => unitPath(unit.id, "/alerts"),
  rules: () => "/v1/rules",
  silences: (unit) => unitPath(unit.id, "/silences"),
  statistics: (unit) => unitPath(unit.id, "/alerts:statistics"),
};

function show({ content, unit, account, light }) {
  const panel = h("section", { class: "panel" });
  const tabs = h(
    "div",
    { class: "choice", role: "group" },
    Object.keys(TABS).filter((name) => may("GET", ASKED[name](unit))).map((name) =>
      h("button", { type: "button", "data-tab": name, onclick: () => open(name) }, say(name)),
    ),
  );
  let stop;
  function open(name) {
    leave();
    for (const button of tabs.children) button.setAttribute("aria-pressed", button.dataset.tab === name);
    stop = TABS[name](panel, { unit, account, light });
  }
  // What follows its alerts stops once it is not shown any more.
  function leave() {
    if (typeof stop === "function") stop();
    stop = undefined;
  }
  replace(
    content,
    h("div", { class: "title" }, h("h1", {}, t("page_alerts")), h("span", { class: "asof" }, unit.name), tabs),
    panel,
  );
  open("worklist");
  return leave;
}

openPage({ title: () => t("page_alerts"), show });
