// Indicators: one of them for a unit, by the units below or a dimension, through time, and explained down to schools.

import { may } from "./access.js";
import { ask, unitPath } from "./api.js";
import { drawing, inks } from "./charts.js";
import { h, replace } from "./elements.js";
import { recordsOf } from "./figureRecords.js";
import { day, instant, number } from "./format.js";
import { said } from "./indicatorTexts.js";
import { openPage } from "./page.js";
import { decimalsOf, pivotBuilder, valueOf } from "./pivotBuilder.js";
import { pivotPanel } from "./pivots.js";
import { language, t } from "./texts.js";
import { unavailablePanel } from "./unavailable.js";
import { wordsOf } from "./words.js";

const BELOW = {
  province: ["commune", "school"],
  department: ["school"],
  district: ["commune", "school"],
  commune: ["school"],
};
const FIRST_ROWS = 30; // Of the schools behind a figure.

const state = { unit: null, content: null, catalogue: [], unavailable: [], words: null, code: "pupils", by: "", interval: "month", version: 0 };
const counting = h("div", { class: "counting" });
const table = h("section", { class: "panel scroll", "aria-live": "polite" });
const chart = h("div", { class: "series", role: "img" });
const note = h("p", { class: "muted" });
const explained = h("section", { class: "panel", "aria-live": "polite", hidden: true });
let points = [];
let pivots = "";
let builder = null;
let drawn = { show() {} };

async function show({ content, unit }) {
  const { indicators = [], unavailable_indicators: unavailable = [], dimensions = [] } = await ask("/v1/indicators", {
    query: { page_size: 1000 },
  });
  const words = wordsOf(dimensions);
  Object.assign(state, { unit, content, catalogue: indicators, unavailable, words, by: "" });
  builder = pivotBuilder({ unit, kinds: BELOW[unit.kind] ?? [], catalogue: indicators, words, unavailable });
  pivots = may("GET", unitPath(unit.id, "/pivots"))
    ? pivotPanel({ unit, question: () => builder.question() ?? question(), onOpen: reopen })
    : "";
  drawn = drawing(chart, (drawer) => drawer.setOption(options(), true));
  form();
  return () => {
    state.version += 1;
    drawn.stop();
  };
}

const current = () => state.catalogue.find((one) => one.code === state.code);
const named = (one) => (language() === "en" ? one.name_en : one.name_vi);

function form() {
  const select = (label, name, entries) =>
    h(
      "label",
      {},
      h("span", {}, label),
      h(
        "select",
        {
          name,
          onchange: (event) => {
            state[name] = event.target.value;
            if (name === "code") state.by = "";
            form();
          },
        },
        entries.map(([value, text]) => h("option", { value, selected: value === state[name] }, text)),
      ),
    );
  const kinds = BELOW[state.unit.kind] ?? [];
  const dimensions = (current().dimensions ?? []).filter((one) => one !== "ethnic_group");
  const parts = current().sensitive ? [] : [...kinds, ...dimensions];
  replace(
    state.content,
    h("div", { class: "title" }, h("h1", {}, t("page_indicators")), h("span", { class: "asof" }, state.unit.name)),
    h(
      "section",
      { class: "panel ask" },
      h(
        "div",
        { class: "choices" },
        select(
          said("indicator"),
          "code",
          state.catalogue.map((one) => [one.code, named(one)]),
        ),
        select(said("by"), "by", [["", said("nothing")], ...parts.map((one) => [one, kinds.includes(one) ? said(one) : state.words.name(one)])]),
        select(
          said("interval"),
          "interval",
          ["day", "month", "year"].map((one) => [one, said(one)]),
        ),
      ),
      counting,
      unavailablePanel(state.unavailable),
    ),
    table,
    h("section", { class: "panel" }, h("h2", {}, said("interval")), note, chart),
    explained,
    builder.element,
    pivots,
  );
  explained.hidden = true;
  tell();
  load();
}

