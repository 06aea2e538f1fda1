// Pivots: the present question kept under a name, shared, sent by a schedule; a list of them to open, run and export.

import { may } from "./access.js";
import { ask, requestId, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { exportButton } from "./exporting.js";
import { instant } from "./format.js";
import { download } from "./files.js";
import { language } from "./texts.js";

const INTERVALS = ["UNSPECIFIED", "DAILY", "WEEKLY", "MONTHLY"];
const TEXTS = {
  vi: {
    title: "Bảng đã lưu",
    save: "Lưu câu hỏi này",
    edit: "Sửa",
    remove: "Xóa",
    open: "Mở",
    name: "Tên",
    shared: "Chia sẻ cho các đơn vị bên dưới",
    schedule: "Gửi cho tôi",
    intervals: ["không gửi", "hằng ngày", "hằng tuần", "hằng tháng"],
    hour: "Lúc (giờ)",
    day: "Ngày (thứ 1–7, hoặc ngày 1–31)",
    submit: "Lưu",
    cancel: "Thôi",
    none: "Chưa có bảng nào được lưu.",
    by: "của {owner}",
    next: "gửi lúc {time}",
    sharedMark: "chia sẻ",
    file: "Tải tệp vừa lập theo lịch",
    headings: ["Bảng", "", ""],
  },
  en: {
    title: "Saved pivots",
    save: "Save this question",
    edit: "Edit",
    remove: "Delete",
    open: "Open",
    name: "Name",
    shared: "Share with the units below",
    schedule: "Send to me",
    intervals: ["never", "daily", "weekly", "monthly"],
    hour: "At (hour)",
    day: "Day (of the week 1-7, or of the month 1-31)",
    submit: "Save",
    cancel: "Cancel",
    none: "No pivot was saved yet.",
    by: "by {owner}",
    next: "sent at {time}",
    sharedMark: "shared",
    file: "Download the file made by schedule",
    headings: ["Pivot", "", ""],
  },
};
const said = (key) => TEXTS[language()][key];

// The panel of a unit's pivots; `question()` is what is asked now, `onOpen(question)` asks something else.
export function pivotPanel({ unit, question, onOpen }) {
  const list = h("div", { "aria-live": "polite" });
  const notice = h("p", { class: "notice warn", role: "alert", hidden: true });
  const fail = (error) => {
    notice.hidden = !error;
    notice.textContent = error?.message ?? "";
  };
  const base = unitPath(unit.id, "/pivots");

  async function load() {
    try {
      const { pivots = [] } = await ask(base, { query: { page_size: 1000 } });
      replace(list, pivots.length ? h("ul", { class: "pivots" }, pivots.map(line)) : h("p", { class: "muted" }, said("none")));
      fail();
    } catch (error) {
      fail(error);
    }
  }

  function line(pivot) {
    const { content, next_time: next, owner, own } = pivot;
    const path = `${base}/${pivot.pivot_id}`;
    const marks = [
      own ? "" : said("by").replace("{owner}", owner),
      content.shared ? said("sharedMark") : "",
      next ? said("next").replace("{time}", instant(next)) : "",
    ];
    const made = (format) =>
      exportButton(unit, format.toUpperCase(), async (request_id) => {
        return (await ask(`${path}:export`, { method: "POST", body: { format, request_id } })).export;
      });
    return h(
      "li",
      {},
      h("button", { class: "link", type: "button", onclick: () => onOpen(content.question) }, content.name),
      h("span", { class: "muted" }, marks.filter(Boolean).join(" · ")),
      h(
        "span",
        { class: "actions" },
        may("POST", `${path}:export`) ? ["xlsx", "csv"].map(made) : "",
        own && may("PUT", path) ? h("button", { type: "button", onclick: () => edit(pivot) }, said("edit")) : "",
        may("DELETE", path) && (own || (pivot.abandoned && pivot.unit_id === unit.id)) ? h("button", { type: "button", onclick: () => remove(path, pivot) }, said("remove")) : "",
      ),
    );
  }

  async function remove(path, { etag }) {
    const refused = await ask(path, { method: "DELETE", query: { etag } }).then(() => null, (error) => error);
    await load();
    if (refused) fail(refused);
  }

  async function edit(pivot) {
    const content = await contentOf(pivot?.content ?? { question: question() });
    if (!content) return;
    const body = pivot ? { content, etag: pivot.etag } : { content, request_id: requestId() };
    const path = pivot ? `${base}/${pivot.pivot_id}` : base;
    try {
      await ask(path, { method: pivot ? "PUT" : "POST", body });
      await load();
    } catch (error) {
      fail(error);
    }
  }

  load();
  return h(
    "section",
    { class: "panel" },
    h("h2", {}, said("title")),
    fileOf(unit),
    list,
    notice,
    may("POST", base) ? h("p", { class: "actions" }, h("button", { class: "primary", type: "button", onclick: () => edit(null) }, said("save"))) : "",
  );
}

// A notice of a schedule leads here with the export in the address.
function fileOf(unit) {
  const id = new URLSearchParams(location.hash.slice(1)).get("export");
  if (!/^[0-9]+$/.test(id ?? "")) return "";
  const path = unitPath(unit.id, `/exports/${id}`);
  const place = h("p", {});
  const get = async () => {
    try {
      const { export: found } = await ask(path);
      await download(`${path}:download`, {}, found.file_name);
    } catch (error) {
      replace(place, h("span", { class: "notice warn", role: "alert" }, error.message));
    }
  };
  return replace(place, h("button", { type: "button", onclick: get }, said("file")));
}

function contentOf({ name = "", shared = false, schedule = {}, question }) {
  return new Promise((resolve) => {
    const field = (label, element) => h("label", {}, label, element);
    const called = h("input", { type: "text", required: true, maxLength: 200, value: name });
    const sharing = h("input", { type: "checkbox", checked: shared });
    const at = INTERVALS.findIndex((one) => schedule.interval === `PIVOT_INTERVAL_${one}`);
    const interval = h(
      "select",
      {},
      said("intervals").map((text, place) => h("option", { value: INTERVALS[place], selected: place === Math.max(at, 0) }, text)),
    );
    const hour = h("input", { type: "number", min: 0, max: 23, value: schedule.hour ?? 7 });
    const day = h("input", { type: "number", min: 1, max: 31, value: schedule.day || 1 });
    const atHour = field(said("hour"), hour);
    const onDay = field(said("day"), day);
    const timing = () => {
      atHour.hidden = interval.value === INTERVALS[0];
      onDay.hidden = atHour.hidden || interval.value === INTERVALS[1];
      day.disabled = onDay.hidden;
      day.max = interval.value === INTERVALS[2] ? 7 : 31;
    };
    interval.addEventListener("change", timing);
    timing();
    const leave = (answer) => {
      dialog.close();
      dialog.remove();
      resolve(answer);
    };
    const submit = (event) => {
      event.preventDefault();
      const sent = { ...schedule, interval: `PIVOT_INTERVAL_${interval.value}`, hour: Number(hour.value), day: Number(day.value) };
      const scheduled = interval.value === INTERVALS[0] ? {} : { schedule: sent };
      leave({ name: called.value.trim(), shared: sharing.checked, question, ...scheduled });
    };
    const form = h(
      "form",
      { onsubmit: submit },
      h("h2", {}, said("save")),
      field(said("name"), called),
      h("label", { class: "check" }, sharing, ` ${said("shared")}`),
      field(said("schedule"), interval),
      atHour,
      onDay,
      h(
        "div",
        { class: "actions" },
        h("button", { class: "primary" }, said("submit")),
        h("button", { type: "button", onclick: () => leave(null) }, said("cancel")),
      ),
    );
    const dialog = h("dialog", { oncancel: () => leave(null) }, form);
    document.body.append(dialog);
    dialog.showModal();
    called.focus();
  });
}
