// The sum of a unit's reports, and files of a whole campaign with their progress.

import { ask, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { exportButton } from "./exporting.js";
import { number } from "./format.js";
import { formTables } from "./formTable.js";
import { said, saying } from "./reportTexts.js";

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

export const exporting = ({ unit, campaign }, format) =>
  exportButton(unit, said(format === "csv" ? "exportCsv" : "exportXlsx"), async (request_id) => {
    const body = { campaign_id: campaign.campaign_id, format, request_id };
    return (await ask(unitPath(unit.id, "/exports"), { method: "POST", body })).export;
  });
