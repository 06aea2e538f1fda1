// Profiles over time: of a school its names, codes, reforms and years; of a member of staff the schools and duties.

import { ask } from "./api.js";
import { stated } from "./course.js";
import { h, replace } from "./elements.js";
import { schoolYear } from "./format.js";
import { language } from "./texts.js";

const TEXTS = {
  vi: {
    close: "Đóng",
    purpose: "Mục đích xem đầy đủ (được ghi vào nhật ký)",
    show: "Xem đầy đủ",
    names: "Tên",
    codes: "Mã",
    reforms: "Sáp nhập, chia tách, đổi tên",
    parts: "Đơn vị trực thuộc",
    always: "không rõ từ ngày",
    schoolHeadings: ["Năm học", "Học sinh", "Lớp", "Cán bộ", "Phòng học"],
    staffHeadings: ["Năm học", "Trường", "Chủ nhiệm", "Môn dạy", "Phân công, khen thưởng, kỷ luật"],
    hidden: "Ngoài phạm vi được xem",
    share: "{n} biên chế",
    kinds: { reward: "Khen thưởng", discipline: "Kỷ luật", violence: "Bạo lực" },
    levels: ["", "mầm non", "tiểu học", "THCS", "THPT", "GDTX"],
  },
  en: {
    close: "Close",
    purpose: "Why it must be seen in full (is written down)",
    show: "Show in full",
    names: "Names",
    codes: "Codes",
    reforms: "Merged, split, renamed",
    parts: "Parts",
    always: "first day not known",
    schoolHeadings: ["School year", "Pupils", "Classes", "Staff", "Rooms"],
    staffHeadings: ["School year", "School", "Homeroom", "Subjects", "Assignments, rewards, discipline"],
    hidden: "Not yours to see",
    share: "{n} of a post",
    kinds: { reward: "Reward", discipline: "Discipline", violence: "Violence" },
    levels: ["", "preschool", "primary", "lower secondary", "upper secondary", "continuing"],
  },
};
const said = (key) => TEXTS[language()][key];

// Shows a school over time in `panel`.
export const showSchool = (panel, school, title) =>
  shown(panel, async () => {
    const path = `/v1/schools/${encodeURIComponent(school)}/profile`;
    const { names = [], codes = [], successions = [], parts = [], years = [] } = await ask(path);
    return [
      head(panel, title),
      listed("names", names.map((one) => `${one.name} (${days(one)})`)),
      listed("codes", codes.map((one) => `${one.system}:${one.code} (${days(one)})`)),
      listed("reforms", successions.map((one) => `${one.effective_date}: ${one.name} → ${one.successor_name}`)),
      listed("parts", parts.map((one) => `${one.kind}: ${one.count}`)),
      table("schoolHeadings", years.map(schoolLine)),
    ];
  });

// Shows a member of staff over time in `panel`; asked anew with a purpose where one is stated.
export const showStaff = (panel, school, key, title, purpose = "") =>
  shown(panel, async () => {
    const path = `/v1/schools/${encodeURIComponent(school)}/staff/${encodeURIComponent(key)}/profile`;
    const { person = {}, years = [] } = await ask(path, { query: { purpose } });
    const records = (person.records ?? []).filter((one) => one.collection === "staff" && one.school_year);
    return [
      head(panel, title),
      purpose ? "" : asking(panel, school, key, title),
      table("staffHeadings", records.map((one) => staffLine(one, years))),
    ];
  });

async function shown(panel, content) {
  panel.hidden = false;
  try {
    replace(panel, ...(await content()));
    panel.scrollIntoView({ behavior: "smooth", block: "nearest" });
  } catch (error) {
    replace(panel, h("p", { class: "notice warn", role: "alert" }, error.message));
  }
}

const head = (panel, title) =>
  h(
    "div",
    { class: "course-head" },
    h("h2", {}, title),
    h("button", { class: "quiet", type: "button", onclick: () => (panel.hidden = true) }, said("close")),
  );

const listed = (key, lines) =>
  lines.length ? h("p", {}, h("b", {}, `${said(key)}: `), lines.join(" · ")) : "";

const table = (key, lines) =>
  h(
    "div",
    { class: "scroll" },
    h(
      "table",
      { class: "hits" },
      h("thead", {}, h("tr", {}, said(key).map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, lines),
    ),
  );

const days = ({ valid_from: from, valid_to: to }) => `${from || said("always")} – ${to || "…"}`;

function schoolLine({ school_year: year, levels = [], staff_count: staff = 0, room_count: rooms = 0 }) {
  const each = (name) =>
    levels.filter((one) => one[name]).map((one) => h("div", {}, `${one[name]} ${said("levels")[Number(one.level)] ?? one.level}`));
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, schoolYear(year)),
    h("td", {}, each("pupil_count")),
    h("td", {}, each("class_count")),
    h("td", {}, staff || ""),
    h("td", {}, rooms || ""),
  );
}

function asking(panel, school, key, title) {
  const field = h("input", { type: "text", "aria-label": said("purpose"), placeholder: said("purpose"), maxLength: 500 });
  const onsubmit = (event) => {
    event.preventDefault();
    const purpose = stated(field);
    if (purpose) showStaff(panel, school, key, title, purpose);
  };
  return h("form", { class: "asking", onsubmit }, field, h("button", { class: "quiet" }, said("show")));
}

function staffLine(one, years) {
  const year = h("th", { scope: "row" }, schoolYear(one.school_year));
  if (!one.record) return h("tr", {}, year, h("td", {}, one.school_name), h("td", { class: "muted", colSpan: 3 }, said("hidden")));
  const same = (other) => other.school_id === one.school_id && other.staff_key === one.record.row.key;
  const held = years.find(same) ?? {};
  const named = (group) => held.class_names?.[group] ?? group;
  return h(
    "tr",
    {},
    year,
    h("td", {}, one.school_name),
    h("td", {}, (held.homeroom_class_keys ?? []).map(named).join(", ")),
    h("td", {}, (held.subjects ?? []).map((taught) => h("div", {}, `${taught.subject} ${named(taught.class_key)}`))),
    h(
      "td",
      {},
      held.post_share ? h("div", { class: "muted" }, said("share").replace("{n}", held.post_share)) : "",
      (held.others ?? []).map(({ row }) => h("div", {}, row.staff_assignment ? duty(row.staff_assignment, named) : entry(row.conduct_entry))),
    ),
  );
}

const duty = ({ duty: name, class_key: group, subject }, named) => [name, group && named(group), subject].filter(Boolean).join(" · ");
const entry = ({ kind, day, content }) => [said("kinds")[kind] ?? kind, day, content].filter(Boolean).join(" · ");
