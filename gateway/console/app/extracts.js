// Extracts for research: asked for here, approved or refused by somebody else, followed until their file is there.

import { may } from "./access.js";
import { ask, unitPath } from "./api.js";
import { askFor } from "./asking.js";
import { h, renew, replace } from "./elements.js";
import { failureOf } from "./exporting.js";
import { extractForm } from "./extractForm.js";
import { said } from "./extractTexts.js";
import { refused } from "./fields.js";
import { download } from "./files.js";
import { instant, number, schoolYear } from "./format.js";
import { openPage } from "./page.js";
import { wordsOf } from "./words.js";

const POLL_MS = 1000;
const PAGE = 50;
const sought = () => new URLSearchParams(location.hash.slice(1)).get("extract") ?? "";

async function show({ content, unit, account }) {
  const list = h("ul", { class: "extracts" });
  const below = h("div", {});
  const problem = h("div", { "aria-live": "assertive" });
  const base = unitPath(unit.id, "/extracts");
  const { columns = [], sets = [] } = await ask("/v1/extract-columns", { query: { page_size: 1000 } });
  const words = wordsOf(columns);
  const decides = may("POST", `${base}/-:approve`);
  const asks = may("POST", base) && !unit.parent;
  const form = asks ? extractForm({ unit, sets, words, onAsked: load }) : null;
  let shown = PAGE;
  let timer = 0;
  let left = false;

  replace(
    content,
    h("div", { class: "title" }, h("h1", {}, said("title")), h("span", { class: "asof" }, unit.name)),
    h(
      "div",
      { class: "reports" },
      h("p", { class: "muted" }, said(unit.parent ? "topmostOnly" : "about")),
      form?.element ?? "",
      h("section", { class: "panel", id: "extracts" }, h("h2", {}, said("list")), problem, list, below),
    ),
  );

  async function load() {
    clearTimeout(timer);
    try {
      const { extracts = [], next_page_token: next } = await ask(base, { query: { page_size: shown } });
      if (left) return;
      renew(list, extracts.map(entry));
      const more = () => {
        shown += PAGE;
        load();
      };
      replace(
        below,
        extracts.length ? "" : h("p", { class: "muted" }, said("none")),
        next ? h("button", { class: "quiet wide", type: "button", onclick: more }, said("more")) : "",
      );
      if (extracts.some((one) => stateOf(one) === "RUNNING")) timer = setTimeout(load, POLL_MS);
    } catch (error) {
      if (!left) replace(problem, refused(error));
    }
  }

  // Does something about an extract, and shows what became of it.
  const doing = (work) => async () => {
    replace(problem);
    try {
      await work();
    } catch (error) {
      replace(problem, refused(error));
      problem.scrollIntoView({ block: "nearest" });
    }
    await load();
  };
  const post = (path, body = {}) => ask(path, { method: "POST", body });

  function entry(extract) {
    const state = stateOf(extract);
    const told = [
      extract.columns.map(words.name).join(", "),
      extract.levels?.length ? extract.levels.map((code) => words.value("level", code)).join(", ") : said("everyLevel"),
      schoolYear(extract.school_year),
      extract.format === "csv" ? "CSV" : "Excel",
    ];
    const marked = extract.extract_id === sought();
    return h(
      "li",
      { "data-extract": extract.extract_id, class: marked ? "sought" : undefined },
      h(
        "div",
        { class: "head" },
        h("b", {}, said("number", { n: extract.extract_id })),
        h("span", { class: "state", "data-state": state }, said(state)),
        h("span", {}, told.join(" · ")),
      ),
      h("p", {}, extract.purpose),
      h("p", { class: "muted" }, history(extract).join(" · ")),
      reasonOf(extract, state),
      h("div", { class: "actions" }, actions(extract, state)),
    );
  }

  function actions(extract, state) {
    const path = `${base}/${extract.extract_id}`;
    const button = (name, work, kind) =>
      h("button", { type: "button", class: kind, "data-do": name, "data-key": `${extract.extract_id}/${name}`, onclick: doing(work) }, said(name));
    const its = [extract.requested_by, extract.approved_by].includes(account.subject);
    const again = form ? button("again", () => form.fill(extract)) : "";
    if (state === "REQUESTED") {
      const own = [h("span", { class: "muted" }, said("own")), button("withdraw", () => post(`${path}:withdraw`))];
      if (extract.requested_by === account.subject) return own;
      return decides ? [button("approve", () => approve(path, extract)), button("refuse", () => refuse(path))] : [];
    }
    if (state === "RUNNING") {
      const running = unitPath(unit.id, `/exports/${extract.export.export_id}:cancel`);
      return its ? button("stop", () => post(running)) : [];
    }
    if (state === "DONE" && its) return button("download", () => download(`${path}:download`, {}, extract.export.file_name));
    if (["FAILED", "CANCELLED"].includes(state) && its) return [button("restart", () => post(`${path}:restart`)), again];
    return ["REFUSED", "WITHDRAWN", "GONE"].includes(state) ? again : [];
  }

  async function approve(path, { extract_id: n }) {
    const sure = await askFor({ title: said("approveSure", { n }), fields: [], submit: said("approve"), cancel: said("cancel") });
    if (sure) await post(`${path}:approve`);
  }

  async function refuse(path) {
    const fields = [{ name: "reason", label: said("reason"), required: true, maxLength: 500 }];
    const work = (given) => post(`${path}:refuse`, given);
    await askFor({ title: said("refuse"), fields, submit: said("refuse"), cancel: said("cancel"), work });
  }

  await load();
  list.querySelector(".sought")?.scrollIntoView({ block: "center" });
  return () => {
    left = true;
    clearTimeout(timer);
  };
}

// What there is to say of an extract: of an approved one how far its file is.
function stateOf({ state, export: made }) {
  const bare = state.replace("EXTRACT_STATE_", "");
  if (bare !== "APPROVED") return bare;
  return made ? made.state.replace("EXPORT_STATE_", "") : "GONE";
}

function history({ requested_by: who, request_time, approved_by, approve_time, export: made }) {
  const found = [said("asked", { who, time: instant(request_time) })];
  if (approved_by) found.push(said("approvedBy", { who: approved_by, time: instant(approve_time) }));
  if (made?.total_count) found.push(said("rows", { n: number(made.total_count) }));
  return found;
}

function reasonOf({ refused_by: who, refuse_time, refuse_reason: why, export: made }, state) {
  if (state === "REFUSED") return h("p", { class: "notice warn" }, said("refusedBy", { who, time: instant(refuse_time), why }));
  return state === "FAILED" ? h("p", { class: "notice warn" }, failureOf(made.failure)) : "";
}

openPage({ title: () => said("title"), show });
