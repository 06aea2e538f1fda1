// The sum of a unit's reports, and files of a whole campaign with their progress.

import { ask, requestId, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { download } from "./files.js";
import { number } from "./format.js";
import { formTables } from "./formTable.js";
import { said, saying } from "./reportTexts.js";

const POLL_MS = 700;

export async function summed(place, { unit, campaign }) {
  try {
    const { form } = await ask(`/v1/forms/${campaign.form}`, { query: { version: campaign.form_version } });
    const sum = await ask(unitPath(unit.id, "/reports:aggregate"), { query: { campaign_id: campaign.campaign_id } });
    const cells = new Map((sum.cells ?? []).map((cell) => [`${cell.sheet}.${cell.row}.${cell.column}`, cell]));
    const missing = (sum.missing ?? []).map((one) => `${one.school_name} (${said(one.state.replace("REPORT_STATE_", ""))})`);
    replace(
      place,
      h(
        "section",
        { class: "panel", id: "sum" },
        h("p", {}, saying("sumOf", { a: number(sum.school_count ?? 0), b: number(sum.expected_school_count ?? 0) })),
        missing.length ? h("p", { class: "muted" }, saying("missing", { n: missing.join(", ") })) : "",
      ),
      formTables(form, (key) => {
        const cell = cells.get(key);
        if (cell?.value === undefined) return { class: "none", content: "" };
        return { content: number(cell.value, 2), title: `${cell.school_count}/${sum.expected_school_count}` };
      }),
    );
  } catch (error) {
    replace(place, h("p", { class: "notice warn", role: "alert" }, error.message));
  }
}

export function exporting({ unit, campaign }, format) {
  const place = h("span", { class: "actions" });
  const idle = (text = "") =>
    replace(
      place,
      h("button", { type: "button", onclick: begin }, said(format === "csv" ? "exportCsv" : "exportXlsx")),
      text ? h("span", { class: "muted", role: "status" }, text) : "",
    );
  idle();

  async function begin() {
    try {
      const body = { campaign_id: campaign.campaign_id, format, request_id: requestId() };
      const { export: begun } = await ask(unitPath(unit.id, "/exports"), { method: "POST", body });
      await follow(unitPath(unit.id, `/exports/${begun.export_id}`));
    } catch (error) {
      idle(error.message);
    }
  }

  async function follow(path) {
    const text = h("span", { class: "muted", role: "status" });
    const cancel = () => ask(`${path}:cancel`, { method: "POST", body: {} }).catch((error) => idle(error.message));
    replace(place, text, h("button", { type: "button", onclick: cancel }, said("cancelExport")));
    for (;;) {
      const { export: now } = await ask(path);
      if (now.state === "EXPORT_STATE_DONE") {
        await download(`${path}:download`, {}, now.file_name);
        return idle(now.file_name);
      }
      if (now.state === "EXPORT_STATE_CANCELLED") return idle(said("exportCancelled"));
      if (now.state !== "EXPORT_STATE_RUNNING") return idle(saying("exportFailed", { n: now.failure }));
      replace(text, saying("exporting", { a: number(now.done_count ?? 0), b: number(now.total_count ?? 0) }));
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  return place;
}
