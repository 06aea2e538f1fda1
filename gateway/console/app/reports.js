// Statistical reports: campaigns of the caller's unit, how far its schools are, and each report.

import { may } from "./access.js";
import { ask, unitPath } from "./api.js";
import { askFor } from "./asking.js";
import { campaignForm } from "./campaignForm.js";
import { h, replace } from "./elements.js";
import { bilingual, instant, number, schoolYear } from "./format.js";
import { openPage } from "./page.js";
import { openReport, plain, stateMark } from "./report.js";
import { said, saying } from "./reportTexts.js";
import { exporting, summed } from "./reportSums.js";
import { atOnce } from "./reportsAtOnce.js";

const STATES = ["DRAFT", "CONFIRMED", "REVIEWED", "APPROVED", "RETURNED"];
const KINDS = { province: "commune", district: "commune", department: "school" };
const AT_ONCE = [
  { step: "review", from: "CONFIRMED" },
  { step: "approve", from: "REVIEWED" },
];
const state = { unit: null, campaign: null };
const campaigns = h("section", { class: "panel", id: "campaigns" });
const chosen = h("div", { class: "reports", id: "campaign" });

const fragment = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

// What is shown is in the address, so that links in notices lead to it and the browser's back does what it should.
function go(where) {
  const next = new URLSearchParams(Object.entries(where).filter(([, value]) => value));
  history.pushState(null, "", `#${next}`);
  window.dispatchEvent(new PopStateEvent("popstate"));
}

async function show({ content, unit }) {
  state.unit = unit;
  replace(
    content,
    h("div", { class: "title" }, h("h1", {}, said("title")), h("span", { class: "asof" }, unit.name)),
    h("div", { class: "reports" }, campaigns, chosen),
  );
  replace(campaigns);
  replace(chosen);
  const { report, campaign } = fragment();
  const { campaigns: found = [] } = await ask(unitPath(unit.id, "/campaigns"));
  state.campaign = found.find((one) => one.campaign_id === campaign) ?? null;
  list(found);
  if (report) await open(report);
  else if (state.campaign) await progress();
}

function open(report) {
  campaigns.hidden = true;
  const { unit, campaign, from } = fragment();
  const onLeft = () => go({ unit: from ?? unit, campaign });
  return openReport(chosen, { school: unit ?? state.unit.id, reportId: report, onLeft });
}

function list(found) {
  campaigns.hidden = false;
  const asks = may("POST", unitPath(state.unit.id, "/campaigns"));
  const rows = found.map((one) =>
    h(
      "tr",
      { "data-campaign": one.campaign_id },
      h(
        "th",
        { scope: "row" },
        h(
          "button",
          { type: "button", class: "link", onclick: () => go({ unit: state.unit.id, campaign: one.campaign_id }) },
          bilingual(one, "form_name"),
        ),
        one.withdraw_time ? h("span", { class: "warn" }, ` ${said("withdrawn")}`) : "",
      ),
      h("td", {}, schoolYear(one.school_year)),
      h("td", {}, one.unit_name),
      h("td", {}, instant(one.confirm_due_time)),
      h("td", { class: "figure" }, number(one.report_count)),
    ),
  );
  replace(
    campaigns,
    h(
      "header",
      {},
      h("h2", {}, said("campaigns")),
      asks ? campaignForm(state.unit, (made) => go({ unit: state.unit.id, campaign: made.campaign_id })) : "",
    ),
    found.length ? table(said("campaignHeadings"), rows, 4) : h("p", { class: "muted" }, said("noCampaigns")),
  );
}

// Headings from `figureFrom` on stand over numbers. On a phone each row is a paragraph, its cells named by the headings.
function table(headings, rows, figureFrom) {
  for (const row of rows) [...row.children].forEach((cell, place) => (cell.dataset.heading = headings[place]));
  return h(
    "div",
    { class: "scroll" },
    h(
      "table",
      { class: "stacked" },
      h("thead", {}, h("tr", {}, headings.map((text, place) => h("th", { scope: "col", class: figureFrom <= place ? "figure" : "" }, text)))),
      h("tbody", {}, rows),
    ),
  );
}

