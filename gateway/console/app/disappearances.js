// What a source says to be everything and lacks too much of what is held: shown with numbers and records, kept or deleted.

import { may } from "./access.js";
import { ask, unitPath } from "./api.js";
import { askFor } from "./asking.js";
import { h, replace } from "./elements.js";
import { day, instant, number } from "./format.js";
import { filledIn, said } from "./importWords.js";

const PAGE = 50;

const waiting = (unit, page_token) => ask(unitPath(unit, "/disappearances"), { query: { page_size: PAGE, page_token } });

export async function showDisappearances(place, unit, page_token = "") {
  if (!page_token) place.hidden = true;
  if (!may("GET", unitPath(unit, "/disappearances"))) return;
  try {
    const { disappearances: found = [], next_page_token: next } = await waiting(unit, page_token);
    if (!page_token) {
      place.hidden = !found.length;
      replace(place, h("h2", {}, said("disappearances")));
    }
    place.querySelector(".more")?.remove();
    place.append(...found.map((one) => question(unit, one)));
    const more = () => showDisappearances(place, unit, next);
    if (next) place.append(h("button", { type: "button", class: "wide more", onclick: more }, said("more")));
  } catch (error) {
    place.hidden = false;
    replace(place, h("p", { class: "notice warn", role: "alert" }, error.message));
  }
}

// Sources give the same ids at many schools: only with its school an id says which.
async function stillWaiting(unit, { declaration_id: id, source, school_id: school }) {
  let page_token = "";
  do {
    const { disappearances: found = [], next_page_token: next } = await waiting(unit, page_token);
    const same = found.find((one) => one.declaration_id === id && one.source === source && one.school_id === school);
    if (same) return same;
    page_token = next;
  } while (page_token);
  return null;
}

function question(unit, one) {
  const path = unitPath(unit, `/disappearances/${encodeURIComponent(one.declaration_id)}`);
  const told = h("p", { class: "notice warn", role: "alert", hidden: true });
  const reason = h("input", { type: "text", maxLength: 500 });
  const counts = h("p", {});
  const deciding = (verb, kind, text = "") =>
    h("button", { type: "button", class: kind, hidden: !may("POST", `${path}:${verb}`), onclick: () => decide(verb) }, text);
  const gone = deciding("confirm", "danger");
  const kept = deciding("reject", "primary", said("notGone"));
  const buttons = [kept, gone];
  const decides = buttons.some((button) => !button.hidden);

  function count({ disappeared_count: n, held_count: held }) {
    one = { ...one, disappeared_count: n, held_count: held };
    counts.textContent = filledIn(held ? "lacks" : "lacksSome", { n: number(n), h: number(held) });
    gone.textContent = filledIn("gone", { n: number(n) });
  }

  // How it stands now: others decide too, and what comes again does not go any more.
  async function refresh() {
    const fresh = await stillWaiting(unit, one);
    if (fresh) count(fresh);
    else settle(said("decidedElsewhere"));
    return Boolean(fresh);
  }

  const settle = (text) => {
    replace(line, h("b", {}, filledIn("disappearance", values)), h("p", { role: "status" }, text));
    line.classList.replace("warn", "settled");
  };

  async function decide(verb) {
    const why = reason.value.trim();
    if (!why) {
      reason.focus();
      return tell(said("whyMissing"));
    }
    buttons.forEach((button) => (button.disabled = true));
    told.hidden = true;
    try {
      if (verb === "confirm" && !((await refresh()) && (await isMeant(one.disappeared_count)))) return;
      const { full } = await ask(`${path}:${verb}`, { method: "POST", body: { source: one.source, school: one.school_id, decision_reason: why } });
      settle(filledIn(full.state === "FULL_STATE_DONE" ? "areGone" : "nothingGone", { n: number(full.disappeared_count) }));
    } catch (error) {
      tell(error.message);
      await refresh().catch(() => {}); // The refusal is told; the numbers stay as they are.
    } finally {
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
  count(one);
  const line = h(
    "div",
    { class: "notice warn disappearance" },
    h("b", {}, filledIn("disappearance", values)),
    counts,
    recordsOf(path, one, count),
    decides ? h("label", {}, said("why"), reason) : "",
    h("div", { class: "row-of-buttons" }, buttons),
    told,
  );
  return line;
}

// Deleting is asked again with the number, which has to be written: a click too many deletes nobody.
async function isMeant(count) {
  const label = filledIn("writeCount", { n: count });
  const field = { name: "count", label, title: label, kind: "input", type: "text", required: true, pattern: String(count), inputMode: "numeric", autocomplete: "off" };
  const title = filledIn("sureGone", { n: number(count) });
  return Boolean(await askFor({ title, fields: [field], submit: filledIn("gone", { n: number(count) }), cancel: said("leave") }));
}

// The records that would go, asked for under a stated purpose, which is written down with every look.
function recordsOf(path, one, count) {
  const below = h("div", { class: "records", "aria-live": "polite" });
  if (!may("GET", `${path}/records`)) return "";
  const open = async () => {
    const field = { name: "purpose", label: said("seePurpose"), kind: "input", type: "text", required: true, minLength: 3, maxLength: 500 };
    const answer = await askFor({ title: said("seeGoing"), fields: [field], submit: said("see"), cancel: said("leave") });
    if (answer) await page(answer.purpose, "", h("tbody", {}));
  };
  const page = async (purpose, page_token, body) => {
    try {
      const found = await ask(`${path}/records`, { query: { source: one.source, school: one.school_id, purpose, page_token, page_size: PAGE } });
      const total = found.disappearing_count;
      body.append(...(found.records ?? []).map(recordLine));
      count({ disappeared_count: total, held_count: found.held_count });
      const more = h("button", { class: "quiet", type: "button", onclick: () => page(purpose, found.next_page_token, body) }, said("more"));
      const headings = h("tr", {}, said("goingHeadings").map((text) => h("th", { scope: "col" }, text)));
      replace(
        below,
        h("div", { class: "scroll" }, h("table", {}, h("thead", {}, headings), body)),
        h("p", { class: "muted" }, filledIn("ofGoing", { a: number(body.children.length), b: number(total) })),
        found.next_page_token ? more : "",
      );
    } catch (error) {
      replace(below, h("p", { class: "notice warn", role: "alert" }, error.message));
    }
  };
  return h("div", {}, h("button", { type: "button", onclick: open }, said("seeGoing")), below);
}

function recordLine({ key, record, class_name: of }) {
  const { pupil, staff_member: member, school_class: group } = record?.row ?? {};
  const person = pupil ?? member ?? {};
  const cells = [key, of || pupil?.class_key || group?.grade || "", person.birth_date?.includes("-") ? day(person.birth_date) : person.birth_date];
  return h("tr", {}, h("th", { scope: "row" }, person.full_name ?? group?.name ?? key), cells.map((text) => h("td", {}, text ?? "")));
}
