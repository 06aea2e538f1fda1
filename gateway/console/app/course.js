// A pupil's course: schools, classes, results and attendance of every year. Masked until a purpose is stated, which is
// written down with the look; of schools the caller may not see only name and year are there.

import { ask } from "./api.js";
import { h, replace } from "./elements.js";
import { day, schoolYear } from "./format.js";
import { historyOf } from "./history.js";
import { language } from "./texts.js";

const STAGES = ["GK1", "CK1", "GK2", "CK2", "CN"];
const STEPS = ["PROMOTED", "RETAINED", "TRANSFERRED", "LEFT", "GRADUATED", "UNKNOWN"];
const STATES = ["OPENED", "ACCEPTED", "RELEASED", "PLACED", "REFUSED", "WITHDRAWN"];
const TEXTS = {
  vi: {
    transfer: "Chuyển trường số {n}",
    due: "hạn {n}",
    late: "quá hạn {n}",
    transferStates: ["chờ tiếp nhận", "chờ bàn giao", "chờ xếp lớp", "đã xong", "bị từ chối", "đã rút lại"],
    born: "Sinh {n}",
    ministryCode: "Mã định danh Bộ {n}",
    personalId: "Số định danh {n}",
    purpose: "Mục đích xem đầy đủ (được ghi vào nhật ký)",
    show: "Xem đầy đủ",
    purposeMissing: "Hãy ghi mục đích xem đầy đủ trước.",
    close: "Đóng",
    twice: "Học sinh có hơn một nơi học chính trong cùng năm học; chỉ được tính một lần.",
    headings: ["Năm học", "Trường", "Lớp", "Trạng thái", "Kết quả", "Vắng"],
    elsewhere: "tính ở nơi khác",
    secondary: "học song song",
    hidden: "Ngoài phạm vi được xem",
    unconfirmed: "Có hồ sơ ở trường khác; trường đó hoặc cấp trên chưa xác nhận nên chưa được biết là trường nào",
    absent: "{p} phép, {k} không phép",
    steps: ["Lên lớp", "Ở lại lớp", "Chuyển trường", "Thôi học", "Tốt nghiệp", "Chưa rõ năm sau"],
    decided: ["kết quả: chưa được lên lớp", "kết quả: được lên lớp"],
    counted: "{n}/45 buổi",
    statuses: [
      "Đang học",
      "Chuyển đến kỳ 1",
      "Xin học lại kỳ 1",
      "Chuyển đi kỳ 1",
      "Thôi học kỳ 1",
      "Chuyển đến kỳ 2",
      "Xin học lại kỳ 2",
      "Chuyển đi kỳ 2",
      "Thôi học kỳ 2",
      "Chuyển đến trong hè",
      "Chuyển đi trong hè",
      "Thôi học trong hè",
    ],
  },
  en: {
    transfer: "Transfer {n}",
    due: "due {n}",
    late: "late since {n}",
    transferStates: ["to be answered", "to be handed over", "to be placed", "complete", "refused", "withdrawn"],
    born: "Born {n}",
    ministryCode: "Ministry's code {n}",
    personalId: "Personal number {n}",
    purpose: "Why it must be seen in full (is written down)",
    show: "Show in full",
    purposeMissing: "State first why it must be seen in full.",
    close: "Close",
    twice: "The pupil has more than one main enrolment in a school year, and counts once.",
    headings: ["School year", "School", "Class", "Status", "Results", "Absent"],
    elsewhere: "counts elsewhere",
    secondary: "beside another school",
    hidden: "Not yours to see",
    unconfirmed: "Another school has records; which one is told once it, or a unit above it, has confirmed",
    absent: "{p} with permission, {k} without",
    steps: ["Moved up", "Stayed in the grade", "Went to another school", "Left", "Graduated", "Next year not known"],
    decided: ["results: not to move up", "results: to move up"],
    counted: "{n} of 45 sessions",
    statuses: [
      "Enrolled",
      "Arrived in term 1",
      "Returned in term 1",
      "Moved away in term 1",
      "Left in term 1",
      "Arrived in term 2",
      "Returned in term 2",
      "Moved away in term 2",
      "Left in term 2",
      "Arrived in summer",
      "Moved away in summer",
      "Left in summer",
    ],
  },
};
const said = (key) => TEXTS[language()][key];
const filled = (key, values) =>
  Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), said(key));

