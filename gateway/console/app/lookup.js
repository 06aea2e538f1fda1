// Look-up: pupils, staff or units below the caller's unit, by one line as people type it. Personal data stays masked.

import { may } from "./access.js";
import { ask, unitPath } from "./api.js";
import { showCourse } from "./course.js";
import { h, replace } from "./elements.js";
import { day } from "./format.js";
import { openPage } from "./page.js";
import { showSchool, showStaff } from "./profile.js";
import { language, t } from "./texts.js";

const WAIT_MS = 250; // after the last key
const KINDS = ["pupils", "staff", "units"];
const SCHOOLS = ["school", "childcare_group"];
const RULES = ["ID", "EXACT", "WORDS", "PREFIX", "PART", "TYPO", "CONDITIONS"];
const TEXTS = {
  vi: {
    pupils: "Học sinh",
    staff: "Cán bộ",
    units: "Đơn vị",
    hint: "Tên, có dấu hay không, theo thứ tự nào cũng được; kèm ngày sinh, lớp hoặc mã số",
    where: "Tìm trong {name}",
    none: "Không tìm thấy ai. Hãy thử bớt chữ hoặc kiểm tra lại.",
    more: "Xem thêm",
    profile: "Hồ sơ trường",
    headings: ["Họ và tên", "Năm sinh", "Lớp", "Trường", "Năm học", "Khớp"],
    unitHeadings: ["Tên", "Mã", "Thuộc", "Khớp"],
    rules: ["mã số", "đúng tên", "đủ chữ", "đầu chữ", "một phần", "sai một chữ cái", "điều kiện"],
  },
  en: {
    pupils: "Pupils",
    staff: "Staff",
    units: "Units",
    hint: "A name, with tones or without, in any order; with it a date of birth, a class or an id",
    where: "Looking in {name}",
    none: "Nobody was found. Try fewer words, or check them.",
    more: "Show more",
    profile: "Profile",
    headings: ["Full name", "Born", "Class", "School", "School year", "Match"],
    unitHeadings: ["Name", "Codes", "Below", "Match"],
    rules: ["id", "exact name", "whole words", "beginnings", "a part", "one letter off", "conditions"],
  },
};
const said = (key) => TEXTS[language()][key];

const state = { kind: "pupils", query: "", unit: null, asking: null, timer: 0 };
const results = h("section", { class: "panel", "aria-live": "polite", hidden: true });
const course = h("section", { class: "panel course", "aria-live": "polite", hidden: true });

function show({ content, unit }) {
  const open = may("POST", unitPath(unit.id, "/people:search")) ? KINDS : ["units"];
  Object.assign(state, { unit, query: "", kind: open.includes(state.kind) ? state.kind : open[0] });
  const field = h("input", {
    type: "search",
    "aria-label": said("hint"),
    placeholder: said("hint"),
    maxLength: 100,
    autocomplete: "off",
    spellcheck: false,
    oninput: (event) => {
      state.query = event.target.value;
      clearTimeout(state.timer);
      state.timer = setTimeout(search, WAIT_MS);
    },
  });
  const kinds = h(
    "div",
    { class: "choice", role: "group" },
    open.map((kind) =>
      h("button", { type: "button", "data-kind": kind, onclick: () => choose(kind, kinds) }, said(kind)),
    ),
  );
  replace(
    content,
    h("div", { class: "title" }, h("h1", {}, t("page_lookup")), h("span", { class: "asof" }, where())),
    h("form", { class: "asking", role: "search", onsubmit: (event) => event.preventDefault() }, field, kinds),
    results,
    course,
  );
  choose(state.kind, kinds);
  field.focus();
  const named = new URLSearchParams(location.hash.slice(1));
  if (named.get("pupil")) showCourse(course, unit.id, named.get("pupil"));
  else if (named.get("member")) showStaff(course, unit.id, named.get("member"), "");
}

const where = () => said("where").replace("{name}", state.unit.name);

function choose(kind, kinds) {
  state.kind = kind;
  for (const button of kinds.children) button.setAttribute("aria-pressed", button.dataset.kind === kind);
  search();
}

async function search() {
  state.asking?.abort();
  const query = state.query.trim();
  results.hidden = !query;
  course.hidden = true;
  if (!query) return;
  const asking = (state.asking = new AbortController());
  try {
    const answer = await page(query, "", asking.signal);
    const body = h("tbody", {});
    const below = h("div", {});
    const headings = said(state.kind === "units" ? "unitHeadings" : "headings");
    const head = h("tr", {}, headings.map((text) => h("th", { scope: "col" }, text)));
    replace(results, h("div", { class: "scroll" }, h("table", { class: "hits" }, h("thead", {}, head), body)), below);
    add(answer, { query, body, below });
  } catch (error) {
    if (error.name !== "AbortError") replace(results, h("p", { class: "notice warn", role: "alert" }, error.message));
  }
}

function page(query, page_token, signal) {
  if (state.kind === "units") return ask(unitPath(state.unit.id, "/units:search"), { query: { query, page_token }, signal });
  const body = { collection: state.kind, query, page_token };
  return ask(unitPath(state.unit.id, "/people:search"), { method: "POST", body, signal });
}

function add({ hits = [], next_page_token: next, advice }, { query, body, below }) {
  body.append(...hits.map(state.kind === "units" ? unitLine : personLine));
  const { signal } = state.asking;
  const more = async () => {
    try {
      add(await page(query, next, signal), { query, body, below });
    } catch (error) {
      if (error.name !== "AbortError") replace(below, h("p", { class: "notice warn", role: "alert" }, error.message));
    }
  };
  replace(
    below,
    advice ? h("p", { class: "notice warn" }, advice) : "",
    next ? h("button", { class: "quiet wide", type: "button", onclick: more }, said("more")) : "",
    body.children.length || advice ? "" : h("p", { class: "muted" }, said("none")),
  );
}

function personLine({ record, rule, school_name: school, class_name: group }) {
  const person = record.row.pupil ?? record.row.staff_member ?? {};
  const year = person.school_year;
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, opener(record.row, person.full_name)),
    h("td", {}, day(person.birth_date)),
    h("td", {}, group || (person.class_key ?? "")),
    h("td", {}, school ?? record.row.school),
    h("td", {}, year ? `${year}–${year + 1}` : ""),
    h("td", { class: "rule-name" }, ruleName(rule)),
  );
}

function opener({ school, key, pupil }, name) {
  const path = `/v1/schools/${encodeURIComponent(school)}/${pupil ? "pupils" : "staff"}/${encodeURIComponent(key)}/${pupil ? "course" : "profile"}`;
  if (!may("GET", path)) return name;
  const show = () => (pupil ? showCourse(course, school, key) : showStaff(course, school, key, name));
  return h("button", { class: "link", type: "button", onclick: show }, name);
}

function unitLine({ unit_id: id, name, kind, aliases = [], above = [], rule }) {
  const profile = () => showSchool(course, id, name);
  const opens = SCHOOLS.includes(kind) && may("GET", `/v1/schools/${id}/profile`);
  const button = opens ? h("button", { class: "link", type: "button", onclick: profile }, said("profile")) : "";
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, h("a", { href: `/#unit=${id}` }, name), button ? h("small", {}, " · ", button) : ""),
    h("td", {}, aliases.join(", ")),
    h("td", {}, above.join(", ")),
    h("td", { class: "rule-name" }, ruleName(rule)),
  );
}

const ruleName = (rule) => said("rules")[RULES.indexOf(rule.replace("MATCH_RULE_", ""))] ?? "";

openPage({ title: () => t("page_lookup"), show });
