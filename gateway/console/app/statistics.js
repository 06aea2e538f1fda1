// How the rules do below the unit: how much they raise, how soon it is taken and closed, how often it is a false alarm.

import { say } from "./alertTexts.js";
import { ask, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { refused } from "./fields.js";
import { number, percent } from "./format.js";

const COLUMNS = ["rule", "raised", "open", "takenAfter", "closedAfter", "falseShare", "escalated"];

export async function statistics(panel, { unit }) {
  try {
    const { rules: known = [] } = await ask(unitPath(unit.id, "/alerts:statistics"));
    replace(
      panel,
      h("p", { class: "muted" }, say("last30")),
      h(
        "div",
        { class: "scroll" },
        h(
          "table",
          {},
          h("thead", {}, h("tr", {}, COLUMNS.map((key, place) => h("th", { scope: "col", class: place ? "figure" : "" }, say(key))))),
          h("tbody", {}, known.map(line)),
        ),
      ),
    );
  } catch (error) {
    replace(panel, refused(error));
  }
}

function line(one) {
  const raised = Number(one.raised_count ?? 0);
  const figures = [
    number(raised),
    number(one.open_count ?? 0),
    lasted(one.median_minutes_to_acknowledge),
    lasted(one.median_minutes_to_resolve),
    percent(Number(one.false_alarm_count ?? 0), raised),
    number(one.escalated_count ?? 0),
  ];
  return h("tr", {}, h("th", { scope: "row" }, one.rule), figures.map((text) => h("td", { class: "figure" }, text)));
}

function lasted(minutes) {
  if (minutes === undefined) return "–";
  if (minutes < 120) return say("minutes", { n: number(minutes) });
  return minutes < 2880 ? say("hours", { n: number(minutes / 60) }) : say("days", { n: number(minutes / 1440) });
}
