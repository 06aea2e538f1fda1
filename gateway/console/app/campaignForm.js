// Starting a campaign: which form, which school year, and until when.

import { ask, requestId, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { bilingual } from "./format.js";
import { said } from "./reportTexts.js";

const DAYS = { confirm_due_time: 14, review_due_time: 21, approve_due_time: 28 };
const LABELS = { confirm_due_time: "confirmDue", review_due_time: "reviewDue", approve_due_time: "approveDue" };

export function campaignForm(unit, onMade) {
  const place = h("div", {});
  const closed = () =>
    replace(place, h("button", { type: "button", id: "new-campaign", onclick: opened }, said("newCampaign")));
  closed();

  async function opened() {
    const { forms = [] } = await ask("/v1/forms", { query: { page_size: 1000 } });
    const select = h(
      "select",
      { name: "form" },
      forms.map((one) => h("option", { value: one.code }, bilingual(one, "name"))),
    );
    const now = new Date();
    const year = h("input", {
      type: "number",
      name: "school_year",
      min: 1990,
      max: 2100,
      value: now.getMonth() >= 6 ? now.getFullYear() : now.getFullYear() - 1,
    });
    const due = Object.entries(DAYS).map(([name, days]) => {
      const value = new Date(now.getTime() + days * 86_400_000).toISOString().slice(0, 10);
      return [name, h("input", { type: "date", name, value, required: true })];
    });
    const problem = h("p", { class: "notice warn", role: "alert", hidden: true });
    const submit = async (event) => {
      event.preventDefault();
      // A deadline is the end of its day in Viet Nam.
      const times = Object.fromEntries(due.map(([name, field]) => [name, `${field.value}T23:59:59+07:00`]));
      const body = { form: select.value, school_year: Number(year.value), request_id: requestId(), ...times };
      try {
        onMade((await ask(unitPath(unit.id, "/campaigns"), { method: "POST", body })).campaign);
      } catch (error) {
        problem.hidden = false;
        replace(problem, error.message);
      }
    };
    replace(
      place,
      h(
        "form",
        { class: "asked", onsubmit: submit },
        h("label", {}, said("form"), select),
        h("label", {}, said("schoolYear"), year),
        due.map(([name, field]) => h("label", {}, said(LABELS[name]), field)),
        h(
          "div",
          { class: "actions" },
          h("button", { class: "primary" }, said("start")),
          h("button", { type: "button", onclick: closed }, said("cancel")),
        ),
        problem,
      ),
    );
  }

  return place;
}
