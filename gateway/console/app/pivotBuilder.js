// A question of several indicators, by the units below and up to four dimensions, and its answer as one table.

import { ask, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { bilingual, number } from "./format.js";
import { said } from "./indicatorTexts.js";
import { unavailableNote } from "./unavailable.js";

const MOST_DIMENSIONS = 4;
const MOST_ROWS = 300; // More of them nobody reads on a page; files hold them all.
const NOT_ASKED = "ethnic_group"; // Guarded: not crossed with others.

// `element` is the panel; `question()` what is asked, null while it is closed or empty; `open(question)` asks another.
export function pivotBuilder({ unit, kinds, catalogue, words, unavailable }) {
  const chosen = { indicators: [], breakdown: "", dimensions: [], beside: {} };
  const choices = h("div", { class: "choices" });
  const notes = h("div", {});
  const answer = h("div", { class: "scroll", "aria-live": "polite" });
  const run = h("button", { class: "primary", type: "button", onclick: () => show() }, said("pivotRun"));
  const element = h("details", { class: "panel ask" }, h("summary", {}, said("pivot")), notes, choices, h("p", {}, run), answer);
  const found = (code) => catalogue.find((one) => one.code === code);
  const fitting = () =>
    catalogue.filter((one) => !one.sensitive && chosen.dimensions.every((name) => (one.dimensions ?? []).includes(name)));
  // What all chosen indicators can be broken down by.
  const divisions = () =>
    chosen.indicators
      .map((code) => found(code).dimensions ?? [])
      .reduce((left, names) => left.filter((name) => names.includes(name)))
      .filter((name) => name !== NOT_ASKED);

  // A list to add from, and what was added, each with a button that takes it away.
  function several({ label, list, most, entries, name }) {
    const add = (event) => {
      list.push(event.target.value);
      draw();
    };
    const left = entries.filter(([value]) => !list.includes(value));
    const select = h(
      "select",
      { onchange: add, disabled: list.length >= most || !left.length },
      [["", "…"], ...left].map(([value, text]) => h("option", { value }, text)),
    );
    const takeAway = (value) => () => {
      list.splice(list.indexOf(value), 1);
      draw();
    };
    const added = list.map((value) =>
      h("li", {}, name(value), h("button", { class: "quiet", type: "button", "aria-label": `${said("pivotRemove")}: ${name(value)}`, onclick: takeAway(value) }, "×")),
    );
    return h("div", {}, h("label", {}, h("span", {}, label), select), h("ul", { class: "chosen" }, added));
  }

  function draw() {
    const by = h(
      "select",
      { onchange: (event) => (chosen.breakdown = event.target.value) },
      ["", ...kinds].map((kind) => h("option", { value: kind, selected: kind === chosen.breakdown }, said(kind || "nothing"))),
    );
    replace(
      choices,
      several({
        label: said("pivotAdd"),
        list: chosen.indicators,
        most: catalogue.length,
        entries: fitting().map((one) => [one.code, bilingual(one, "name")]),
        name: (code) => bilingual(found(code), "name"),
      }),
      several({
        label: said("pivotBy"),
        list: chosen.dimensions,
        most: MOST_DIMENSIONS,
        entries: (chosen.indicators.length ? divisions() : []).map((name) => [name, words.name(name)]),
        name: words.name,
      }),
      h("label", {}, h("span", {}, said("pivotUnits")), by),
    );
    run.disabled = !chosen.indicators.length;
  }

  const asked = () => ({
    ...chosen.beside,
    indicators: [...chosen.indicators],
    breakdown: chosen.breakdown,
    dimensions: [...chosen.dimensions],
  });

  async function show() {
    replace(answer, h("p", { class: "muted" }, "…"));
    try {
      const { periods = [] } = await ask(unitPath(unit.id, "/indicators:analyse"), { method: "POST", body: asked() });
      replace(answer, periods.map((period) => tableOf(period.figures ?? [], asked(), { found, words })));
    } catch (error) {
      replace(answer, h("p", { class: "notice warn", role: "alert" }, error.message));
    }
  }

  // A pivot of another version may ask for what is not known here, or cannot be told: then it says so.
  function open({ indicators = [], breakdown = "", dimensions = [], ...beside }) {
    const known = indicators.filter(found);
    replace(notes, unavailable.filter((one) => indicators.includes(one.code)).map(unavailableNote));
    const by = kinds.includes(breakdown) ? breakdown : "";
    Object.assign(chosen, { indicators: known, breakdown: by, dimensions: [...dimensions], beside });
    draw();
    element.open = true;
    element.scrollIntoView();
    if (known.length) show();
  }

  draw();
  return { element, open, question: () => (element.open && chosen.indicators.length ? asked() : null) };
}

// A line for each unit and combination of values, a column for each indicator.
function tableOf(figures, { indicators, breakdown, dimensions }, { found, words }) {
  const lines = new Map();
  for (const { figure } of figures) {
    const values = figure.dimension_values ?? [];
    const key = JSON.stringify([figure.unit_id, ...values]);
    const told = dimensions.map((name, place) => words.told(name, values[place] ?? ""));
    if (!lines.has(key)) lines.set(key, { heads: [...(breakdown ? [figure.unit_name] : []), ...told], cells: new Map() });
    lines.get(key).cells.set(figure.indicator, figure);
  }
  const heads = [...(breakdown ? [said(breakdown)] : []), ...dimensions.map(words.name)];
  const heading = (text, kind = "") => h("th", { scope: "col", class: kind }, text);
  const line = ({ heads: told, cells }) =>
    h(
      "tr",
      {},
      told.map((text) => h("th", { scope: "row" }, text || "–")),
      indicators.map((code) => h("td", { class: "figure" }, valueOf(cells.get(code), found(code)))),
    );
  const shown = [...lines.values()].slice(0, MOST_ROWS);
  return h(
    "div",
    {},
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, heads.map((text) => heading(text)), indicators.map((code) => heading(bilingual(found(code), "name"), "figure")))),
      h("tbody", {}, shown.map(line)),
    ),
    lines.size > MOST_ROWS ? h("p", { class: "muted" }, said("pivotMore").replace("{count}", number(lines.size - MOST_ROWS))) : "",
  );
}

// How a figure is told: withheld, not known, or a number; counts without decimals.
export function valueOf(figure, { code, ratio }) {
  if (!figure) return "–";
  if (figure.suppressed) return said("withheld");
  return figure.value === undefined ? said("noData") : number(figure.value, decimalsOf({ code, ratio }));
}

export const decimalsOf = ({ code, ratio }) => (ratio || code.startsWith("teacher_shortage") ? 2 : 0);
