// How far schools' records are on their way out: sums, schools, and single records with the reason where one failed.

import { may } from "./access.js";
import { ask, unitPath } from "./api.js";
import { DIFFERENCES, RECORD_STATES, TEXTS, TYPES } from "./destinationTexts.js";
import { h, replace } from "./elements.js";
import { ago, instant, number, percent } from "./format.js";
import { openPage } from "./page.js";
import { language, t } from "./texts.js";

const AGAIN_MS = 3000;
// The classes of the columns of schools, as `schoolHeadings` names them.
const COLUMNS = ["", "figure", "figure", "figure", "figure", "when", "figure", "why"];
const said = (key, values = {}) =>
  Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), TEXTS[language()][key]);
const state = { unit: null, code: "", destinations: [], unsettled: false, school: null, round: 0 };
const summary = h("section", { "aria-live": "polite" });
const schools = h("section", { class: "panel pushes" });
const one = h("section", { class: "panel one pushes", hidden: true });
const compared = h("section", { class: "panel one", "aria-live": "polite", hidden: true });

async function show({ content, unit }) {
  Object.assign(state, { unit, school: null, round: state.round + 1 });
  state.destinations = (await ask("/v1/destinations")).destinations ?? [];
  if (!state.destinations.length) {
    replace(content, h("p", { class: "waiting", role: "status" }, said("none")));
    return undefined;
  }
  state.code = state.destinations[0].code;
  one.hidden = compared.hidden = true;
  frame(content);
  follow(state.round);
  return () => (state.round += 1);
}

const warn = (error) => h("p", { class: "notice warn", role: "alert" }, error.message);
const place = (rest) => unitPath(state.unit.id, `/destinations/${encodeURIComponent(state.code)}${rest}`);
const schoolPlace = (id, rest) => `/v1/schools/${id}/destinations/${encodeURIComponent(state.code)}${rest}`;

function frame(content) {
  const choice = h(
    "select",
    { "aria-label": said("destination"), onchange: (event) => choose(event.target.value) },
    state.destinations.map(({ code, display_name: name }) => h("option", { value: code }, name || code)),
  );
  const only = h("input", { type: "checkbox", id: "unsettled", checked: state.unsettled, onchange: (event) => filter(event.target.checked) });
  replace(
    content,
    h("div", { class: "title" }, h("h1", {}, t("page_destinations")), h("span", { class: "asof" }, state.unit.name)),
    h(
      "div",
      { class: "asked" },
      choice,
      h("label", { htmlFor: "unsettled" }, only, " ", said("unsettled")),
      may("POST", place("/pushes:repeat")) ? h("button", { type: "button", onclick: repeat }, said("repeat")) : "",
      may("POST", place("/reconciliations")) ? h("button", { type: "button", onclick: compare }, said("compare")) : "",
    ),
    compared,
    summary,
    schools,
    one,
  );
}

function choose(code) {
  state.code = code;
  one.hidden = compared.hidden = true;
  refresh();
}

function filter(unsettled) {
  state.unsettled = unsettled;
  refresh();
}

async function follow(round) {
  if (round !== state.round) return; // The unit was left.
  await refresh();
  setTimeout(() => follow(round), AGAIN_MS);
}

async function refresh() {
  try {
    const query = { page_size: 200, unsettled_only: state.unsettled };
    const [sums, listed] = await Promise.all([ask(place("/pushes:summarize")), ask(place("/schools"), { query })]);
    showSums(sums);
    showSchools(listed);
  } catch (error) {
    replace(summary, warn(error));
  }
}

