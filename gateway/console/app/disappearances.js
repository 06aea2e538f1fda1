// What a source says to be everything and lacks too much of what is held: shown with the numbers, confirmed or rejected.

import { may } from "./access.js";
import { ask, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { instant, number } from "./format.js";
import { filledIn, said } from "./importWords.js";

export async function showDisappearances(place, unit) {
  const path = unitPath(unit, "/disappearances");
  place.hidden = true;
  if (!may("GET", path)) return;
  try {
    const { disappearances = [] } = await ask(path, { query: { page_size: 50 } });
    place.hidden = !disappearances.length;
    replace(place, h("h2", {}, said("disappearances")), ...disappearances.map((one) => question(place, unit, one)));
  } catch (error) {
    place.hidden = false;
    replace(place, h("p", { class: "notice warn", role: "alert" }, error.message));
  }
}

function question(place, unit, one) {
  const told = h("p", { class: "notice warn", role: "alert", hidden: true });
  const reason = h("input", { type: "text", maxLength: 500 });
  const path = (verb) => unitPath(unit, `/disappearances/${encodeURIComponent(one.declaration_id)}:${verb}`);
  const deciding = (verb, text, kind) =>
    may("POST", path(verb)) ? [h("button", { type: "button", class: kind, onclick: () => decide(verb) }, text)] : [];
  const buttons = [
    ...deciding("confirm", filledIn("gone", { n: number(one.disappeared_count) }), "primary"),
    ...deciding("reject", said("notGone")),
  ];

  async function decide(verb) {
    const why = reason.value.trim();
    if (!why) {
      reason.focus();
      return tell(said("whyMissing"));
    }
    buttons.forEach((button) => (button.disabled = true));
    try {
      const { full } = await ask(path(verb), { method: "POST", body: { source: one.source, decision_reason: why } });
      const done = filledIn(full.state === "FULL_STATE_DONE" ? "areGone" : "nothingGone", { n: number(full.disappeared_count) });
      replace(line, h("p", { role: "status" }, done));
      line.classList.replace("warn", "settled");
    } catch (error) {
      tell(error.message);
      buttons.forEach((button) => (button.disabled = false));
    }
  }

  const tell = (text) => {
    told.textContent = text;
    told.hidden = false;
  };
  const values = {
    s: one.school_name || one.school_id,
    c: said("collections")[one.collection] ?? one.collection,
    y: `${one.school_year}–${one.school_year + 1}`,
    o: one.source,
    t: instant(one.create_time),
  };
  const counts = { n: number(one.disappeared_count), h: number(one.held_count) };
  const line = h(
    "div",
    { class: "notice warn disappearance" },
    h("b", {}, filledIn("disappearance", values)),
    h("p", {}, filledIn(one.held_count ? "lacks" : "lacksSome", counts)),
    buttons.length ? h("label", {}, said("why"), reason) : "",
    h("div", { class: "row-of-buttons" }, buttons),
    told,
  );
  return line;
}
