// The units below: one row each with bars, and where shapes are known a map. A row or a shape leads into its unit.

import { ask, unitPath } from "./api.js";
import { h, renew } from "./elements.js";
import { shown } from "./figures.js";
import { number, percent } from "./format.js";
import { communeMap } from "./map.js";
import { t } from "./texts.js";

const FIRST_ROWS = 12;
const INDICATORS = [
  "schools",
  "schools_connected",
  "pupils",
  "classes",
  "staff",
  "class_size_mean",
  "classes_oversize",
];
const BELOW = {
  province: ["commune", "school"],
  department: ["school"],
  district: ["commune", "school"],
  commune: ["school"],
};
const EXTRA = ["classes", "staff", "class_size_mean"]; // Left out where a phone has no room, so that alerts are seen.
const COLUMNS = ["pupils", "classes", "staff", "class_size_mean", "classes_oversize", "open_alerts"];

export function units({ unit, open, onError }) {
  const kinds = BELOW[unit.kind] ?? [];
  const state = { kind: kinds[0], sort: "pupils", all: false, rows: [], codes: new Map() };
  let stopped = false;
  const map = unit.kind === "province" ? communeMap({ name: unit.name, open }) : null;
  const table = h(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": t("byUnit") },
    h("p", { class: "muted" }, t("loading")),
  );
  const choice = h(
    "div",
    { class: "choice", role: "group", "aria-label": t("breakdown") },
    kinds.map((kind) =>
      h(
        "button",
        {
          "data-kind": kind,
          onclick: () => {
            state.kind = kind;
            state.all = false;
            load();
          },
        },
        t(kind),
      ),
    ),
  );
  const element = h(
    "section",
    { class: "panel units", "aria-labelledby": "units-title" },
    h("header", {}, h("h2", { id: "units-title" }, t("byUnit")), kinds.length > 1 ? choice : ""),
    table,
  );

  async function load() {
    if (!state.kind) return;
    for (const button of choice.children) button.setAttribute("aria-pressed", button.dataset.kind === state.kind);
    const kind = state.kind;
    try {
      const found = await ask(unitPath(unit.id, "/indicators"), {
        query: { indicators: INDICATORS, breakdown: kind },
      }).catch(noneBelow);
      if (stopped || kind !== state.kind) return; // Somebody chose another meanwhile.
      state.rows = rows(found.figures ?? []);
      await countAlerts();
      if (stopped || kind !== state.kind) return;
      show();
      if (map && kind === "commune") await shapes();
    } catch (error) {
      if (!stopped) onError(error, table, load);
    }
  }

  // Open alerts of each row, counted as the tile and the list count them.
  async function countAlerts() {
    const { counts = [] } = await ask(unitPath(unit.id, "/alerts:count"), { query: { breakdown: state.kind } });
    for (const row of state.rows) row.open_alerts = 0;
    const byId = new Map(state.rows.map((row) => [row.id, row]));
    for (const one of counts.filter(({ state: said }) => said !== "ALERT_STATE_RESOLVED")) {
      const row = byId.get(one.unit_id);
      if (row) row.open_alerts += Number(one.count);
    }
  }

  async function alertsChanged() {
    if (stopped || !state.rows.length) return;
    await countAlerts();
    if (stopped) return;
    show();
    if (map && state.kind === "commune") await shapes();
  }

  async function shapes() {
    if (!state.codes.size) {
      const found = await ask(unitPath(unit.id, "/children"), {
        query: { recursive: true, kinds: "commune", page_size: 1000 },
      });
      for (const one of found.units ?? []) {
        const alias = one.aliases?.find((text) => text.startsWith("gso:"));
        if (alias) state.codes.set(alias.slice(4), one.unit_id);
      }
    }
    map.show(state.rows, state.codes);
  }

  function show() {
    const order = (row) => (state.sort === "name" ? 0 : -(row[state.sort] ?? -1));
    const sorted = [...state.rows].sort((a, b) => order(a) - order(b) || a.name.localeCompare(b.name, "vi"));
    const seen = state.all ? sorted : sorted.slice(0, FIRST_ROWS);
    const most = Math.max(1, ...sorted.map((row) => row.pupils ?? 0));
    if (!sorted.length) {
      renew(table, h("p", { class: "muted" }, t(`no_${state.kind}`)));
      return;
    }
    renew(
      table,
      h(
        "table",
        {},
        h("caption", { class: "unseen" }, t("byUnit")),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            heading("name"),
            state.kind === "school" ? "" : heading("schools_connected"),
            COLUMNS.map(heading),
          ),
        ),
        h(
          "tbody",
          {},
          seen.map((row) => line(row, most)),
        ),
      ),
      sorted.length > FIRST_ROWS
        ? h(
            "button",
            {
              class: "quiet wide",
              "data-key": "all/rows",
              onclick: () => {
                state.all = !state.all;
                show();
              },
            },
            state.all ? t("showLess") : t("showAll", { n: number(sorted.length) }),
          )
        : "",
    );
  }

  function heading(code) {
    const on = state.sort === code;
    return h(
      "th",
      {
        scope: "col",
        class: code === "name" ? "" : EXTRA.includes(code) ? "figure extra" : "figure",
        title: t(code),
        "aria-sort": on ? (code === "name" ? "ascending" : "descending") : "none",
      },
      h(
        "button",
        {
          class: "sort",
          "data-key": `sort/${code}`,
          onclick: () => {
            state.sort = code;
            show();
          },
        },
        t(`short_${code}`) || t(code),
      ),
    );
  }

  function line(row, most) {
    const link = h(
      "a",
      {
        href: `#unit=${row.id}`,
        "data-key": `${row.id}/link`,
        onclick: (event) => {
          event.preventDefault();
          open(row.id);
        },
      },
      row.name,
    );
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, link),
      state.kind === "school" ? "" : h("td", { class: "figure" }, connected(row)),
      silent(row)
        ? h("td", { class: "figure faint", title: t("notSentHint") }, t("notSent"))
        : h("td", { class: "figure barred" }, bar((row.pupils ?? 0) / most), h("span", {}, number(row.pupils))),
      h("td", { class: "figure extra" }, number(row.classes)),
      h("td", { class: "figure extra" }, number(row.staff)),
      h("td", { class: "figure extra" }, number(row.class_size_mean, 1)),
      h("td", { class: row.classes_oversize ? "figure warn" : "figure faint" }, number(row.classes_oversize)),
      h("td", { class: row.open_alerts ? "figure warn" : "figure faint" }, number(row.open_alerts)),
    );
  }

  function stop() {
    stopped = true;
    map?.stop();
  }

  load();
  return { element, map: map?.element, refresh: load, alertsChanged, stop, kinds };
}

// A unit with nothing below it, as a commune without a school, is no fault: it has no rows.
function noneBelow(error) {
  if (error.reason === "UNKNOWN_BREAKDOWN") return {};
  throw error;
}

function bar(share) {
  const filled = h("i", { class: "bar-fill", "aria-hidden": "true" });
  filled.style.setProperty("--share", share.toFixed(3));
  return filled;
}

const silent = (row) => [row.pupils, row.classes, row.staff].every((value) => value === undefined);

function connected(row) {
  if (!row.schools) return h("span", { class: "faint" }, "–");
  const full = row.schools_connected === row.schools;
  return h(
    "span",
    { class: full ? "" : "warn", title: percent(row.schools_connected, row.schools) },
    `${number(row.schools_connected ?? 0)}/${number(row.schools)}`,
  );
}

function rows(figures) {
  const found = new Map();
  for (const figure of figures) {
    if (!found.has(figure.unit_id)) found.set(figure.unit_id, { id: figure.unit_id, name: figure.unit_name });
    found.get(figure.unit_id)[figure.indicator] = shown(figure);
  }
  return [...found.values()].filter((row) => row.schools || row.pupils);
}
