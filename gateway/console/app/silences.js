// Silences in force below the unit, with who made them and why; each can be ended, and another made of the unit.

import { say } from "./alertTexts.js";
import { may } from "./access.js";
import { ask, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { area, choice, input, instantOf, marked, refused, values } from "./fields.js";
import { bilingual, instant } from "./format.js";

const FAMILIES = { "": "all", indicator: "indicator", pupil: "pupil", data: "data", statistics: "statistics_family" };

export async function silences(panel, shared) {
  const { unit } = shared;
  const path = unitPath(unit.id, "/silences");
  try {
    const { silences: known = [] } = await ask(path);
    const adding = may("POST", path) ? h("button", { class: "primary", type: "button", onclick: write }, say("newSilence")) : "";
    if (!known.length) return replace(panel, adding, h("p", { class: "muted" }, say("noSilences")));
    const headings = ["covers", "from", "to", "why", "madeBy"].map((key) => h("th", { scope: "col" }, say(key)));
    return replace(
      panel,
      adding,
      h(
        "div",
        { class: "scroll" },
        h("table", {}, h("thead", {}, h("tr", {}, headings, h("td"))), h("tbody", {}, known.map(line))),
      ),
    );
  } catch (error) {
    return replace(panel, refused(error));
  }

  async function write() {
    let rules;
    try {
      ({ rules = [] } = await ask("/v1/rules", { query: { page_size: 1000 } }));
    } catch (error) {
      return replace(panel, refused(error));
    }
    const answer = h("div", { "aria-live": "polite" });
    const titles = rules.map((rule) => [rule.code, bilingual(rule, "name") || rule.code]);
    const form = h(
      "form",
      { onsubmit: save, noValidate: true },
      h(
        "div",
        { class: "fields" },
        choice("rule", say("rule"), { "": say("allRules"), ...Object.fromEntries(titles) }),
        choice("family", say("family"), Object.fromEntries(Object.entries(FAMILIES).map(([key, text]) => [key, say(text)]))),
        input("start_time", say("from"), { type: "datetime-local" }),
        input("end_time", say("until"), { type: "datetime-local" }),
        area("reason", say("why")),
      ),
      answer,
      h(
        "div",
        { class: "doing" },
        h("button", { class: "primary" }, say("save")),
        h("button", { type: "button", onclick: () => silences(panel, shared) }, say("cancel")),
      ),
    );
    return replace(panel, form);

    async function save(event) {
      event.preventDefault();
      const { start_time: start, end_time: end, ...said } = values(form);
      try {
        await ask(path, { method: "POST", body: { ...said, start_time: instantOf(start), end_time: instantOf(end) } });
        silences(panel, shared);
      } catch (error) {
        replace(answer, marked(form, error));
      }
    }
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
