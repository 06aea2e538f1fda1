// The communes as shapes, shaded by a figure. The table beside it says the same in words.

import { drawing, inks } from "./charts.js";
import { h } from "./elements.js";
import { number, percent } from "./format.js";
import { t } from "./texts.js";

const CHOICES = ["pupils", "schools_connected_share", "open_alerts", "class_size_mean", "classes_oversize"];
const WORSE = ["open_alerts", "classes_oversize"]; // The more, the worse: shaded as a warning, and whole numbers.
const SHAPES = "/data/communes.geojson";
// Far out at sea; drawn in a corner of its own, and said so.
const ISLANDS = "Hoàng Sa";
const CORNER = { [ISLANDS]: { left: 108.55, top: 16.22, width: 0.3 } };
let shapes;

export function communeMap({ name, open }) {
  const place = h("div", { class: "map", role: "img", "aria-label": t("mapOf", { name }) });
  const choice = h(
    "select",
    { "aria-label": t("figure"), onchange: () => chart.show() },
    CHOICES.map((code) => h("option", { value: code }, t(code))),
  );
  const element = h(
    "section",
    { class: "panel mapped", hidden: true, "aria-labelledby": "map-title" },
    h("header", {}, h("h2", { id: "map-title" }, t("map")), choice),
    place,
    h("p", { class: "muted" }, t("islands")),
  );
  const chart = drawing(place, paint);
  let known = [];
  let stopped = false;

  async function show(rows, codes) {
    shapes ??= fetch(SHAPES)
      .then((response) => (response.ok ? response.json() : null))
      .catch(() => null);
    const found = await shapes;
    if (stopped) return; // The page shows another unit by now.
    const byId = new Map(rows.map((row) => [row.id, row]));
    known = (found?.features ?? []).map(({ properties }) => ({
      ...properties,
      id: codes.get(properties.code),
      row: byId.get(codes.get(properties.code)),
    }));
    element.hidden = !known.some((one) => one.row);
    if (element.hidden) return;
    if (!window.echarts.getMap("communes")) window.echarts.registerMap("communes", found, CORNER);
    chart.show();
  }

  function paint(on) {
    const code = choice.value;
    const ink = inks();
    const narrow = place.clientWidth < 480;
    const label = { show: true, color: ink.muted, fontSize: 11, position: narrow ? "left" : "bottom" };
    const data = known.map(({ name: said, id, row }) => ({
      name: said,
      id,
      row,
      value: row ? value(row, code) : undefined,
      ...(said === ISLANDS ? { label } : {}),
    }));
    const values = data.map((one) => one.value).filter((one) => one !== undefined);
    const most = Math.max(1, ...values);
    const least = code === "class_size_mean" ? Math.floor(Math.min(...values, most)) : 0;
    const share = code === "schools_connected_share";
    const ramp =
      WORSE.includes(code)
        ? [ink.warnLow, ink.warn]
        : share
          ? [ink.warn, ink.quiet, ink.strong]
          : [ink.quiet, ink.strong];
    on.off("click");
    on.on("click", ({ data: one }) => one?.id && setTimeout(open, 0, one.id));
    on.setOption(
      {
        animation: false,
        textStyle: { fontFamily: ink.font },
        tooltip: {
          backgroundColor: ink.panel,
          borderColor: ink.line,
          textStyle: { color: ink.text },
          formatter: ({ data: one, name: place }) => tip(one, place),
        },
        visualMap: {
          min: least,
          max: share ? 100 : most,
          calculable: false,
          itemWidth: 10,
          itemHeight: 90,
          left: 8,
          [narrow ? "top" : "bottom"]: 8,
          orient: narrow ? "horizontal" : "vertical",
          inRange: { color: ramp },
          textStyle: { color: ink.muted, fontSize: 11 },
          text: [share ? "100 %" : number(most), number(least)],
        },
        series: [
          {
            type: "map",
            map: "communes",
            roam: false,
            data,
            selectedMode: false,
            aspectScale: 0.96,
            layoutCenter: narrow ? ["50%", "55%"] : ["53%", "50%"],
            layoutSize: narrow ? "94%" : "100%",
            itemStyle: { areaColor: ink.empty, borderColor: ink.panel, borderWidth: 0.7 },
            emphasis: { label: { show: false }, itemStyle: { areaColor: ink.accent, borderColor: ink.text } },
          },
        ],
      },
      true,
    );
  }

  function stop() {
    stopped = true;
    chart.stop();
  }

  return { element, show, stop };
}

function value(row, code) {
  if (code !== "schools_connected_share") return row[code];
  return row.schools ? (100 * (row.schools_connected ?? 0)) / row.schools : undefined;
}

function tip(one, place) {
  if (!one?.row) return h("span", {}, place);
  const { row } = one;
  const parts = [
    [t("pupils"), number(row.pupils)],
    [t("classes"), number(row.classes)],
    [
      t("schools_connected"),
      row.schools
        ? `${number(row.schools_connected ?? 0)}/${number(row.schools)} (${percent(row.schools_connected ?? 0, row.schools)})`
        : "–",
    ],
    [t("classes_oversize"), number(row.classes_oversize)],
    [t("open_alerts"), number(row.open_alerts)],
  ];
  return h(
    "div",
    { class: "tip" },
    h("b", {}, row.name),
    parts.map(([said, figure]) => h("div", {}, h("span", {}, said), h("span", {}, figure))),
  );
}
