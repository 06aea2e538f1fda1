// A school's own card: its state with all reasons, what arrived of each collection and when, and by what it is judged.

import { ask } from "./api.js";
import { said } from "./coverageTexts.js";
import { h } from "./elements.js";
import { day, instant, number, percent, schoolYear } from "./format.js";

export async function showSchool(id) {
  const { school, collections = [], rules } = await ask(`/v1/schools/${encodeURIComponent(id)}/coverage`);
  const name = (school.state ?? "COVERAGE_STATE_UNSPECIFIED").replace("COVERAGE_STATE_", "");
  const card = h(
    "dialog",
    { class: `one ${name.toLowerCase()}`, "aria-label": school.school_name },
    h(
      "header",
      {},
      h(
        "div",
        {},
        h("h2", {}, school.school_name || school.school_id),
        h("p", { class: "muted" }, [school.parent_name, school.must_connect ? "" : said("optionalSchool")].filter(Boolean).join(" · ")),
      ),
      h("button", { type: "button", onclick: () => card.close() }, said("close")),
    ),
    h("p", { class: "state" }, h("i", { class: "dot" }), h("b", {}, said(name)), " ", school.since_time ? said("since", { n: instant(school.since_time) }) : ""),
    reasons(school.reasons),
    numbers(school, rules),
    h("h3", {}, said("collections", { n: schoolYear(rules.school_year) })),
    held(collections),
    windows(rules.windows, collections),
    h(
      "p",
      { class: "muted" },
      said("judged", { a: rules.late_hours, b: rules.silent_hours, c: percent(rules.rejected_share, 1), d: rules.source }),
    ),
  );
  card.addEventListener("close", () => card.remove());
  document.body.append(card);
  card.showModal();
}

const reasons = (found = []) =>
  found.length
    ? found.map(({ state, message, since_time: since }) =>
        h(
          "p",
          { class: `reason ${state.replace("COVERAGE_STATE_", "").toLowerCase()}` },
          message,
          " ",
          h("small", { class: "faint" }, said("since", { n: instant(since) })),
        ),
      )
    : h("p", { class: "reason connected" }, said("good"));

function numbers(school, rules) {
  const rows = school.recent_rows ?? {};
  const figure = (label, value) => h("span", { class: "muted" }, `${label}: `, h("b", {}, value));
  return h(
    "p",
    { class: "numbers" },
    figure(said("first"), instant(school.first_accept_time) || "–"),
    figure(said("lastSent"), instant(school.last_accept_time) || "–"),
    figure(said("source"), school.source || "–"),
    figure(said("taken", { n: rules.share_days }), number(Number(rows.taken_count ?? 0))),
    figure(said("rejected"), number(Number(rows.rejected_count ?? 0))),
    figure(said("held"), number(Number(rows.held_count ?? 0))),
    figure(said("open"), number(Number(school.open_row_count ?? 0))),
  );
}

function windows(found = [], collections = []) {
  const names = new Map(collections.map(({ collection, name }) => [collection, name]));
  const line = ({ name, first_day: first, last_day: last, until_day: until, open, collections: sent = [] }) =>
    h(
      "li",
      {},
      h(open ? "b" : "span", {}, `${name}: ${day(first)}–${day(last)}`),
      open ? ` (${said("openUntil", { n: day(until || last) })})` : "",
      sent.length ? `: ${sent.map((one) => names.get(one) ?? one).join(", ")}` : "",
    );
  return h("section", { class: "windows" }, h("h3", {}, said("windows")), h("ul", {}, found.map(line)));
}

function held(collections) {
  const line = ({ name, status, due_day: due, last_time: last, last_day: newest, source, row_count: rows }) => {
    const word = status.replace("COLLECTION_STATUS_", "");
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, name, newest ? h("small", { class: "muted" }, ` (${said("newest", { n: day(newest) })})`) : ""),
      h("td", { class: word.toLowerCase() }, said(word)),
      h("td", {}, due ? day(due) : "–"),
      h("td", {}, instant(last) || "–"),
      h("td", {}, source || "–"),
      h("td", { class: "figure" }, rows ? number(Number(rows)) : "–"),
    );
  };
  const head = h("tr", {}, said("headings").map((text) => h("th", { scope: "col" }, text)));
  return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, head), h("tbody", {}, collections.map(line))));
}