async function progress() {
  const { campaign_id: id } = state.campaign;
  const breakdown = KINDS[state.unit.kind] ?? "";
  const { units = [] } = await ask(unitPath(state.unit.id, `/campaigns/${id}/progress`), { query: { breakdown } });
  const listing = h("div", {});
  const sums = h("div", { class: "reports", "aria-live": "polite" });
  const filters = [["all", {}], ["late", { late: true }], ...STATES.map((one) => [one, { states: `REPORT_STATE_${one}` }])];
  const choice = h(
    "div",
    { class: "choice", role: "group" },
    filters.map(([name, query]) =>
      h(
        "button",
        { type: "button", "data-filter": name, onclick: () => filtered(listing, choice, name, query) },
        said(name),
      ),
    ),
  );
  replace(
    chosen,
    h(
      "section",
      { class: "panel", id: "progress" },
      h(
        "header",
        {},
        h("h2", {}, `${said("progress")}: ${bilingual(state.campaign, "form_name")}`),
        h(
          "div",
          { class: "actions" },
          h("button", { type: "button", onclick: () => summed(sums, state) }, said("sum")),
          may("POST", unitPath(state.unit.id, "/exports")) ? ["xlsx", "csv"].map((format) => exporting(state, format)) : "",
          mayWithdraw() ? h("button", { type: "button", "data-do": "withdraw", onclick: withdraw }, said("withdraw")) : "",
        ),
      ),
      state.campaign.withdraw_time ? h("p", { class: "notice warn" }, withdrawal(state.campaign)) : "",
      table(said("unitHeadings"), units.map(unitLine), 2),
    ),
    sums,
    h(
      "section",
      { class: "panel", id: "listing" },
      h("header", {}, choice, h("div", { class: "actions" }, state.campaign.withdraw_time ? "" : AT_ONCE.filter(mayTake).map(allOf))),
      listing,
    ),
  );
  await filtered(listing, choice, "all", {});
}

const withdrawal = ({ withdrawn_by: a, withdraw_time, withdraw_reason: c }) =>
  saying("withdrawnBy", { a, b: instant(withdraw_time), c });

const mayWithdraw = () =>
  !state.campaign.withdraw_time &&
  state.campaign.unit_id === state.unit.id &&
  may("POST", unitPath(state.unit.id, `/campaigns/${state.campaign.campaign_id}:withdraw`));

async function withdraw() {
  const fields = [{ name: "reason", label: said("reason"), rows: 3, required: true, maxLength: 1000 }];
  const path = unitPath(state.unit.id, `/campaigns/${state.campaign.campaign_id}:withdraw`);
  const work = (body) => ask(path, { method: "POST", body });
  const given = await askFor({ title: said("withdraw"), fields, submit: said("withdraw"), cancel: said("cancel"), work });
  if (given) go({ unit: state.unit.id, campaign: state.campaign.campaign_id });
}

const mayTake = ({ step }) => may("POST", unitPath(state.unit.id, `/reports/0:${step}`));
const allOf = ({ step, from }) => {
  const { unit, campaign } = state;
  return atOnce({ unit, campaign, step, state: from, onDone: progress });
};

function unitLine(unit) {
  const counts = Object.fromEntries((unit.counts ?? []).map((one) => [plain(one.state), one.count]));
  const bars = h("div", { class: "progress", "aria-hidden": "true" });
  for (const name of ["APPROVED", "REVIEWED", "CONFIRMED", "RETURNED", "DRAFT"]) {
    const part = h("i", { class: name });
    part.style.setProperty("--count", counts[name] ?? 0);
    part.title = `${said(name)}: ${number(counts[name] ?? 0)}`;
    bars.append(part);
  }
  const name = unit.unit_id === state.unit.id ? unit.unit_name : null;
  const link = h(
    "button",
    { type: "button", class: "link", onclick: () => go({ unit: unit.unit_id, campaign: state.campaign.campaign_id }) },
    unit.unit_name,
  );
  return h(
    "tr",
    { "data-unit": unit.unit_id },
    h("th", { scope: "row" }, name ?? link),
    h("td", {}, bars),
    STATES.map((one) => h("td", { class: counts[one] ? "figure" : "figure faint" }, number(counts[one] ?? 0))),
    h("td", { class: unit.late_count ? "figure warn" : "figure faint" }, number(unit.late_count ?? 0)),
  );
}

async function filtered(listing, choice, name, query) {
  for (const button of choice.children) button.setAttribute("aria-pressed", button.dataset.filter === name);
  const body = h("tbody", {});
  const below = h("div", {});
  const headings = said("reportHeadings").map((text) => h("th", { scope: "col" }, text));
  replace(listing, h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, headings)), body)), below);
  const page = async (page_token) => {
    const given = { campaign_id: state.campaign.campaign_id, page_size: 50, page_token, ...query };
    const { reports = [], next_page_token: next } = await ask(unitPath(state.unit.id, "/reports"), { query: given });
    body.append(...reports.map(reportLine));
    replace(
      below,
      next ? h("button", { class: "quiet wide", type: "button", onclick: () => page(next) }, said("more")) : "",
      body.children.length ? "" : h("p", { class: "muted" }, said("none")),
    );
  };
  await page("");
}

function reportLine(report) {
  const where = {
    unit: report.school_id,
    report: report.report_id,
    campaign: report.campaign_id,
    from: state.unit.id,
  };
  return h(
    "tr",
    { "data-report": report.report_id },
    h(
      "th",
      { scope: "row" },
      h("button", { type: "button", class: "link", onclick: () => go(where) }, report.school_name),
    ),
    h("td", {}, stateMark(report)),
    h("td", {}, instant(report.due_time), report.late ? h("span", { class: "warn" }, ` ${said("lateMark")}`) : ""),
    h("td", {}, instant(report.update_time)),
  );
}

openPage({ title: () => said("title"), show });
