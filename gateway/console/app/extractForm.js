// Asking for an extract: columns and levels by their words; columns that do not go together cannot be chosen together.

import { ask, requestId, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { said } from "./extractTexts.js";
import { choice, refused } from "./fields.js";
import { schoolYear } from "./format.js";

const YEARS = 5; // The one that runs, and those before it.
const FORMATS = { xlsx: "Excel", csv: "CSV" };

// `fill(extract)` puts another request's content into the form; `onAsked(extract)` hears of each that was sent.
export function extractForm({ unit, sets, words, onAsked }) {
  const problem = h("div", { class: "whole", "aria-live": "polite" });
  const ticks = (name, entries) =>
    entries.map(([value, text]) =>
      h("label", { class: "tick", title: value }, h("input", { type: "checkbox", name, value, onchange: fit }), text),
    );
  const columns = [...new Set(sets.flatMap((one) => one.columns))].map((code) => [code, words.name(code)]);
  const levels = words
    .values("level")
    .filter((one) => one.code)
    .map((one) => [one.code, words.value("level", one.code)]);
  const now = new Date();
  const running = now.getMonth() >= 7 ? now.getFullYear() : now.getFullYear() - 1;
  const years = Array.from({ length: YEARS }, (_, before) => running - before);
  const purpose = h("textarea", { name: "purpose", required: true, minLength: 10, maxLength: 500 });
  const form = h(
    "form",
    { class: "asked", onsubmit: send },
    h("fieldset", {}, h("legend", {}, said("columns")), h("div", { class: "ticks" }, ticks("columns", columns))),
    h("fieldset", {}, h("legend", {}, said("levels")), h("div", { class: "ticks" }, ticks("levels", levels))),
    h(
      "label",
      {},
      said("schoolYear"),
      h("select", { name: "school_year" }, years.map((year) => h("option", { value: year }, schoolYear(year)))),
    ),
    choice("format", said("format"), FORMATS),
    h("label", { class: "whole" }, said("purpose"), purpose),
    h("div", { class: "actions" }, h("button", { class: "primary" }, said("submit"))),
    problem,
  );
  const boxes = (name) => [...form.querySelectorAll(`input[name=${name}]`)];
  const chosen = (name) => boxes(name).filter((one) => one.checked).map((one) => one.value);

  // Leaves those columns open that some set holds together with all that are chosen.
  function fit() {
    const having = chosen("columns");
    const open = sets.filter((one) => having.every((code) => one.columns.includes(code))).flatMap((one) => one.columns);
    for (const box of boxes("columns")) box.disabled = !open.includes(box.value);
  }

  async function send(event) {
    event.preventDefault();
    const body = {
      columns: chosen("columns"),
      levels: chosen("levels"),
      school_year: Number(form.elements.school_year.value),
      format: form.elements.format.value,
      purpose: purpose.value.trim(),
      request_id: requestId(),
    };
    if (!body.columns.length) return replace(problem, refused(new Error(said("noColumn"))));
    try {
      const { extract } = await ask(unitPath(unit.id, "/extracts"), { method: "POST", body });
      replace(problem);
      form.reset();
      fit();
      onAsked(extract);
    } catch (error) {
      replace(problem, refused(error));
    }
    return undefined;
  }

  function fill(extract) {
    form.reset();
    for (const box of boxes("columns")) box.checked = extract.columns.includes(box.value);
    for (const box of boxes("levels")) box.checked = (extract.levels ?? []).includes(box.value);
    if (years.includes(extract.school_year)) form.elements.school_year.value = extract.school_year;
    form.elements.format.value = extract.format;
    purpose.value = extract.purpose;
    fit();
    form.scrollIntoView({ block: "center" });
    purpose.focus();
  }

  return { element: h("section", { class: "panel", id: "ask" }, h("h2", {}, said("ask")), form), fill };
}