function showSums({ counts = {}, destination = {}, ...sums }) {
  const total = ["accepted", "waiting", "failed", "withheld"].reduce((sum, name) => sum + count(counts, name), 0);
  const tile = (name) =>
    h(
      "div",
      { class: "state" },
      h("b", {}, number(count(counts, name))),
      h("span", {}, said(name)),
      h("small", {}, ` ${percent(count(counts, name), total)}`),
    );
  replace(
    summary,
    destination.problem
      ? h("p", { class: "notice warn", role: "alert" }, destination.problem, " ", said("again", { n: instant(destination.next_attempt_time) || "…" }))
      : "",
    destination.paused ? h("p", { class: "notice warn" }, said("paused")) : "",
    h("div", { class: "states" }, ["accepted", "waiting", "failed", "withheld"].map(tile)),
    bar(counts),
    h(
      "p",
      { class: "muted" },
      said("settled", { a: number(sums.settled_school_count ?? 0), b: number(sums.school_count ?? 0) }),
      sums.oldest_waiting_time ? ` ${said("oldest", { n: ago(sums.oldest_waiting_time) })}` : "",
      formOf(destination),
    ),
  );
}

// A subscriber is told by webhooks, in no form of the ministry's.
function formOf({ form = "" }) {
  const name = form.replace("EXCHANGE_FORM_", "");
  return TEXTS[language()][name] ? ` ${said("form", { n: said(name) })}` : "";
}

const count = (counts, name) => Number(counts[`${name}_count`] ?? 0);

function bar(counts) {
  const names = ["accepted", "waiting", "failed", "withheld"];
  const total = names.reduce((sum, name) => sum + count(counts, name), 0) || 1;
  return h(
    "div",
    { class: "share", role: "img", "aria-label": said("accepted") + " " + percent(count(counts, "accepted"), total) },
    names.map((name) => {
      const part = h("i", { class: name });
      part.style.setProperty("--part", (count(counts, name) / total).toFixed(4));
      return part;
    }),
  );
}

function showSchools({ schools: found = [], next_page_token: more }) {
  const head = h("tr", {}, said("schoolHeadings").map((text, at) => h("th", { scope: "col", class: COLUMNS[at] }, text)));
  replace(
    schools,
    h("div", { class: "scroll" }, h("table", {}, h("thead", {}, head), h("tbody", {}, found.map(schoolLine)))),
    found.length ? "" : h("p", { class: "muted" }, said("allSettled")),
    more ? h("p", { class: "muted" }, said("more")) : "",
  );
}

function schoolLine(school) {
  const { counts = {} } = school;
  const figure = (name) => h("td", { class: count(counts, name) && name === "failed" ? "figure warn" : "figure" }, number(count(counts, name)));
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, h("button", { class: "link", type: "button", onclick: () => open(school) }, school.school_name || school.school_id)),
    ["accepted", "waiting", "failed", "withheld"].map(figure),
    h("td", { class: "when" }, school.last_success_time ? ago(school.last_success_time) : "–"),
    h("td", { class: "figure" }, school.reconcile_time ? number(Number(school.gap_count ?? 0)) : "–"),
    h("td", { class: school.problem ? "why warn" : "" }, school.problem ?? ""),
  );
}

async function open(school) {
  state.school = school;
  one.hidden = false;
  const states = ["FAILED", "COMPOSITION_FAILED", "WITHHELD", "TO_REPEAT", "SENT", "QUEUED", "AWAITING_COMPOSITION"];
  try {
    const query = { page_size: 200, states: states.map((name) => `PUSH_STATE_${name}`) };
    const { records = [] } = await ask(schoolPlace(school.school_id, "/records"), { query });
    const { outcomes = [] } = await ask(schoolPlace(school.school_id, "/outcomes"), { query: { page_size: 20 } });
    replace(
      one,
      h("h2", {}, school.school_name || school.school_id),
      h("h3", {}, said("notThere")),
      records.length ? table(said("recordHeadings"), records.map(recordLine)) : h("p", { class: "muted" }, said("allThere")),
      h("h3", {}, said("history")),
      outcomes.length ? table(said("outcomeHeadings"), outcomes.map(outcomeLine)) : h("p", { class: "muted" }, said("nothingYet")),
    );
  } catch (error) {
    replace(one, warn(error));
  }
  one.scrollIntoView({ block: "nearest" });
}

