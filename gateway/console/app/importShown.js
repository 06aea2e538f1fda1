// One import: how far it is, what it waits for, which rows were not stored, and each of these corrected in place.

import { may } from "./access.js";
import { ask, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { instant, number } from "./format.js";
import { filledIn, reasonWords, said, stateWords } from "./importWords.js";

const LOOK_MS = 700;
const PAGE = 50;
const AT_ONCE = 1000; // Rows of a call that are tried again.
// What is wrong with a value, so that another one can mend it; the rest is mended elsewhere, as its message says.
const OF_A_VALUE = [
  "INVALID_FIELD",
  "INVALID_DATE",
  "INVALID_TEXT",
  "FORMULA_CELL",
  "UNKNOWN_FIELD",
  "UNKNOWN_SCHOOL",
  "UNKNOWN_UNIT",
  "NOT_A_SCHOOL",
  "SCHOOL_OUTSIDE_UNIT",
  "VERSION_REUSED",
];
// Of which school a row is: where that is wrong with every row, the file is another school's.
const OF_A_SCHOOL = ["UNKNOWN_SCHOOL", "NOT_A_SCHOOL", "SCHOOL_OUTSIDE_UNIT"];
const ENDED = ["SUCCEEDED", "FAILED", "CANCELLED"];
const bare = (state) => state.replace("IMPORT_STATE_", "");
let following = 0; // Only the import that was opened last is followed.

export async function showImport(place, { unit, id, download, ended }) {
  const mine = ++following;
  const path = unitPath(unit, `/imports/${id}`);
  const head = h("div", { class: "import" });
  const rows = h("div", { class: "problems" });
  const kinds = h("div", { class: "kinds", hidden: true });
  const left = h("p", { class: "notice", role: "status", hidden: true });
  const elsewhere = h("p", { class: "notice warn", role: "status", hidden: true }, said("elsewhere"));
  let rowCount = 0;
  let kind = {}; // Which problems are shown: reason and field, empty: all.
  const told = h("p", { class: "notice warn", role: "alert", hidden: true });
  const act = async (verb, body = {}) => {
    told.hidden = true;
    try {
      await ask(`${path}:${verb}`, { method: "POST", body });
    } catch (error) {
      tell(error);
    }
    look();
  };
  const reason = h("input", { type: "text", maxLength: 500 });
  const decide = (verb) => {
    const decision_reason = reason.value.trim();
    if (decision_reason) return act(verb, { decision_reason });
    reason.focus();
    return tell({ message: said("whyMissing") });
  };
  const deciding = (verb, text, kind) =>
    may("POST", `${path}:${verb}`) ? h("button", { type: "button", class: kind, onclick: () => decide(verb) }, text) : "";
  const decisions = () => {
    const buttons = [deciding("confirm", said("confirm"), "primary"), deciding("cancel", said("reject"))];
    return buttons.some(Boolean) ? [h("label", {}, said("why"), reason), h("div", { class: "row-of-buttons" }, buttons)] : [];
  };
  const tell = (error) => {
    told.textContent = error.message;
    told.hidden = false;
  };
  // All rows of the chosen kind, whether they are on the page or not.
  const again = async (event) => {
    event.currentTarget.disabled = true;
    const sums = { a: 0, b: 0, c: 0 };
    let page_token = "";
    try {
      do {
        const answer = await ask(`${path}/problems`, { query: { page_size: AT_ONCE, page_token, ...kind } });
        const open = (answer.problems ?? []).map((one) => one.quarantined_row_id).filter((id) => id && id !== "0");
        page_token = answer.next_page_token;
        if (!open.length) continue;
        const done = await ask(unitPath(unit, "/quarantine:replay"), { method: "POST", body: { quarantined_row_ids: open } });
        sums.a += done.replayed_count;
        sums.b += done.accepted_count + done.settled_count;
        sums.c += done.remaining_count;
      } while (page_token);
      await problems();
      rows.prepend(h("p", { class: "notice", role: "status" }, filledIn("retried", sums)));
    } catch (error) {
      tell(error);
    }
    look();
  };

  // After a row was settled: how many are left.
  const recount = async () => choose((await ask(`${path}/problems`, { query: { page_size: 1 } })).kinds ?? []);

  function choose(found) {
    const every = found.reduce((sum, one) => sum + one.count - one.settled_count, 0);
    const settled = found.reduce((sum, one) => sum + one.settled_count, 0);
    const ofSchool = found.filter((one) => OF_A_SCHOOL.includes(one.reason)).reduce((sum, one) => sum + one.count, 0);
    elsewhere.hidden = !rowCount || ofSchool < rowCount;
    left.hidden = !settled;
    left.textContent = filledIn("left", { a: number(settled), b: number(every) });
    const option = (one, text) => h("option", { value: JSON.stringify(one), selected: one.reason === kind.reason && one.field === kind.field }, text);
    const options = found.map(({ reason, field, count, settled_count }) =>
      option({ reason, field }, `${field || said("wholeRow")}: ${reasonWords(reason)} (${number(count - settled_count)})`),
    );
    const onchange = (event) => {
      kind = JSON.parse(event.target.value);
      problems().catch(tell);
    };
    kinds.hidden = found.length < 2;
    replace(kinds, h("label", {}, said("kind"), h("select", { onchange }, option({}, `${said("everyKind")} (${number(every)})`), options)));
  }

  async function problems(page_token = "") {
    const answer = await ask(`${path}/problems`, { query: { page_size: PAGE, page_token, ...kind } });
    if (!page_token) {
      replace(rows, answer.problems?.length ? h("h2", {}, said("problems")) : "");
      choose(answer.kinds ?? []);
    }
    rows.querySelector(".more")?.remove();
    rows.append(...(answer.problems ?? []).map((one) => problemLine(unit, one, recount)));
    if (answer.next_page_token) {
      const more = h("button", { class: "wide more", type: "button" }, said("more"));
      more.addEventListener("click", () => problems(answer.next_page_token).catch(tell));
      rows.append(more);
    }
  }

  async function look() {
    if (mine !== following) return;
    let one;
    try {
      ({ import: one } = await ask(path));
    } catch (error) {
      return tell(error);
    }
    const state = bare(one.state);
    rowCount = one.row_count;
    replace(head, ...summary(one, state), ...doubts(one, state, decisions), buttons(one, state));
    if (ENDED.includes(state)) {
      ended();
      if (!rows.children.length && one.rejected_count + one.held_count + one.stale_count) await problems().catch(tell);
      return;
    }
    if (state !== "AWAITING_CONFIRMATION") setTimeout(look, LOOK_MS);
    else ended();
  }

  const buttons = (one, state) =>
    h(
      "div",
      { class: "row-of-buttons" },
      (state === "RUNNING" || state === "QUEUED") && may("POST", `${path}:cancel`)
        ? h("button", { type: "button", onclick: () => act("cancel") }, said("cancel"))
        : "",
      ENDED.includes(state) && one.rejected_count + one.held_count && may("GET", `${path}:report`)
        ? h("button", { type: "button", onclick: () => download(`${path}:report`, {}, `loi-${id}.xlsx`).catch(tell) }, said("report"))
        : "",
      ENDED.includes(state) && !one.validate_only && one.rejected_count + one.held_count && may("POST", unitPath(unit, "/quarantine:replay"))
        ? h("button", { type: "button", onclick: again }, said("retryAll"))
        : "",
    );

  replace(place, head, told, elsewhere, left, kinds, rows);
  place.scrollIntoView({ block: "nearest" });
  await look();
}

function summary(one, state) {
  const share = one.row_count ? (100 * one.done_count) / one.row_count : 0;
  const bar = h("i", {});
  bar.style.inlineSize = `${Math.min(share, 100)}%`;
  const count = (name) =>
    h("span", { class: ["rejected", "held"].includes(name) && one[`${name}_count`] ? "bad" : "" }, h("b", {}, String(one[`${name}_count`])), ` ${said(name)}`);
  return [
    h(
      "div",
      { class: "import-head" },
      h("h2", {}, one.file_name || `#${one.import_id}`),
      h("span", { class: "state", "data-state": state }, stateWords(one)),
      h("span", { class: "muted" }, filledIn("ofRows", { a: one.done_count, b: one.row_count })),
    ),
    h("div", { class: "progress", role: "progressbar", "aria-valuenow": Math.round(share), "aria-valuemin": 0, "aria-valuemax": 100 }, bar),
    h("div", { class: "counts" }, ["accepted", "unchanged", "stale", "rejected", "held"].map(count)),
    one.validate_only ? h("p", { class: "notice" }, said("onlyLooked")) : "",
    one.decided_by ? decision(one) : "",
    one.error_message ? refusal(one) : "",
    ...(one.deletions ?? []).map(deletionLine),
    ...(one.sheets ?? []).map(sheetLine),
  ];
}

// Who confirmed, rejected or stopped it, when and why.
function decision({ decided_by: who, decide_time: when, decision_reason: why }) {
  const text = filledIn("decided", { w: when ? `${who}, ${instant(when)}` : who });
  return h("p", {}, why ? `${text}. ${filledIn("because", { w: why })}` : text);
}

// All that refused the file, each on a line of its own.
function refusal({ error_message: message, faults = [] }) {
  const list = h("ol", {}, faults.map((fault) => h("li", {}, fault.message)));
  const head = faults.length ? h("b", {}, filledIn("faults", { n: faults.length })) : message;
  return h("div", { class: "notice warn", role: "alert" }, head, faults.length ? list : "");
}

function deletionLine({ collection, count, keys, lacking }) {
  const values = { n: number(count), c: (said("collections")[collection] ?? collection).toLowerCase() };
  const named = keys.length ? `: ${keys.slice(0, PAGE).join(", ")}${count > PAGE ? "…" : ""}` : "";
  return h("p", {}, filledIn(lacking ? "goesLacking" : "goesSaid", values), named);
}

function sheetLine(sheet) {
  const skipped = (sheet.skipped ?? []).map((one) => filledIn("skippedFor", { w: one.message, n: one.rows.join(", ") }));
  if (!sheet.collection) {
    const text = sheet.left_out_message
      ? filledIn("leftOut", { n: sheet.name, w: sheet.left_out_message })
      : filledIn(sheet.first_header_row ? "readAlong" : "noTable", { n: sheet.name });
    return h("p", { class: "muted" }, [text, ...skipped].join(". "));
  }
  const text = filledIn("sheet", { n: sheet.name, c: said("collections")[sheet.collection], r: sheet.row_count });
  const more = [
    sheet.unsure_count ? filledIn("unsure", { n: number(sheet.unsure_count) }) : "",
    sheet.unknown_classes?.length ? filledIn("unknownClasses", { n: sheet.unknown_classes.join(", ") }) : "",
    sheet.ignored_headings?.length ? filledIn("ignored", { n: sheet.ignored_headings.join(", ") }) : "",
    ...(skipped.length || !sheet.skipped_rows?.length ? skipped : [filledIn("skipped", { n: sheet.skipped_rows.join(", ") })]),
  ];
  return h("p", { class: "muted" }, [text, ...more].filter(Boolean).join(". "));
}

function doubts(one, state, decisions) {
  if (!one.suspicions?.length) return [];
  const named = ({ examples = [] }) => (examples.length ? ` ${filledIn("examples", { n: examples.join(", ") })}` : "");
  const list = h("ol", {}, one.suspicions.map((doubt) => h("li", {}, doubt.message, named(doubt))));
  if (state !== "AWAITING_CONFIRMATION") return [h("div", { class: "notice" }, list)];
  return [
    h(
      "div",
      { class: "notice warn", role: "alert" },
      h("b", {}, said("doubts")),
      list,
      h("p", {}, said("doubtsHint")),
      decisions(),
    ),
  ];
}

function problemLine(unit, { problem, quarantined_row_id: row, settled, name, cells = [] }, recount) {
  const open = row && row !== "0";
  const whose = [name, problem.key].filter(Boolean).join(" · ");
  const line = h("div", { class: "problem" }, whose ? h("p", {}, h("b", {}, whose)) : "", h("p", {}, problem.message));
  if (settled) {
    line.classList.add("settled");
    line.prepend(h("p", {}, h("b", {}, said("settled"))));
  }
  if (!open) return line;
  line.dataset.row = row;
  if (problem.field && OF_A_VALUE.includes(problem.reason) && may("POST", correcting(unit, row))) {
    line.append(fixing(unit, line, { problem, row, name, cells: cells.length ? cells : [{ field: problem.field }] }, recount));
  }
  return line;
}

const correcting = (unit, row) => unitPath(unit, `/quarantine/${row}:correct`);

// A box for each wrong field, with what stands there where that may be seen. What is not touched stays.
function fixing(unit, line, { problem, row, name, cells }, recount) {
  const boxes = cells.map((cell) => ({ cell, box: h("input", { type: "text", autocomplete: "off", value: cell.value ?? "" }) }));
  const submit = async (event) => {
    event.preventDefault();
    const typed = boxes.map(({ cell, box }) => ({ ...cell, value: box.value.trim() }));
    const changed = typed.filter((cell, at) => cell.value !== (cells[at].value ?? ""));
    if (!changed.length) return boxes[0].box.focus();
    const values = Object.fromEntries(changed.map((cell) => [cell.field, cell.value]));
    try {
      const answer = await ask(correcting(unit, row), { method: "POST", body: { values } });
      if (["ROW_STATE_REJECTED", "ROW_STATE_HELD"].includes(answer.state)) {
        line.replaceWith(problemLine(unit, { problem: answer.problem, quarantined_row_id: row, name, cells: still(answer.problem, typed) }, recount));
        return;
      }
      delete line.dataset.row;
      line.classList.add("settled");
      replace(line, h("p", { role: "status" }, said("fixed")));
      await recount();
    } catch (error) {
      line.querySelector(".notice")?.remove();
      line.append(h("p", { class: "notice warn", role: "alert" }, error.message));
    }
  };
  return h(
    "form",
    { class: "fix", onsubmit: submit },
    boxes.map(({ cell, box }) => h("label", {}, filledIn("newValue", { n: headed(cell) }), box)),
    h("button", { type: "submit" }, said("fix")),
  );
}

// What is wrong with a row after a correction that was not enough: with what was typed, and with fields found since.
function still(problem, typed) {
  const wrong = [problem.field, ...(problem.metadata?.also ?? "").split(",")].filter(Boolean);
  return wrong.map((field) => typed.find((cell) => cell.field === field) ?? { field });
}

const headed = ({ heading, field, column }) => (column ? filledIn("headed", { h: heading, c: column }) : heading || field);
