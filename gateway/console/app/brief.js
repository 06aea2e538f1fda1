// The morning brief of a unit: key figures with their change, open alerts, silent schools, reports that wait. One page.

import { ask, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { ago, bilingual, clock, number, schoolYear } from "./format.js";
import { openPage } from "./page.js";
import { language } from "./texts.js";

const MOST_LINES = 8;
const MOST_OPENED = 50; // Alerts of a rule that a line opens to.
const NAMED = 2; // Units that a line names.
const TEXTS = {
  vi: {
    title: "Bản tin sáng",
    print: "In",
    keys: "Chỉ tiêu chính",
    change: "so với cuối ngày {n}",
    noChange: "chưa có ngày trước để so",
    same: "không đổi",
    alerts: "Cảnh báo đang mở: {a} nghiêm trọng, {b} cần chú ý, {c} thông tin",
    noAlerts: "Không có cảnh báo đang mở.",
    silent: "Trường im lặng: {a} trên {b} trường phải kết nối",
    silentRule: "Chưa gửi lần nào, hoặc quá {n} giờ của ngày học chưa gửi.",
    noSilent: "Mọi trường đều đã gửi dữ liệu gần đây.",
    never: "chưa từng gửi",
    reports: "Báo cáo thống kê",
    noReports: "Không có đợt báo cáo đang mở.",
    reportLine: "{a}/{b} đã duyệt, {c} trễ hạn",
    askedBy: "{n} yêu cầu",
    andMore: "và {n} mục khác",
    ofRule: "{a} cảnh báo, lâu nhất {b}",
    moreUnits: "{n} đơn vị khác",
    moreRules: "và các quy tắc khác",
    dataTime: "Số liệu đến {a}; {b} trên {c} trường đã gửi số liệu năm học {d}.",
    partial: "Phần này tạm thời không lấy được: {n}",
  },
  en: {
    title: "Morning brief",
    print: "Print",
    keys: "Key figures",
    change: "since the end of {n}",
    noChange: "no earlier day to compare with",
    same: "unchanged",
    alerts: "Open alerts: {a} critical, {b} warnings, {c} for information",
    noAlerts: "There is no open alert.",
    silent: "Silent schools: {a} of {b} that have to be connected",
    silentRule: "Never sent anything, or not for {n} hours of school days.",
    noSilent: "Every school has sent data lately.",
    never: "never",
    reports: "Statistical reports",
    noReports: "No campaign is open.",
    reportLine: "{a} of {b} approved, {c} late",
    askedBy: "asked for by {n}",
    andMore: "and {n} more",
    ofRule: "{a} alerts, oldest {b}",
    moreUnits: "{n} further units",
    moreRules: "and further rules",
    dataTime: "Data as of {a}; {b} of {c} schools have sent data for {d}.",
    partial: "This part cannot be had at the moment: {n}",
  },
};
const said = (key, values = {}) =>
  Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value), TEXTS[language()][key]);

async function show({ content, unit: { id: unit } }) {
  const brief = await ask(unitPath(unit, "/brief"));
  // A part that is away takes none of the others with it.
  const [alerts, silent] = await Promise.all([part(alertPart(unit)), part(silentPart(unit))]);
  const figures = brief.figures ?? [];
  const day = new Date(`${brief.day}T00:00:00+07:00`);
  const long = { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "Asia/Ho_Chi_Minh" };
  const date = new Intl.DateTimeFormat(language() === "en" ? "en-GB" : "vi-VN", long).format(day);
  replace(
    content,
    h(
      "article",
      { class: "brief", id: "brief" },
      h(
        "div",
        { class: "title" },
        h("h1", {}, `${said("title")} · ${brief.unit_name}`),
        h("span", { class: "asof" }, date),
        h("button", { type: "button", onclick: () => print() }, said("print")),
      ),
      h("section", { "aria-label": said("keys") }, h("div", { class: "keys" }, figures.map(key))),
      h("div", { class: "two" }, alerts, silent),
      reports(brief.campaigns ?? [], brief.unit_id),
      h(
        "footer",
        {},
        said("dataTime", {
          a: clock(brief.data_time, { dated: true }) || "–",
          b: number(figures[0]?.reporting_school_count ?? 0),
          c: number(figures[0]?.expected_school_count ?? 0),
          d: schoolYear(brief.school_year),
        }),
      ),
    ),
  );
}

const digits = (figure) => (["pupil", "class", "person", "school"].includes(figure.unit_of_count) ? 0 : 1);
const shown = (value, figure) => `${number(value, digits(figure))}${figure.unit_of_count === "percent" ? " %" : ""}`;

function key(figure) {
  return h(
    "div",
    { class: "key", "data-key": figure.indicator },
    h("p", { class: "name" }, bilingual(figure, "name")),
    h("p", { class: "value" }, figure.value === undefined ? "–" : shown(figure.value, figure)),
    h("p", { class: "change" }, change(figure)),
  );
}

