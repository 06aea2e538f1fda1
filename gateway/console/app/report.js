// One report: its cells to read, enter and override, what stands against it, and the steps its reader may take.

import { may } from "./access.js";
import { ask, unitPath } from "./api.js";
import { askFor } from "./asking.js";
import { h, replace } from "./elements.js";
import { download } from "./files.js";
import { bilingual, clock, instant, number, schoolYear } from "./format.js";
import { formTables, keyOf } from "./formTable.js";
import { said, saying } from "./reportTexts.js";

export const plain = (text) => (text ?? "").replace(/^.*?_STATE_|^REPORT_ACTION_|^CELL_SOURCE_/, "");
export const stateMark = (report) => {
  const state = plain(report.state);
  return h("span", { class: "state", "data-state": state }, said(state));
};

// What cells are called by their keys, as `sheet.row.column`; of a key that the form lacks, the key.
function namesOf(form) {
  const known = new Map();
  for (const sheet of form.sheets ?? []) {
    for (const row of sheet.rows) {
      for (const column of sheet.columns) known.set(keyOf(sheet, row, column), titleOf({ sheet, row, column }));
    }
  }
  return (key) => known.get(key) ?? key;
}

const titleOf = (lines) => Object.values(lines).map((one) => bilingual(one, "title")).join(" / ");

const STEPS = [
  { name: "confirm", from: ["DRAFT", "RETURNED"] },
  { name: "review", from: ["CONFIRMED"] },
  { name: "approve", from: ["REVIEWED"] },
  { name: "return", from: ["CONFIRMED", "REVIEWED"], reason: true },
  { name: "reopen", from: ["APPROVED"], reason: true },
];
const LOCK_REFUSED = ["LOCK_REFUSED", "LIFT_REFUSED"];