const table = (headings, lines) =>
  h(
    "div",
    { class: "scroll" },
    h("table", {}, h("thead", {}, h("tr", {}, headings.map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, lines)),
  );
const typeName = (type) => TYPES[language()][type.replace("OBJECT_TYPE_", "")] ?? type;
const stateName = (name) => RECORD_STATES[language()][name.replace("PUSH_STATE_", "")] ?? name;

const recordLine = ({ type, key, state: name, state_time: time, field, message, reason }) =>
  h(
    "tr",
    {},
    h("td", {}, typeName(type)),
    h("th", { scope: "row" }, key),
    h("td", {}, stateName(name)),
    h("td", {}, instant(time)),
    h("td", {}, [field, message || reason].filter(Boolean).join(": ")),
  );

const outcomeLine = ({ type, key, version, state: name, create_time: time, message }) =>
  h(
    "tr",
    {},
    h("td", {}, instant(time)),
    h("td", {}, typeName(type)),
    h("th", { scope: "row" }, key),
    h("td", { class: "figure" }, number(Number(version))),
    h("td", {}, stateName(name)),
    h("td", {}, message ?? ""),
  );

async function repeat() {
  try {
    const { repeated_count: repeated = 0 } = await ask(place("/pushes:repeat"), { method: "POST", body: {} });
    compared.hidden = false;
    replace(compared, h("p", {}, said("repeated", { n: number(repeated) })));
    await refresh();
  } catch (error) {
    compared.hidden = false;
    replace(compared, warn(error));
  }
}

async function compare() {
  compared.hidden = false;
  replace(compared, h("p", { role: "status" }, said("comparing")));
  try {
    const match = { ignore_tones: true, ignore_spaces: true, ignore_case: true };
    const { reconciliation: found } = await ask(place("/reconciliations"), { method: "POST", body: { match } });
    const rest = `/reconciliations/${found.reconciliation_id}/differences`;
    const { differences = [] } = await ask(unitPath(state.unit.id, rest), { query: { page_size: 100 } });
    showCompared(found, differences);
    await refresh();
  } catch (error) {
    replace(compared, warn(error));
  }
}

function showCompared(found, differences) {
  const gap = ["missing_there_count", "missing_here_count", "differing_count"].map((name) => Number(found[name] ?? 0));
  replace(
    compared,
    h("h2", {}, said("compare")),
    h(
      "p",
      {},
      gap.some(Boolean)
        ? said("gap", { a: number(gap[0]), b: number(gap[1]), c: number(gap[2]) })
        : said("noGap", { n: number(Number(found.record_count)) }),
    ),
    differences.length ? table(said("differenceHeadings"), differences.map(differenceLine)) : "",
    (gap[0] || gap[2]) && may("POST", repairing(found.reconciliation_id)) ? h("button", { type: "button", onclick: () => repair(found.reconciliation_id) }, said("repair")) : "",
  );
}

const differenceLine = ({ school_name: school, type, kind, key, fields = [], matched_key: matched, on_the_way: moving }) =>
  h(
    "tr",
    {},
    h("td", {}, school),
    h("td", {}, typeName(type)),
    h("th", { scope: "row" }, key || "–"),
    h("td", {}, DIFFERENCES[language()][kind.replace("DIFFERENCE_KIND_", "")]),
    h("td", {}, fields.join(", ")),
    h("td", {}, [matched, moving ? said("moving") : ""].filter(Boolean).join(" · ")),
  );

const repairing = (id) => unitPath(state.unit.id, `/reconciliations/${id}:repair`);

async function repair(id) {
  try {
    const { repeated_count: repeated = 0 } = await ask(repairing(id), { method: "POST", body: {} });
    replace(compared, h("p", {}, said("repeated", { n: number(repeated) })));
  } catch (error) {
    replace(compared, warn(error));
  }
}

openPage({ title: () => t("page_destinations"), show });
