// What changed in a record: when, which fields, from which source and batch, and whose token brought it. Masked as the
// record is; the look is written down. Fields and codes are called as the ministry calls them.

import { may } from "./access.js";
import { ask } from "./api.js";
import { h, replace } from "./elements.js";
import { clock } from "./format.js";
import { language } from "./texts.js";

const ISO_DAY = /^\d{4}-\d{2}-\d{2}$/;
const KINDS = ["CREATED", "CHANGED", "DELETED", "RESTORED", "FIRST_KNOWN"];
const TEXTS = {
  vi: {
    open: "Lịch sử thay đổi",
    headings: ["Lúc", "Thay đổi", "Trường dữ liệu", "Nguồn và lô", "Bởi"],
    kinds: ["Lưu lần đầu", "Thay đổi", "Xóa", "Lưu lại", "Nội dung cũ nhất còn giữ"],
    edited: "sửa tay",
    previous: "Trước đó mang khóa {n}",
    next: "Đi tiếp dưới khóa {n}",
    more: "Xem thêm",
    unknown: "không rõ",
    empty: "trống",
  },
  en: {
    open: "History of changes",
    headings: ["When", "Change", "Fields", "Source and batch", "By"],
    kinds: ["Stored first", "Changed", "Deleted", "Stored again", "Oldest content kept"],
    edited: "by hand",
    previous: "Its key was {n} before",
    next: "Goes on under the key {n}",
    more: "More",
    unknown: "not known",
    empty: "empty",
  },
};
// The record a collection holds, by which fields are named.
const RECORDS = { pupils: "pupil", staff: "staff_member", classes: "school_class", results: "result", profiles: "school_profile" };
let names; // Asked for once a page.
const said = (key) => TEXTS[language()][key];

// A button that shows below itself the history of a record; `purpose` as the record was asked for.
export function historyOf(school, collection, key, purpose = "") {
  const body = h("tbody");
  const below = h("div");
  const path = (which) => `/v1/schools/${encodeURIComponent(school)}/records/${collection}/${encodeURIComponent(which)}/changes`;
  if (!may("GET", path(key))) return "";
  const page = async (token, which = key) => {
    try {
      names ??= ask("/fields.json");
      const [answer, told] = await Promise.all([ask(path(which), { query: { purpose, page_size: 20, page_token: token } }), names]);
      body.append(...(answer.changes ?? []).map((one) => line(one, called(told, RECORDS[collection]))));
      const { next_page_token: next, previous_key: previous, next_key: following } = answer;
      replace(
        below,
        next ? h("button", { class: "quiet wide", type: "button", onclick: () => page(next, which) }, said("more")) : "",
        !next && previous ? h("button", { class: "quiet wide", type: "button", onclick: () => page("", previous) }, said("previous").replace("{n}", previous)) : "",
        which === key && following ? h("p", { class: "notice warn" }, said("next").replace("{n}", following)) : "",
      );
    } catch (error) {
      names = undefined;
      replace(below, h("p", { class: "notice warn", role: "alert" }, error.message));
    }
  };
  const table = h(
    "div",
    { class: "scroll", hidden: true },
    h("table", { class: "hits" }, h("thead", {}, h("tr", {}, said("headings").map((text) => h("th", { scope: "col" }, text)))), body),
    below,
  );
  const onclick = () => {
    table.hidden = !table.hidden;
    if (!table.hidden && !body.children.length) page("");
  };
  return h("div", { class: "history" }, h("button", { class: "quiet", type: "button", onclick }, said("open")), table);
}

// How a field and a value of it are called; what has no name, or is masked, stays as it is.
const called = ({ labels, codes }, record) => ({
  field: (name) => labels[record]?.[name] ?? name,
  value: (name, value = "") => codes[record]?.[name]?.[value] ?? (ISO_DAY.test(value) ? value.split("-").reverse().join("/") : value),
});

function changed({ field, old_value: before, new_value: after }, told) {
  return h("div", {}, h("b", { title: field }, told.field(field)), `: ${told.value(field, before) || said("empty")} → ${told.value(field, after) || said("empty")}`);
}

function line(one, told) {
  const by = one.edited_by || one.brought_by || said("unknown");
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, clock(one.change_time, { dated: true })),
    h("td", {}, said("kinds")[KINDS.indexOf(one.kind.replace("CHANGE_KIND_", ""))] ?? one.kind),
    h("td", {}, (one.fields ?? []).map((each) => changed(each, told))),
    h("td", {}, one.source ?? "", (one.batch_ids ?? []).map((batch) => h("div", { class: "muted" }, batch))),
    h("td", {}, by, one.edited_by ? h("div", { class: "muted" }, [said("edited"), one.edit_reason].filter(Boolean).join(": ")) : ""),
  );
}