function tell() {
  const one = current();
  const texts = [
    h("p", {}, h("b", {}, `${said("rule")}: `), language() === "en" ? one.counting_rule_en : one.counting_rule_vi),
    h("p", { class: "muted" }, `${said("source")}: ${one.source_document}. ${said("better")[one.direction] ?? ""}`),
  ];
  for (const threshold of one.thresholds ?? [])
    texts.push(h("p", { class: "muted" }, `${said(threshold.level)}: ${number(threshold.value ?? 0, 1)} (${threshold.source})`));
  replace(counting, texts);
}

const isByUnit = () => (BELOW[state.unit.kind] ?? []).includes(state.by);

// What is asked now; a pivot keeps the same.
function question() {
  const byUnit = isByUnit();
  return {
    indicators: [state.code],
    breakdown: byUnit ? state.by : "",
    dimensions: state.by && !byUnit ? [state.by] : [],
    compare_with: current().sensitive
      ? ["COMPARISON_TARGET"]
      : ["COMPARISON_LAST_YEAR", "COMPARISON_TARGET", ...(byUnit ? ["COMPARISON_PEERS"] : [])],
  };
}

// A pivot of another unit may divide by what is not below this one, and one of another version ask for what is not known.
function reopen(kept) {
  const { indicators = [], breakdown = "", dimensions = [] } = kept;
  const [code] = indicators;
  const alone = indicators.length === 1 && dimensions.length + Boolean(breakdown) <= 1;
  if (!alone || !state.catalogue.some((one) => one.code === code)) return builder.open(kept);
  builder.element.open = false;
  const isBelow = (BELOW[state.unit.kind] ?? []).includes(breakdown);
  Object.assign(state, { code, by: (isBelow && breakdown) || dimensions[0] || "" });
  form();
  state.content.scrollIntoView();
}

async function load() {
  const version = ++state.version;
  const byUnit = isByUnit();
  replace(table, h("p", { class: "muted" }, "…"));
  try {
    const answer = await ask(unitPath(state.unit.id, "/indicators:analyse"), { method: "POST", body: question() });
    if (version === state.version) rows(answer.periods[0], byUnit);
  } catch (error) {
    if (version === state.version) replace(table, h("p", { class: "warn" }, error.message));
  }
  await series(version);
}

const decimals = () => decimalsOf(current());

function rows(period, byUnit) {
  // Units without a school have nothing to show, and a province has many.
  const figures = (period.figures ?? []).filter(
    ({ figure }) => !byUnit || figure.expected_school_count || figure.value !== undefined,
  );
  const sums = period.additions?.[0];
  replace(
    table,
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, said("headings").map((text) => (text ? h("th", { scope: "col", class: "figure" }, text) : h("td"))))),
      h(
        "tbody",
        {},
        figures.map((one) => row(one, byUnit)),
      ),
    ),
    sums ? h("p", { class: "muted" }, sums.adds_up ? said("addsUp") : sums.reason) : "",
  );
}

function row(one, byUnit) {
  const figure = one.figure;
  const rest = byUnit && figure.unit_id === state.unit.id;
  const label = rest ? `${said("rest")} ${figure.unit_name}` : byUnit || !state.by ? figure.unit_name : state.words.told(state.by, figure.dimension_values?.[0] ?? "");
  const open = h("button", { class: "quiet", onclick: () => explain(figure, byUnit) }, valueOf(figure, current()));
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, byUnit ? h("a", { href: `#unit=${encodeURIComponent(figure.unit_id)}` }, label) : label),
    h("td", { class: one.threshold ? "figure warn" : "figure", title: one.threshold ? said(one.threshold) : "" }, open),
    h("td", { class: "figure faint" }, one.last_year === undefined ? "–" : number(one.last_year, decimals())),
    h("td", { class: "figure faint", title: one.target_source ?? "" }, one.target === undefined ? "–" : number(one.target, decimals())),
    h("td", { class: "figure faint" }, one.rank ? `${one.rank}/${one.ranked_count}` : "–"),
    h("td", { class: "figure faint" }, `${figure.reporting_school_count ?? 0}/${figure.expected_school_count ?? 0}`),
  );
}

