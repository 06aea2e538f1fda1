// The records behind a figure: asked for under a stated purpose, which is written down with every look.

import { ask, unitPath } from "./api.js";
import { askFor } from "./asking.js";
import { h, replace } from "./elements.js";
import { day, number } from "./format.js";
import { language } from "./texts.js";

const TEXTS = {
  vi: {
    open: "Xem hồ sơ",
    openBelow: "Xem hồ sơ ở mẫu số",
    purpose: "Mục đích xem (được ghi vào nhật ký truy cập)",
    submit: "Xem",
    cancel: "Thôi",
    count: "{count} hồ sơ",
    more: "Xem thêm",
    none: "Không có hồ sơ nào.",
    pupils: ["Họ và tên", "Ngày sinh", "Lớp", "Trường"],
    staff: ["Họ và tên", "", "", "Trường"],
    classes: ["Lớp", "Khối", "", "Trường"],
  },
  en: {
    open: "Show records",
    openBelow: "Show records of the denominator",
    purpose: "Purpose (is written to the access log)",
    submit: "Show",
    cancel: "Cancel",
    count: "{count} records",
    more: "Show more",
    none: "There are no records.",
    pupils: ["Full name", "Born", "Class", "School"],
    staff: ["Full name", "", "", "School"],
    classes: ["Class", "Grade", "", "School"],
  },
};
const said = (key) => TEXTS[language()][key];

// Buttons that open a figure's records below them; `cell` holds dimensions and their values.
export function recordsOf(figure, { ratio, cell }) {
  const below = h("div", { class: "records", "aria-live": "polite" });
  const opener = (text, term) =>
    h("button", { type: "button", onclick: () => open(below, figure, { ...cell, term }) }, text);
  return h(
    "div",
    {},
    h(
      "div",
      { class: "actions" },
      opener(said("open"), "FIGURE_TERM_NUMERATOR"),
      ratio ? opener(said("openBelow"), "FIGURE_TERM_DENOMINATOR") : "",
    ),
    below,
  );
}

async function open(below, figure, asked) {
  const field = { name: "purpose", label: said("purpose"), kind: "input", type: "text", required: true, minLength: 3, maxLength: 500 };
  const answer = await askFor({ title: said("open"), fields: [field], submit: said("submit"), cancel: said("cancel") });
  if (!answer) return;
  const body = h("tbody", {});
  const foot = h("div", {});
  const page = async (page_token) => {
    try {
      const query = { ...asked, purpose: answer.purpose, page_token };
      const found = await ask(unitPath(figure.unit_id, `/indicators/${figure.indicator}:records`), { query });
      const next = found.next_page_token;
      body.append(...(found.records ?? []).map(line));
      replace(
        foot,
        h("p", { class: "muted" }, said("count").replace("{count}", number(found.record_count ?? 0))),
        next ? h("button", { class: "quiet wide", type: "button", onclick: (event) => ((event.currentTarget.disabled = true), page(next)) }, said("more")) : "",
      );
      return found;
    } catch (error) {
      replace(foot, h("p", { class: "notice warn", role: "alert" }, error.message));
      return null;
    }
  };
  replace(below, foot);
  const first = await page("");
  if (!first) return;
  const headings = said(first.collection).map((text) => h("th", { scope: "col" }, text));
  const table = h("table", {}, h("thead", {}, h("tr", {}, headings)), body);
  replace(below, body.children.length ? h("div", { class: "scroll" }, table) : h("p", { class: "muted" }, said("none")), foot);
}

function line({ record, school_name: school }) {
  const { pupil, staff_member: member, school_class: group, key } = record.row;
  const one = pupil ?? member ?? group ?? {};
  const name = one.full_name ?? one.name ?? key;
  const parts = group ? [one.grade, ""] : [day(one.birth_date), one.class_key];
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, group ? name : h("a", { href: lookUp(record, pupil ? "pupil" : "member") }, name)),
    parts.map((text) => h("td", {}, text ?? "")),
    h("td", {}, school),
  );
}

const lookUp = ({ school_id: school, row }, kind) =>
  `/lookup.html#unit=${encodeURIComponent(school)}&${kind}=${encodeURIComponent(row.key)}`;
