// One step on every report that waits for it below a unit: reviewed or approved one after the other, with progress.

import { ask, unitPath } from "./api.js";
import { askFor } from "./asking.js";
import { h, replace } from "./elements.js";
import { number } from "./format.js";
import { said, saying } from "./reportTexts.js";

export function atOnce({ unit, campaign, step, state, onDone }) {
  const place = h("span", { class: "actions" });
  const idle = (text = "") =>
    replace(
      place,
      h("button", { type: "button", "data-all": step, onclick: begin }, said(`${step}All`)),
      text ? h("span", { class: "muted", role: "status" }, text) : "",
    );
  idle();

  async function waiting() {
    const found = [];
    let page_token = "";
    do {
      const query = { campaign_id: campaign.campaign_id, states: `REPORT_STATE_${state}`, page_size: 1000, page_token };
      const page = await ask(unitPath(unit.id, "/reports"), { query });
      found.push(...(page.reports ?? []));
      page_token = page.next_page_token;
    } while (page_token);
    return found;
  }

  async function begin() {
    try {
      const reports = await waiting();
      if (!reports.length) return idle(said("noneWaits"));
      const title = saying("sure", { n: number(reports.length), step: said(step) });
      if (!(await askFor({ title, fields: [], submit: said(step), cancel: said("cancel") }))) return idle();
      const refused = await take(reports);
      await onDone();
      return idle(refused.length ? saying("refused", { n: number(refused.length), why: refused[0].message }) : "");
    } catch (error) {
      return idle(error.message);
    }
  }

  // One that is refused, since it changed meanwhile, stops none of the others.
  async function take(reports) {
    const refused = [];
    for (const [done, report] of reports.entries()) {
      replace(place, h("span", { class: "muted", role: "status" }, `${number(done + 1)}/${number(reports.length)}`));
      const path = unitPath(report.school_id, `/reports/${report.report_id}:${step}`);
      await ask(path, { method: "POST", body: { etag: report.etag } }).catch((error) => refused.push(error));
    }
    return refused;
  }

  return place;
}