function change(figure) {
  if (figure.value === undefined || figure.previous_value === undefined) return said("noChange");
  const day = figure.previous_day.split("-").reverse().slice(0, 2).join("/");
  const difference = figure.value - figure.previous_value;
  const text = Math.abs(difference) < 0.05 ? said("same") : `${difference > 0 ? "+" : "−"}${number(Math.abs(difference), digits(figure))}`;
  return [h("b", {}, text), ` ${said("change", { n: day })}`];
}

async function part(made) {
  try {
    return await made;
  } catch (error) {
    return h("section", { class: "panel" }, h("p", { class: "notice warn" }, said("partial", { n: error.message })));
  }
}

const lines = (items, all) =>
  h(
    "ul",
    { class: "lines" },
    items.map(([text, beside]) => h("li", {}, h("span", {}, text), h("span", {}, beside))),
    all > items.length ? h("li", {}, h("span", { class: "muted" }, said("andMore", { n: number(all - items.length) })), h("span")) : "",
  );

const graveness = (one) => one.severity.replace("SEVERITY_", "").toLowerCase();

async function alertPart(unit) {
  const [{ counts = [] }, { groups = [], next_page_token: further }] = await Promise.all([
    ask(unitPath(unit, "/alerts:count")),
    ask(unitPath(unit, "/alerts:groups"), { query: { page_size: MOST_LINES } }),
  ]);
  const of = (severity) =>
    counts.filter((one) => graveness(one) === severity).reduce((sum, one) => sum + Number(one.count), 0);
  return h(
    "section",
    { class: "panel", id: "alerts" },
    h("h2", {}, said("alerts", { a: number(of("critical")), b: number(of("warning")), c: number(of("info")) })),
    groups.length
      ? h(
          "ul",
          { class: "lines" },
          groups.map((group) => alertLine(unit, group)),
          further ? h("li", {}, h("a", { href: `/alerts.html#unit=${encodeURIComponent(unit)}` }, said("moreRules"))) : "",
        )
      : h("p", { class: "muted" }, said("noAlerts")),
  );
}

// The alerts of a rule: how many, since when and where; a line that opens where there are several.
function alertLine(unit, group) {
  const { rule, alert_count: count = 0, unit_count: all = 0, units = [] } = group;
  const names = units.slice(0, NAMED).map((one) => one.unit_name);
  if (all > names.length) names.push(said("moreUnits", { n: number(all - names.length) }));
  if (Number(count) === 1) return h("li", { "data-rule": rule }, h("span", {}, bilingual(group, "title")), h("span", {}, names.join(", ")));
  const inside = h("ul", {});
  async function open() {
    if (!element.open || inside.children.length) return;
    try {
      const { alerts = [] } = await ask(unitPath(unit, "/alerts"), { query: { rule, page_size: MOST_OPENED } });
      replace(inside, alerts.map((one) => h("li", {}, `${bilingual(one, "title")} · ${one.unit_name} · ${ago(one.create_time)}`)));
      if (Number(count) > alerts.length) inside.append(h("li", { class: "muted" }, said("andMore", { n: number(count - alerts.length) })));
    } catch (error) {
      replace(inside, h("li", { class: "warn" }, error.message));
    }
  }
  const element = h(
    "details",
    { ontoggle: open },
    h("summary", {}, bilingual(group, "title"), h("span", { class: "muted" }, ` ${names.join(", ")}`)),
    inside,
  );
  return h("li", { "data-rule": rule }, element, h("span", {}, said("ofRule", { a: number(count), b: ago(group.oldest_time) })));
}

async function silentPart(unit) {
  const [{ total, rules }, { schools = [] }] = await Promise.all([
    ask(unitPath(unit, "/coverage:summarize"), { query: { breakdown: "COVERAGE_BREAKDOWN_KIND" } }),
    ask(unitPath(unit, "/coverage"), { query: { "filter.states": "COVERAGE_STATE_SILENT", page_size: MOST_LINES } }),
  ]);
  const silent = Number(total.silent_count);
  return h(
    "section",
    { class: "panel", id: "silent" },
    h("h2", {}, said("silent", { a: number(silent), b: number(Number(total.must_connect_count)) })),
    h("p", { class: "muted" }, said("silentRule", { n: rules.silent_hours })),
    schools.length
      ? lines(schools.map((one) => [one.school_name, ago(one.last_accept_time) || said("never")]), silent)
      : h("p", { class: "muted" }, said("noSilent")),
  );
}

// A campaign that another unit asked for names it.
function reports(campaigns, unit) {
  const line = ({ campaign, progress }) => {
    const approved = (progress.counts ?? []).find((one) => one.state === "REPORT_STATE_APPROVED")?.count ?? 0;
    const values = { a: number(approved), b: number(progress.report_count ?? 0), c: number(progress.late_count ?? 0) };
    const asking = campaign.unit_id === unit ? "" : ` · ${said("askedBy", { n: campaign.unit_name })}`;
    return [`${bilingual(campaign, "form_name")} · ${schoolYear(campaign.school_year)}${asking}`, said("reportLine", values)];
  };
  return h(
    "section",
    { class: "panel", id: "reports" },
    h("h2", {}, said("reports")),
    campaigns.length ? lines(campaigns.map(line), campaigns.length) : h("p", { class: "muted" }, said("noReports")),
  );
}

openPage({ title: () => said("title"), show });