export async function openReport(place, { school, reportId, onLeft }) {
  const path = (rest = "") => unitPath(school, `/reports/${reportId}${rest}`);
  const entered = new Map(); // What was typed or overridden and is not saved yet, by cell.
  let shown, form;
  await load();

  async function load() {
    shown = await ask(path());
    const { form: code, form_version: version } = shown.report;
    form ??= (await ask(`/v1/forms/${code}`, { query: { version } })).form;
    entered.clear();
    draw();
  }

  function draw(message, kind = "warn") {
    const { report, findings = [], steps = [], versions = [] } = shown;
    const state = plain(report.state);
    const atSchool = ["DRAFT", "RETURNED"].includes(state);
    const editing = atSchool && may("POST", path(":enter"));
    const cells = new Map((shown.cells ?? []).map((cell) => [`${cell.sheet}.${cell.row}.${cell.column}`, cell]));
    const marks = new Map(findings.flatMap((one) => (one.cells ?? []).map((key) => [key, one.severity])));
    const lock = plain(report.lock_state);
    replace(
      place,
      h(
        "section",
        { class: "panel", id: "report" },
        h(
          "header",
          {},
          h("h2", {}, `${bilingual(form, "name")} · ${report.school_name} · ${schoolYear(report.school_year)}`),
          h("div", { class: "actions" }, h("button", { type: "button", onclick: onLeft }, said("toList"))),
        ),
        h(
          "p",
          { class: "actions" },
          form.sample ? h("span", { class: "mark-sample" }, said("sample")) : "",
          stateMark(report),
          report.late ? h("span", { class: "warn" }, said("lateMark")) : "",
          said(lock) === lock ? "" : h("span", { class: "muted", "data-lock": lock }, said(lock)),
          h(
            "span",
            { class: "muted" },
            shown.version ? saying("version", { n: shown.version }) : said("draftNote"),
            shown.data_time ? ` · ${said("dataTime")} ${clock(shown.data_time, { dated: true })}` : "",
          ),
        ),
        report.return_reason
          ? h("p", { class: "notice warn" }, saying("becauseReturned", { n: report.return_reason }))
          : "",
        report.lock_refusal
          ? h("p", { class: "notice warn", "data-lock-refusal": "" }, saying(`why_${lock}`, { n: bilingual(report.lock_refusal, "message") }))
          : "",
        message ? h("p", { class: `notice ${kind}`, role: "alert" }, message) : "",
        h(
          "div",
          { class: "actions" },
          editing ? h("button", { type: "button", "data-step": "save", onclick: save }, said("save")) : "",
          STEPS.filter((step) => step.from.includes(state) && may("POST", path(`:${step.name}`))).map((step) =>
            h("button", { type: "button", "data-step": step.name, onclick: () => take(step) }, said(step.name)),
          ),
          LOCK_REFUSED.includes(lock) && may("POST", path(":relock"))
            ? h("button", { type: "button", "data-step": "relock", onclick: () => take({ name: "relock" }) }, said("relock"))
            : "",
          h("button", { type: "button", onclick: () => file("xlsx") }, said("xlsx")),
          h("button", { type: "button", onclick: () => file("csv") }, said("csv")),
          versions.length ? h("button", { type: "button", onclick: compare }, said("compare")) : "",
        ),
        h("div", { id: "compared", "aria-live": "polite" }),
        editing ? h("p", { class: "muted" }, said("enteredNote")) : "",
        findings.length ? h("h3", {}, said("findings")) : "",
        h("ul", { class: "findings" }, findings.map((one) => h("li", { class: one.severity }, bilingual(one, "message")))),
        editing && !findings.length ? h("p", { class: "muted" }, said("sound")) : "",
      ),
      formTables(form, (key, named) => cellOf(cells.get(key), { key, editing, mark: marks.get(key), title: titleOf(named) })),
      h(
        "section",
        { class: "panel steps" },
        h("h2", {}, said("steps")),
        steps.map((step) =>
          h(
            "p",
            {},
            `${instant(step.time)} · ${step.by} · ${said(`done_${plain(step.action)}`)}`,
            step.note ? h("span", { class: "muted" }, ` · ${noteOf(step)}`) : "",
          ),
        ),
        versions.map((one) =>
          h(
            "p",
            { class: "muted" },
            `${saying("version", { n: one.version })} · ${saying("confirmedBy", { n: one.confirmed_by })} ${instant(one.confirm_time)}`,
            one.approved_by ? ` · ${saying("approvedBy", { n: one.approved_by })} ${instant(one.approve_time)}` : "",
          ),
        ),
      ),
    );
  }

  // What was entered is noted by the keys of cells.
  function noteOf(step) {
    if (plain(step.action) !== "ENTERED") return step.note;
    return step.note.split(", ").map(namesOf(form)).join("; ");
  }

  function cellOf(cell, { key, editing, mark, title: named }) {
    if (!cell) return { class: "none", content: "" };
    const source = plain(cell.source);
    const lacking = editing && cell.value === undefined && source !== "SUMMED";
    const faulty = mark === "error" || lacking ? "faulty" : mark ? "wary" : "";
    const text = cell.value === undefined ? "" : number(cell.value, 2);
    if (editing && source === "ENTERED") {
      const field = h("input", {
        type: "number",
        min: 0,
        step: "any",
        "data-cell": key,
        "aria-label": named,
        value: entered.get(key)?.value ?? cell.value ?? "",
        oninput: (event) => entered.set(key, { value: event.target.value, reason: "" }),
      });
      return { class: faulty, content: field };
    }
    const counted = cell.counted_value === undefined ? "–" : number(cell.counted_value, 2);
    const title =
      source === "OVERRIDDEN" ? saying("overridden", { a: counted, b: text, c: cell.reason ?? "" }) : undefined;
    if (editing && (source === "COUNTED" || source === "OVERRIDDEN")) {
      const button = h(
        "button",
        {
          type: "button",
          class: "link",
          "data-cell": key,
          title: title ?? saying("counted", { n: text || "–" }),
          onclick: () => override(key, cell, named),
        },
        text || "–",
      );
      return { class: `${faulty} ${source === "OVERRIDDEN" ? "overridden" : ""}`, content: button };
    }
    const kind = source === "OVERRIDDEN" ? "overridden" : cell.value === undefined ? "none" : "";
    return { class: `${faulty} ${kind}`, title, content: text };
  }

  async function override(key, cell, named) {
    const answer = await askFor({
      title: `${said("override")}: ${named}`,
      fields: [
        { name: "value", label: said("value"), kind: "input", type: "number", min: 0, value: cell.value ?? "" },
        { name: "reason", label: said("reason"), rows: 2, maxLength: 500, value: cell.reason ?? "" },
      ],
      submit: said("apply"),
      cancel: said("cancel"),
    });
    if (!answer) return;
    entered.set(key, answer);
    await save();
  }

  async function save() {
    if (!entered.size) return true;
    const entries = [...entered].map(([key, { value, reason }]) => {
      const [sheet, row, column] = key.split(".");
      return { sheet, row, column, reason, ...(value === "" ? {} : { value: Number(value) }) };
    });
    return tried(() => ask(path(":enter"), { method: "POST", body: { etag: shown.report.etag, entries } }));
  }

  async function take(step) {
    if (!(await save())) return;
    const send = (given) => ask(path(`:${step.name}`), { method: "POST", body: { etag: shown.report.etag, ...given } });
    if (!step.reason) return tried(() => send({}));
    await askFor({
      title: said(step.name),
      fields: [{ name: "reason", label: said("reason"), rows: 3, required: true, maxLength: 1000 }],
      submit: said(step.name),
      cancel: said("cancel"),
      work: (given) => done(() => send(given)),
    });
  }

  async function done(work) {
    try {
      await work();
    } catch (error) {
      if (error.reason === "REPORT_CHANGED") await load();
      throw error;
    }
    await load();
  }

  async function tried(work) {
    try {
      await done(work);
      return true;
    } catch (error) {
      draw(error.message);
      return false;
    }
  }

  async function compare() {
    const target = place.querySelector("#compared");
    try {
      const { differences = [] } = await ask(path(":compare"));
      replace(
        target,
        h(
          "div",
          { class: "notice good" },
          differences.length ? saying("differs", { n: differences.length }) : said("same"),
          differences
            .slice(0, 50)
            .map((one) =>
              h(
                "span",
                {},
                `${namesOf(form)(`${one.sheet}.${one.row}.${one.column}`)}: ${number(one.from_value, 2)} → ${number(one.to_value, 2)}`,
              ),
            ),
        ),
      );
    } catch (error) {
      draw(error.message);
    }
  }

  async function file(format) {
    const { report } = shown;
    try {
      await download(path(":download"), { format }, `${report.form}-${report.school_year}-${report.school_id}.${format}`);
    } catch (error) {
      draw(error.message);
    }
  }
}
