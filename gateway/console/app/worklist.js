// Alerts to be handled below the unit: found by filters, taken, closed, commented and silenced where they stand. What
// changes meanwhile is drawn into the cards as it comes: whoever writes below one goes on writing.

import { may } from "./access.js";
import { bare, commenting, detail, details, path, reopening, resolving, silencesOf, silencing, taking } from "./alertForms.js";
import { say } from "./alertTexts.js";
import { ask, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { choice, input, refused, values } from "./fields.js";
import { ago, bilingual, instant, number } from "./format.js";
import { follow } from "./stream.js";

const PAGE = 30;
const LONGEST_PAGE = 1000;
const OPENED = 5; // So many alerts of a rule stand open; more are one line, which opens.
const NAMED = 3; // Units that such a line names.
const GATHER_MS = 300; // Thousands may come at once: they are drawn together.
const STATES = { "": "standing", OPEN: "OPEN", ACKNOWLEDGED: "ACKNOWLEDGED", SUPPRESSED: "SUPPRESSED", RESOLVED: "RESOLVED" };
const SEVERITIES = ["INFO", "WARNING", "CRITICAL"];
const FAMILIES = { "": "all", indicator: "indicator", pupil: "pupil", data: "data", statistics: "statistics_family" };
const ages = () => ({
  0: say("anyAge"),
  4: say("hours", { n: 4 }),
  24: say("days", { n: 1 }),
  72: say("days", { n: 3 }),
  168: say("days", { n: 7 }),
});
const said = (options) => Object.fromEntries(Object.entries(options).map(([key, text]) => [key, say(text)]));
const stateOf = (alert) => bare(alert.state, "ALERT_STATE_");

export function worklist(panel, { unit, account, light }) {
  const place = h("div", { class: "groups" });
  const count = h("span", { class: "count", role: "status" });
  const filters = h(
    "form",
    { class: "filters", onsubmit: (event) => event.preventDefault(), onchange: () => load() },
    choice("state", say("state"), said(STATES)),
    choice("severity", say("severity"), said(Object.fromEntries(SEVERITIES.map((one) => [one, one]))), "INFO"),
    choice("family", say("family"), said(FAMILIES)),
    choice("age", say("age"), ages()),
    choice("who", say("mine"), { "": say("all"), [account.subject]: say("mineOnly") }),
    input("rule", say("rule"), { value: new URLSearchParams(location.hash.slice(1)).get("rule") ?? "" }),
    count,
  );
  const cards = new Map(); // By the alert's id, those in the lists.
  const news = new Map(); // What changed of them and is not drawn yet.
  let sections = []; // Of each rule one; of what is over one for all, newest first.
  let round = 0;
  let gathering;
  let stopped = false;
  replace(panel, filters, place);
  load();
  const leave = follow(unitPath(unit.id, "/alerts:watch"), {
    resume: "after",
    // What came between the list and its stream, or while it was cut, is read once more.
    onOpen: gather,
    onItem(alert) {
      news.set(alert.alert_id, alert);
      gather();
      return alert.position;
    },
    onState: light.part("alerts"),
  });

  async function load() {
    const mine = ++round;
    try {
      const [groups] = await Promise.all([readGroups(), recount()]);
      if (mine !== round) return; // Other filters were chosen meanwhile.
      cards.clear();
      sections = groups ? groups.map(section) : [section()];
      replace(place, sections.map((one) => one.element), groups?.length === 0 ? nothing() : "");
      await Promise.all(sections.filter((one) => one.isOpen()).map((one) => one.fill()));
    } catch (error) {
      if (mine === round) replace(place, refused(error));
    }
  }

  async function recount() {
    const counted = await ask(unitPath(unit.id, "/alerts:count"));
    const told = (counted.counts ?? []).filter((one) => one.state !== "ALERT_STATE_SUPPRESSED");
    const open = told.reduce((sum, one) => sum + Number(one.count), 0);
    const text = say("found", { n: number(open) });
    if (count.textContent !== text) replace(count, text); // Read out only when it changes.
  }

  function gather() {
    gathering ??= setTimeout(freshen, GATHER_MS);
  }

  // Draws what changed into the cards, and reads what the filters find of it beside them.
  async function freshen() {
    for (const alert of news.values()) cards.get(alert.alert_id)?.show(alert);
    news.clear();
    const mine = round;
    try {
      const [groups] = await Promise.all([readGroups(), recount()]);
      if (!stopped && mine === round) await regroup(groups, () => !stopped && mine === round);
    } catch {
      // What is there stays there; the next change reads again.
    }
    gathering = undefined;
    if (news.size && !stopped) gather();
  }

  // What is shown stays where it is, though the filters may not find it any more: somebody may be handling it.
  async function regroup(groups, current) {
    let before = place.firstElementChild;
    for (const group of groups ?? []) {
      let known = sections.find((one) => one.rule === group.rule);
      if (known) known.tell(group);
      else {
        known = section(group);
        sections.push(known);
        place.insertBefore(known.element, before);
        place.querySelector(":scope > .none")?.remove();
      }
      before = known.element.nextElementSibling;
    }
    if (groups) for (const one of sections) if (!groups.some(({ rule }) => rule === one.rule)) one.tell({});
    await Promise.all(sections.filter((one) => one.isOpen()).map((one) => one.fill(current)));
  }

  function chosen() {
    const { state, severity, family, age, who, rule } = values(filters);
    return {
      states: state ? `ALERT_STATE_${state}` : "",
      min_severity: `SEVERITY_${severity}`,
      families: family,
      rule: rule.trim(),
      min_age_hours: age === "0" ? "" : age,
      taken_by: who,
    };
  }

  // The alerts by rule; nothing where these are over, of which there are many years.
  async function readGroups() {
    const query = chosen();
    if (query.states === "ALERT_STATE_RESOLVED") return undefined;
    return (await ask(unitPath(unit.id, "/alerts:groups"), { query: { ...query, page_size: LONGEST_PAGE } })).groups ?? [];
  }

  const nothing = () => h("p", { class: "muted none" }, say("none"));

  // The alerts of a rule behind a line that says how many, since when and where; without a group, all that are found.
  function section(group) {
    const list = h("ol", { class: "worklist" });
    const below = h("div", {});
    const summary = h("summary", {});
    const shown = new Set(); // The alerts in this list.
    let filled = false;
    let filling;
    const opening = () => element.open && fill().catch((error) => replace(below, refused(error)));
    const element = group ? h("details", { "data-group": group.rule, ontoggle: opening }, summary, list, below) : h("div", {}, list, below);
    if (group) {
      element.open = Number(group.alert_count) <= OPENED;
      tell(group);
    }
    return { element, rule: group?.rule, isOpen: () => !group || element.open, tell, fill };

    function tell({ title_vi, severity, alert_count: n = 0, unit_count: m = 0, oldest_time: oldest, units = [], ...rest }) {
      const names = units.slice(0, NAMED).map((one) => one.unit_name);
      if (m > names.length) names.push(say("furtherUnits", { n: number(m - names.length) }));
      if (title_vi) {
        element.className = bare(severity, "SEVERITY_").toLowerCase();
        replace(summary, h("span", { class: "grade" }, say(bare(severity, "SEVERITY_"))), h("strong", {}, bilingual({ title_vi, ...rest }, "title")), h("span", { class: "muted told" }));
      }
      const told = n ? [say("ofRule", { n: number(n) }), say("oldest", { n: ago(oldest) }), names.join(", ")].join(" · ") : say("noneLeft");
      replace(summary.querySelector(".told"), told);
    }

    function fill(current = () => !stopped && sections.some((one) => one.element === element)) {
      filling ??= draw(current).finally(() => (filling = undefined));
      return filling;
    }

    async function draw(current) {
      const page = await read("", filled ? Math.min(Math.max(PAGE, shown.size), LONGEST_PAGE) : PAGE);
      if (!current()) return;
      merge(page);
      if (!filled) further(page);
      filled = true;
    }

    function merge(page) {
      let before = list.querySelector(":scope > li");
      for (const alert of page.alerts ?? []) {
        const card = cards.get(alert.alert_id);
        if (card) card.show(alert);
        else list.insertBefore(added(alert), before);
        before = cards.get(alert.alert_id).element.nextElementSibling;
      }
      if (shown.size) below.querySelector(".none")?.remove();
    }

    function added(alert) {
      shown.add(alert.alert_id);
      return line(alert);
    }

    function read(page_token = "", page_size = PAGE) {
      const query = { ...chosen(), ...(group ? { rule: group.rule } : {}), page_size, page_token };
      return ask(unitPath(unit.id, "/alerts"), { query });
    }

    function further({ next_page_token: next }) {
      const more = async () => {
        try {
          const page = await read(next);
          list.append(...(page.alerts ?? []).filter((one) => !cards.has(one.alert_id)).map(added));
          further(page);
        } catch (error) {
          replace(below, refused(error));
        }
      };
      replace(
        below,
        next ? h("button", { class: "quiet wide", type: "button", onclick: more }, say("more")) : "",
        list.children.length ? "" : nothing(),
      );
    }
  }

  function line(alert) {
    const grade = h("span", { class: "grade" });
    const told = h("div", {});
    const doing = h("div", { class: "doing" });
    const place = h("div", { class: "more-of" });
    const element = h("li", { "data-alert": alert.alert_id }, grade, told, doing, place);
    const card = { element, alert: undefined, show, renewed };
    let names = "";
    cards.set(alert.alert_id, card);
    show(alert);

    // An older answer that comes late changes nothing.
    function show(newer) {
      if (card.alert && BigInt(newer.position ?? 0) < BigInt(card.alert.position ?? 0)) return;
      const same = card.alert && card.alert.position === newer.position && card.alert.state === newer.state;
      card.alert = newer;
      const severity = bare(newer.severity, "SEVERITY_");
      const state = stateOf(newer);
      element.className = severity.toLowerCase();
      told.className = state === "RESOLVED" ? "over" : "";
      replace(grade, say(severity));
      replace(
        told,
        h("strong", {}, bilingual(newer, "title")),
        h("p", { class: "muted" }, [newer.unit_name, ago(newer.create_time), say(state), ...about(newer)].join(" · ")),
      );
      offer(actions(newer, state));
      if (!same && place.querySelector(".steps")) detail(place, card);
    }

    function offer(forms) {
      const offered = forms.map(([name]) => name).join();
      if (offered === names) return;
      names = offered;
      const stood = doing.contains(document.activeElement) ? document.activeElement.dataset.do : undefined;
      replace(
        doing,
        forms.map(([name, form]) =>
          h("button", { type: "button", "data-do": name, onclick: () => form(place, card) }, say(name)),
        ),
      );
      if (stood) (doing.querySelector(`[data-do=${stood}]`) ?? doing.firstElementChild)?.focus();
    }

    function renewed(changed) {
      replace(place);
      show(changed);
      doing.firstElementChild?.focus({ preventScroll: true });
    }
    return element;
  }

  function actions(alert, state) {
    const over = state === "RESOLVED";
    const doing = [
      [!over, "take", taking, "POST", path(alert, ":acknowledge")],
      [!over, "resolve", resolving, "POST", path(alert, ":resolve")],
      [!over, "silence", silencing, "POST", silencesOf(alert)],
      [over && alert.resolved_by, "reopen", reopening, "POST", path(alert, ":reopen")],
      [true, "details", details, "GET", path(alert, "/steps")],
      [true, "comment", commenting, "POST", path(alert, ":comment")],
    ];
    return doing.filter(([fits, , , ...call]) => fits && may(...call)).map(([, name, form]) => [name, form]);
  }

  return () => {
    stopped = true;
    clearTimeout(gathering);
    leave();
    light.without("alerts");
  };
}

function about(alert) {
  const found = [];
  if (alert.acknowledged_by) found.push(say("takenBy", { n: alert.acknowledged_by }));
  if (alert.due_time) found.push(say("dueBy", { n: instant(alert.due_time) }));
  if (alert.escalation_level) found.push(say("climbed", { n: alert.escalation_level }));
  return found;
}
