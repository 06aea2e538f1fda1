// Silences in force below the unit, with who made them and why; each can be ended.

import { say } from "./alertTexts.js";
import { may } from "./access.js";
import { ask, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { refused } from "./fields.js";
import { instant } from "./format.js";

export async function silences(panel, shared) {
  const { unit } = shared;
  try {
    const { silences: known = [] } = await ask(unitPath(unit.id, "/silences"));
    if (!known.length) return replace(panel, h("p", { class: "muted" }, say("noSilences")));
    const headings = ["covers", "from", "to", "why", "madeBy"].map((key) => h("th", { scope: "col" }, say(key)));
    return replace(
      panel,
      h(
        "div",
        { class: "scroll" },
        h("table", {}, h("thead", {}, h("tr", {}, headings, h("td"))), h("tbody", {}, known.map(line))),
      ),
    );
  } catch (error) {
    return replace(panel, refused(error));
  }

  function line(silence) {
    const problem = h("div", {});
    const ending = unitPath(silence.unit_id, `/silences/${silence.silence_id}:end`);
    const end = async () => {
      try {
        await ask(ending, { method: "POST", body: {} });
        silences(panel, shared);
      } catch (error) {
        replace(problem, refused(error));
      }
    };
    const covers = [silence.unit_name, silence.rule || silence.family || say("allRules"), silence.subject];
    return h(
      "tr",
      { "data-silence": silence.silence_id },
      h("th", { scope: "row" }, covers.filter(Boolean).join(" · ")),
      h("td", {}, instant(silence.start_time)),
      h("td", {}, instant(silence.end_time)),
      h("td", {}, silence.reason, problem),
      h("td", {}, silence.created_by),
      h("td", {}, may("POST", ending) ? h("button", { type: "button", onclick: end }, say("endNow")) : ""),
    );
  }
}
