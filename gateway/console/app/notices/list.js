// The unit's announcements with their steps, and the picture of who has received, opened, confirmed and answered.

import { may } from "../access.js";
import { ask, unitPath } from "../api.js";
import { h, replace } from "../elements.js";
import { instant, number } from "../format.js";
import { save } from "./files.js";
import { said } from "./texts.js";

const REFRESH_MS = 4000;
const WAITING_MS = 800;
const PAGE_SIZE = 100;
const FIGURE = 3; // The column of a number.

export function list(place, { unit, open, given = "" }) {
  const note = h("p", { role: "status" }, given);
  const columns = said("columns");
  const rows = h("tbody", {});
  const picture = h("section", { class: "picture", "aria-live": "polite" });
  const path = (announcement, rest = "") => unitPath(unit.id, `/announcements/${announcement.announcement_id}${rest}`);
  const older = h("button", { type: "button", "data-deed": "older", hidden: true, onclick: () => ((pages += 1), load().catch(fail)) }, said("older"));
  let timer;
  let pages = 1;
  let round = 0;

  async function load() {
    clearTimeout(timer);
    const mine = ++round; // A slower answer of before is dropped.
    const announcements = [];
    let token = "";
    for (let page = 0; page < pages && (token || !page); page += 1) {
      const answer = await ask(unitPath(unit.id, "/announcements"), { query: { page_size: PAGE_SIZE, page_token: token } });
      announcements.push(...(answer.announcements ?? []));
      token = answer.next_page_token ?? "";
    }
    if (mine !== round || !place.isConnected || !place.contains(rows)) return;
    older.hidden = !token;
    replace(rows, announcements.length ? announcements.map(line) : h("tr", {}, h("td", { class: "muted", colSpan: columns.length }, said("none"))));
    if (announcements.some((one) => stateOf(one) === "SCHEDULED")) timer = setTimeout(() => load().catch(fail), WAITING_MS);
  }

  const stateOf = (announcement) => announcement.state.replace("ANNOUNCEMENT_STATE_", "");
  const fail = (error) => replace(note, h("span", { class: "warn" }, error.message));

  async function step(announcement, verb, body = {}) {
    try {
      const answer = await ask(path(announcement, `:${verb}`), { method: "POST", body });
      replace(note, verb === "remind" ? reminded(answer) : "");
      await load();
    } catch (error) {
      fail(error);
    }
  }

  function recall(announcement) {
    const reason = window.prompt(said("why"));
    if (reason?.trim()) step(announcement, "recall", { reason });
  }

  // How many it goes to is asked when it is about to leave: units and roles have changed since it was written.
  async function askToSend(announcement, deeds) {
    const before = [...deeds.children];
    const answer = (key, run) => h("button", { type: "button", "data-deed": key, class: key === "sendYes" ? "primary" : "quiet", onclick: run }, said(key));
    try {
      const { preview } = await ask(unitPath(unit.id, "/announcements:preview"), { method: "POST", body: { audience: announcement.draft.audience } });
      const { recipient_count: people, unit_count: units, unreached_count: unreached = 0 } = preview;
      replace(
        deeds,
        h("p", { role: "alert" }, said("sendWhom", { n: number(people), m: number(units - unreached) }), unreached ? ` ${said("nobodyThere", { n: number(unreached) })}.` : ""),
        answer("sendYes", () => step(announcement, "schedule")),
        answer("sendNo", () => replace(deeds, before)),
      );
      deeds.querySelector("[data-deed=sendNo]").focus();
    } catch (error) {
      fail(error);
    }
  }

  function line(announcement) {
    const state = stateOf(announcement);
    const deed = (key, verb, rest, run) =>
      may(verb, path(announcement, rest)) ? h("button", { type: "button", "data-deed": key, onclick: run }, said(key)) : "";
    const edit = () => deed("edit", "PUT", "", () => open("write", announcement));
    const approve = () => deed("approve", "POST", ":approve", () => step(announcement, "approve"));
    const send = () => deed("send", "POST", ":schedule", ({ target }) => askToSend(announcement, target.parentElement));
    const calledBack = () => deed("recall", "POST", ":recall", () => recall(announcement));
    const nudge = () => deed("nudge", "POST", ":remind", () => step(announcement, "remind"));
    const shown = () => deed("picture", "GET", "/receipts:summarize", () => show(announcement));
    const deeds = {
      DRAFT: () => [edit(), approve()],
      APPROVED: () => [edit(), send()],
      SCHEDULED: () => [calledBack()],
      SENT: () => [shown(), asks(announcement.draft) ? nudge() : "", calledBack()],
      RECALLED: () => [shown()],
    };
    return h(
      "tr",
      { "data-announcement": announcement.announcement_id },
      h("th", { scope: "row" }, announcement.draft.title_vi, h("p", { class: "muted" }, said("severities")[(announcement.draft.severity || 1) - 1])),
      cell(1, {}, announcement.unit_name),
      cell(2, {}, h("span", { class: `state ${state.toLowerCase()}` }, said("states")[state])),
      cell(FIGURE, { class: "figure" }, number(announcement.recipient_count)),
      cell(4, {}, instant(announcement.sent_time ?? announcement.create_time)),
      h(
        "td",
        {},
        h("div", { class: "deeds" }, deeds[state]?.() ?? ""),
        announcement.failure ? h("p", { class: "warn" }, said("failure", { n: announcement.failure })) : "",
      ),
    );
  }

  // A cell that says on a phone what its column is, where headings have no place.
  const cell = (place, properties, content) => h("td", { "data-heading": columns[place], ...properties }, content);

  async function show(announcement) {
    clearTimeout(picture.timer);
    try {
      const [{ total, units = [] }, { receipts = [], next_page_token: more }] = await Promise.all([
        ask(path(announcement, "/receipts:summarize")),
        ask(path(announcement, "/receipts"), { query: { outstanding_only: true, page_size: 50 } }),
      ]);
      replace(
        picture,
        h("h2", {}, announcement.draft.title_vi),
        h("div", { class: "deeds" }, h("button", { type: "button", "data-deed": "download", onclick: () => download(announcement) }, said("download"))),
        h(
          "div",
          { class: "scroll" },
          h(
            "table",
            { class: "counts" },
            h("thead", {}, h("tr", {}, said("headings").map((text) => h("th", { scope: "col" }, text)))),
            h("tbody", {}, counts({ ...total, unit_name: said("all") }), units.map(counts)),
          ),
        ),
        total.unreached_unit_count ? h("p", { class: "warn" }, said("nobodyThere", { n: number(total.unreached_unit_count) })) : "",
        h("h3", {}, said("owing")),
        receipts.length
          ? h("ol", { class: "owing" }, receipts.map((one) => h("li", {}, `${one.unit_name}: ${one.subject} (${one.because})`)), more ? h("li", {}, "…") : "")
          : h("p", { class: "muted" }, said("nobodyOwes")),
      );
      if (picture.isConnected) picture.timer = setTimeout(() => picture.isConnected && show(announcement), REFRESH_MS);
    } catch (error) {
      fail(error);
    }
  }

  async function download(announcement) {
    try {
      save(await ask(path(announcement, "/receipts:export")));
    } catch (error) {
      fail(error);
    }
  }

  replace(place, note, h("div", { class: "scroll" }, h("table", { class: "announcements" }, h("thead", {}, h("tr", {}, columns.map((text, place) => h("th", { scope: "col", class: place === FIGURE ? "figure" : undefined }, text)))), rows)), h("div", { class: "deeds" }, older), picture);
  load().catch(fail);
}

// Whether its readers owe anything: a confirmation, an answer, or to have opened it by a time.
const asks = ({ receipt_required: receipt, form = [], due_time: due }) => Boolean(receipt || form.length || due);

function reminded({ reminded_count: people = 0, lately_count: lately = 0 }) {
  const left = lately ? ` ${said("nudgedLately", { n: number(lately) })}` : "";
  return said("nudged", { n: number(people) }) + left;
}

function counts(one) {
  const share = one.recipient_count ? (one.done_count ?? 0) / one.recipient_count : 0;
  const bar = h("span", { class: "done-bar", "aria-hidden": "true" }, h("span", {}));
  bar.firstChild.style.inlineSize = `${Math.round(100 * share)}%`;
  const figures = ["recipient", "delivered", "opened", "acknowledged", "answered"].map((name) => one[`${name}_count`]);
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, one.unit_name),
    figures.map((value) => h("td", { class: "figure" }, number(value ?? 0))),
    h("td", { class: "figure" }, bar, " ", number(one.done_count ?? 0)),
  );
}