// Shows the course of a pupil in `panel`; asked anew with a purpose where one is stated.
export async function showCourse(panel, school, key, purpose = "") {
  panel.hidden = false;
  try {
    const path = `/v1/schools/${encodeURIComponent(school)}/pupils/${encodeURIComponent(key)}/course`;
    const { person = {}, years = [], transfers = [] } = await ask(path, { query: { purpose } });
    const records = (person.records ?? []).filter((one) => one.collection === "pupils" && one.school_year);
    const newest = records.find((one) => one.record)?.record.row.pupil ?? {};
    replace(
      panel,
      h(
        "div",
        { class: "course-head" },
        h("h2", {}, newest.full_name ?? ""),
        h("p", { class: "muted" }, facts(newest).join(" · ")),
        h("button", { class: "quiet", type: "button", onclick: () => (panel.hidden = true) }, said("close")),
      ),
      purpose ? "" : asking(panel, school, key),
      records.some((one) => one.counted_elsewhere && !one.secondary)
        ? h("p", { class: "notice warn", role: "status" }, said("twice"))
        : "",
      h(
        "div",
        { class: "scroll" },
        h(
          "table",
          { class: "hits" },
          h("thead", {}, h("tr", {}, said("headings").map((text) => h("th", { scope: "col" }, text)))),
          h("tbody", {}, records.map((one) => line(one, years))),
        ),
      ),
      transfers.map(moved),
      historyOf(school, "pupils", key, purpose),
    );
    panel.scrollIntoView({ behavior: "smooth", block: "nearest" });
  } catch (error) {
    replace(panel, h("p", { class: "notice warn", role: "alert" }, error.message));
  }
}

function moved({ transfer_id: number, releasing_name: from, receiving_name: to, state, due_date: due, late }) {
  const stands = said("transferStates")[STATES.indexOf(state.replace("TRANSFER_STATE_", ""))] ?? state;
  const until = due ? ` · ${filled(late ? "late" : "due", { n: due })}` : "";
  return h("p", { class: late ? "notice warn" : "muted" }, `${filled("transfer", { n: number })}: ${from} → ${to} · ${stands}${until}`);
}

// The purpose that is stated in a field of a form; where none is, the form says that it is missing.
export function stated(field) {
  const purpose = field.value.trim();
  field.form.querySelector(".notice")?.remove();
  if (!purpose) field.form.append(h("p", { class: "notice warn", role: "alert" }, said("purposeMissing")));
  return purpose;
}

const facts = ({ birth_date: born, ministry_code: code, personal_id: id }) =>
  [born && filled("born", { n: day(born) }), code && filled("ministryCode", { n: code }), id && filled("personalId", { n: id })].filter(
    Boolean,
  );

function asking(panel, school, key) {
  const field = h("input", { type: "text", "aria-label": said("purpose"), placeholder: said("purpose"), maxLength: 500 });
  const onsubmit = (event) => {
    event.preventDefault();
    const purpose = stated(field);
    if (purpose) showCourse(panel, school, key, purpose);
  };
  return h("form", { class: "asking", onsubmit }, field, h("button", { class: "quiet" }, said("show")));
}

function line(one, years) {
  if (one.hidden) return h("tr", {}, h("th", { scope: "row" }), h("td", { class: "muted", colSpan: 5 }, said("unconfirmed")));
  const year = h("th", { scope: "row" }, schoolYear(one.school_year));
  if (!one.record) return h("tr", {}, year, h("td", {}, one.school_name), h("td", { class: "muted", colSpan: 4 }, said("hidden")));
  const { key, pupil } = one.record.row;
  const held = years.find(
    (other) => other.school_id === one.school_id && other.school_year === one.school_year && other.pupil_key === key,
  );
  const marks = [one.secondary && said("secondary"), one.counted_elsewhere && said("elsewhere")].filter(Boolean);
  const status = said("statuses")[Number(pupil.status) - 1] ?? pupil.status;
  return h(
    "tr",
    {},
    year,
    h("td", {}, one.school_name),
    h("td", {}, held?.class_name || (pupil.class_key ?? "")),
    h("td", {}, status, marks.length ? h("small", { class: "muted" }, ` (${marks.join(", ")})`) : ""),
    h("td", {}, results(held?.results ?? []), wentOn(held)),
    h("td", {}, absences(held?.attendance ?? {})),
  );
}

function results(records) {
  return records
    .map((one) => one.row.result)
    .toSorted((a, b) => STAGES.indexOf(a.stage) - STAGES.indexOf(b.stage))
    .map(({ stage, learning_result: learning, conduct_result: conduct, title }) =>
      h("div", {}, h("b", {}, stage), " ", [learning, conduct, title].filter(Boolean).join(" · ")),
    );
}

// How the pupil went on; nothing is said of the newest year, whose next one is still to come.
function wentOn({ step = "", promoted } = {}) {
  const place = STEPS.indexOf(step.replace("YEAR_STEP_", ""));
  const decided = promoted === undefined ? "" : said("decided")[Number(promoted)];
  const differs = decided && (place === 5 || promoted !== (place === 0));
  if (place < 0 || (place === 5 && !decided)) return "";
  return h("div", { class: "muted" }, [said("steps")[place], differs && decided].filter(Boolean).join(" · "));
}

function absences({ absent_with_permission_count: p = 0, absent_without_permission_count: k = 0, counted_session_count: n = 0 }) {
  if (!p && !k) return "";
  return [h("div", {}, filled("absent", { p, k })), n ? h("div", { class: "muted" }, filled("counted", { n })) : ""];
}