async function explain(figure, byUnit) {
  explained.hidden = false;
  const close = h("button", { class: "quiet", onclick: () => (explained.hidden = true) }, said("close"));
  const cell = { dimensions: state.by && !byUnit ? [state.by] : [], dimension_values: figure.dimension_values ?? [] };
  try {
    const found = await ask(unitPath(figure.unit_id, `/indicators/${figure.indicator}:explain`), {
      query: { ...cell, page_size: FIRST_ROWS },
    });
    const ratio = found.indicator.ratio;
    replace(
      explained,
      h("header", {}, h("h2", {}, `${said("explain")}: ${figure.unit_name}`), close),
      h("p", { class: "formula" }, found.formula),
      h("p", { class: "muted" }, (found.filters ?? []).join(" · ")),
      h(
        "div",
        { class: "scroll" },
        h(
          "table",
          {},
          h("thead", {}, h("tr", {}, said("contributions").map((text, place) => h("th", { scope: "col", class: place % 3 ? "figure" : "" }, text)))),
          h("tbody", {}, (found.contributions ?? []).map((one) => contribution(one, ratio))),
        ),
      ),
      found.next_page_token ? h("p", { class: "muted" }, "…") : "",
      may("GET", unitPath(figure.unit_id, `/indicators/${figure.indicator}:records`)) ? recordsOf(figure, { ratio, cell }) : "",
    );
  } catch (error) {
    replace(explained, h("p", { class: "warn" }, error.message), close);
  }
  explained.scrollIntoView({ block: "nearest" });
}

function contribution(one, ratio) {
  const sent = one.last_report_time ? instant(one.last_report_time) : said("never");
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, one.unit_name),
    h("td", { class: "figure" }, one.reporting ? number(one.numerator ?? 0, ratio ? 0 : decimals()) : said("noData")),
    h("td", { class: "figure" }, ratio && one.reporting ? number(one.denominator ?? 0) : "–"),
    h("td", { class: one.reporting || !one.expected ? "faint" : "warn" }, sent),
  );
}

async function series(version) {
  const one = current();
  const yearly = state.interval === "year" || !one.dated;
  replace(note, one.sensitive || one.dated ? "" : said("notDated"));
  points = [];
  if (one.sensitive) return drawn.show();
  const monthAgo = new Date(Date.now() - 30 * 86400000).toISOString().slice(0, 10);
  try {
    const found = await ask(unitPath(state.unit.id, `/indicators/${one.code}/series`), {
      query: {
        interval: yearly ? "SERIES_INTERVAL_SCHOOL_YEAR" : `SERIES_INTERVAL_${state.interval.toUpperCase()}`,
        first_day: state.interval === "day" && !yearly ? monthAgo : "",
      },
    });
    if (version !== state.version) return undefined;
    points = (found.points ?? []).map((point) => [
      yearly ? `${point.school_year}–${point.school_year + 1}` : day(point.day),
      point.value ?? null,
    ]);
    if (found.known_from) replace(note, said("knownFrom").replace("{day}", day(found.known_from)));
    chart.setAttribute("aria-label", points.map(([when, found]) => `${when}: ${found ?? said("noData")}`).join("; "));
  } catch (error) {
    if (version === state.version) replace(note, error.message);
  }
  return drawn.show();
}

function options() {
  const ink = inks();
  const axis = { axisLine: { lineStyle: { color: ink.line } } };
  const percent = current().unit_of_count === "percent";
  const told = (found) => (found === null || found === undefined ? said("noData") : `${number(found, 2)}${percent ? " %" : ""}`);
  return {
    animation: false,
    textStyle: { fontFamily: ink.font, color: ink.text },
    grid: { left: 8, right: 16, top: 16, bottom: 8, containLabel: true },
    tooltip: { trigger: "axis", valueFormatter: told },
    xAxis: { type: "category", data: points.map(([when]) => when), axisLabel: { color: ink.muted, hideOverlap: true }, ...axis },
    yAxis: {
      type: "value",
      scale: true,
      splitLine: { lineStyle: { color: ink.line } },
      axisLabel: { color: ink.muted, formatter: told },
      ...axis,
    },
    series: [
      {
        type: "line",
        data: points.map(([, found]) => found),
        showSymbol: points.length < 40,
        itemStyle: { color: ink.first },
        lineStyle: { color: ink.first, width: 2 },
      },
    ],
  };
}

openPage({ title: () => t("page_indicators"), show });
