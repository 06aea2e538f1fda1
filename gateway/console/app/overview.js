// The tiles: what a director sees first. Each number says how it was counted, and lights up when it changes.

import { h, icon, replace } from "./elements.js";
import { counting, shown } from "./figures.js";
import { bilingual, clock, number, percent, schoolYear } from "./format.js";
import { t } from "./texts.js";

const TILES = ["schools_connected", "pupils", "classes", "staff"];

export function overview() {
  const tiles = new Map(TILES.map((code) => [code, tile(code)]));
  const alerts = tile("openAlerts");
  const time = h("p", { class: "asof" });
  const year = h("p", { class: "year" });
  const element = h(
    "section",
    { class: "tiles", "aria-label": t("title") },
    [...tiles.values(), alerts].map((one) => one.element),
  );

  function figures({ figures: found, changed, dataTime }) {
    const value = (code) => shown(found.get(code));
    const whole = found.get("schools");
    const [connected, schools, pupils, classes, staff] = [
      "schools_connected",
      "schools",
      "pupils",
      "classes",
      "staff",
    ].map(value);
    tiles.get("schools_connected").show(number(connected), schools ? t("ofRequired", { n: number(schools) }) : "", {
      share: schools ? connected / schools : undefined,
      note: schools ? percent(connected, schools) : "",
      short: schools > 0 && connected < schools, // All of them have to be: anything less is no good news.
    });
    tiles.get("pupils").show(
      number(pupils),
      said("girls", value("girls_share"), share) + partly("sexKnown", value("sex_known_share")),
    );
    tiles
      .get("classes")
      .show(number(classes), said("perClass", value("class_size_mean")) + partly("placed", value("placed_share")), {
        warn: value("classes_oversize") ? t("oversize", { n: number(value("classes_oversize")) }) : "",
      });
    tiles.get("staff").show(number(staff), said("pupilsPerStaff", staff ? pupils / staff : undefined));
    for (const code of changed) tiles.get(code)?.flash();
    const basis = whole ?? found.get("pupils");
    replace(
      time,
      dataTime ? `${t("dataTime")} ${clock(dataTime, { dated: true })}` : t("noData"),
      basis?.expected_school_count
        ? ` · ${t("reporting", { a: number(basis.reporting_school_count), b: number(basis.expected_school_count) })}`
        : "",
    );
  }

  function openAlerts({ critical, warning, info, total, taken }) {
    const grave = t("severities", { a: number(critical), b: number(warning) });
    const said = [grave, info ? t("informing", { n: number(info) }) : ""].filter(Boolean).join(" · ");
    alerts.show(number(total), total ? said : t("noAlerts"), {
      more: taken ? t("ofWhichTaken", { n: number(taken) }) : "",
      grave: critical > 0,
    });
  }

  return {
    element,
    time,
    year,
    figures,
    openAlerts,
    schoolYear: (first) => replace(year, first ? t("schoolYearOf", { n: schoolYear(first) }) : ""),
  };
}

const said = (key, value, format = (one) => number(one, 1)) => (value > 0 ? t(key, { n: format(value) }) : "");

const share = (value) => `${number(value, 1)} %`;

// Said only where something is missing: a figure that covers everybody needs no second one beside it.
const partly = (key, value) => (value < 99.95 ? ` (${t(key, { n: share(value) })})` : "");

function tile(code) {
  const value = h("p", { class: "value" }, "–");
  const note = h("p", { class: "note" });
  const more = h("p", { class: "note" });
  const extra = h("p", { class: "note warn" });
  const meter = h("span", { class: "meter", hidden: true }, h("span", {}));
  const rule = h("div", { class: "rule", popover: "auto", id: `rule-${code}` });
  const ask = h("button", { class: "quiet small", "aria-label": `${t("howCounted")}: ${t(code)}` }, icon("info"));
  ask.addEventListener("click", () => explain(code, { rule, asked: ask }));
  const element = h(
    "article",
    { class: "tile", "data-tile": code },
    h("header", {}, h("h2", {}, t(code)), ask),
    value,
    meter,
    note,
    more,
    extra,
    rule,
  );

  return {
    element,
    show(text, said, { share, note: beside, more: further, warn, grave, short } = {}) {
      replace(value, text, beside ? h("span", { class: "beside" }, beside) : "");
      replace(note, said);
      replace(more, further ?? "");
      replace(extra, warn ?? "");
      meter.hidden = share === undefined;
      meter.firstChild.style.inlineSize = `${Math.round(100 * (share ?? 0))}%`;
      element.classList.toggle("grave", Boolean(grave));
      element.classList.toggle("short", Boolean(short));
    },
    flash() {
      element.classList.remove("changed");
      void element.offsetWidth; // Starts the animation anew.
      element.classList.add("changed");
    },
  };
}

async function explain(code, { rule, asked }) {
  const own = t(`${code}Rule`); // What is no indicator says itself how it is counted.
  const indicator = own ? { counting_rule_vi: own, counting_rule_en: own } : (await counting()).get(code);
  replace(
    rule,
    h("h3", {}, t(code)),
    h("p", {}, indicator ? bilingual(indicator, "counting_rule") : t("noData")),
    indicator?.source_document ? h("p", { class: "muted" }, `${t("source")}: ${indicator.source_document}`) : "",
  );
  rule.showPopover();
  // Below what was asked about, within the window.
  const { bottom, right } = asked.getBoundingClientRect();
  rule.style.insetBlockStart = `${Math.min(bottom + 6, innerHeight - rule.offsetHeight - 8)}px`;
  rule.style.insetInlineStart = `${Math.max(8, Math.min(right - 24, innerWidth - rule.offsetWidth - 8))}px`;
}
