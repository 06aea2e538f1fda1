// Pupils by grade and sex, as stacked bars.

import { ask, unitPath } from "./api.js";
import { drawing, inks } from "./charts.js";
import { h, replace } from "./elements.js";
import { shown } from "./figures.js";
import { number } from "./format.js";
import { t } from "./texts.js";

const SEXES = [
  ["2", "female", "first"],
  ["1", "male", "second"],
  ["", "unknownSex", "third"],
];
// Nursery and kindergarten (13 to 18) come before grade 1.
const place = (grade) => (Number(grade) > 12 ? Number(grade) - 20 : Number(grade));

export function grades({ unit, onYear, onError }) {
  const canvas = h("div", { class: "chart", role: "img", "aria-label": t("byGrade") });
  const note = h("div", {});
  const element = h(
    "section",
    { class: "panel grades", "aria-labelledby": "grades-title" },
    h("header", {}, h("h2", { id: "grades-title" }, t("byGrade"))),
    note,
    canvas,
  );
  const chart = drawing(canvas, paint);
  let cells = [];
  let stopped = false;

  async function load() {
    try {
      const found = await ask(unitPath(unit.id, "/indicators"), {
        query: { indicators: "pupils", dimensions: ["grade", "sex"] },
      });
      if (stopped) return; // The page shows another unit by now.
      onYear(found.school_year);
      cells = (found.figures ?? []).filter((one) => one.dimension_values?.[0]);
      replace(note, cells.length ? "" : h("p", { class: "muted" }, t("noData")));
      canvas.hidden = !cells.length;
      if (cells.length) chart.show();
    } catch (error) {
      if (!stopped) onError(error, note, load);
    }
  }

  function paint(on) {
    const ink = inks();
    const found = [...new Set(cells.map((one) => one.dimension_values[0]))].sort((a, b) => place(a) - place(b));
    const preschool = found.filter((grade) => Number(grade) > 12);
    const columns = [
      ...(preschool.length
        ? [{ name: t(canvas.clientWidth < 480 ? "preschoolShort" : "preschool"), of: preschool }]
        : []),
      ...found.filter((grade) => Number(grade) <= 12).map((grade) => ({ name: String(Number(grade)), of: [grade] })),
    ];
    const sum = (column, sex) =>
      cells
        .filter(
          (one) =>
            column.of.includes(one.dimension_values[0]) &&
            (SEXES.some(([code]) => code === one.dimension_values[1]) ? one.dimension_values[1] : "") === sex,
        )
        .reduce((total, one) => total + (shown(one) ?? 0), 0);
    const series = SEXES.map(([code, name, color]) => ({
      type: "bar",
      stack: "all",
      name: t(name),
      data: columns.map((column) => sum(column, code)),
      itemStyle: { color: ink[color] },
      barMaxWidth: 34,
    })).filter((one) => one.data.some(Boolean));
    on.setOption(
      {
        animation: false,
        textStyle: { fontFamily: ink.font },
        grid: { left: 8, right: 8, top: 34, bottom: 4, containLabel: true },
        legend: { top: 0, right: 0, icon: "roundRect", itemWidth: 10, itemHeight: 10, textStyle: { color: ink.muted } },
        tooltip: {
          trigger: "axis",
          axisPointer: { type: "shadow" },
          backgroundColor: ink.panel,
          borderColor: ink.line,
          textStyle: { color: ink.text },
          valueFormatter: (value) => number(value),
        },
        xAxis: {
          type: "category",
          data: columns.map((one) => one.name),
          axisTick: { show: false },
          axisLine: { lineStyle: { color: ink.line } },
          axisLabel: { color: ink.muted, interval: 0 },
        },
        yAxis: {
          type: "value",
          splitNumber: 4,
          minInterval: 1,
          splitLine: { lineStyle: { color: ink.line } },
          axisLabel: { color: ink.muted, formatter: (value) => number(value) },
        },
        series,
      },
      true,
    );
  }

  function stop() {
    stopped = true;
    chart.stop();
  }

  load();
  return { element, refresh: load, stop };
}
