// Alerts to be handled below the unit: found by filters, taken, closed, commented and silenced where they stand. What
// changes meanwhile is drawn into the cards as it comes: whoever writes below one goes on writing.

import { say } from "./alertTexts.js";
import { may } from "./access.js";
import { ask, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { area, choice, input, instantOf, refused, tick, values } from "./fields.js";
import { ago, bilingual, instant, number } from "./format.js";
import { sinceRaised } from "./sinceRaised.js";
import { follow } from "./stream.js";

const PAGE = 30;
const LONGEST_PAGE = 1000;
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
// A step of a later version comes as a number.
const bare = (value, prefix) => String(value ?? "").replace(prefix, "");
const stateOf = (alert) => bare(alert.state, "ALERT_STATE_");

export function worklist(panel, { unit, account, light }) {
  const list = h("ol", { class: "worklist" });
  const below = h("div", {});
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
  const cards = new Map(); // By the alert's id, those in the list.
  const news = new Map(); // What changed of them and is not drawn yet.
  let round = 0;
  let gathering;
  let stopped = false;
  replace(panel, filters, list, below);
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
      const [page] = await Promise.all([read(), recount()]);
      if (mine !== round) return; // Other filters were chosen meanwhile.
      cards.clear();
      replace(list, (page.alerts ?? []).map(line));
      further(page);
    } catch (error) {
      if (mine === round) replace(list, refused(error));
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
      const [page] = await Promise.all([read("", Math.min(Math.max(PAGE, cards.size), LONGEST_PAGE)), recount()]);
      if (!stopped && mine === round) merge(page);
    } catch {
      // What is there stays there; the next change reads again.
    }
    gathering = undefined;
    if (news.size && !stopped) gather();
  }

  // What is shown stays where it is, though the filters may not find it any more: somebody may be handling it.
  function merge(page) {
    let before = list.querySelector(":scope > li");
    for (const alert of page.alerts ?? []) {
      const card = cards.get(alert.alert_id);
      if (card) card.show(alert);
      else list.insertBefore(line(alert), before);
      before = cards.get(alert.alert_id).element.nextElementSibling;
    }
    if (cards.size) below.querySelector(".none")?.remove();
  }

  function read(page_token = "", page_size = PAGE) {
    const { state, severity, family, age, who, rule } = values(filters);
    return ask(unitPath(unit.id, "/alerts"), {
      query: {
        states: state ? `ALERT_STATE_${state}` : "",
        min_severity: `SEVERITY_${severity}`,
        families: family,
        rule: rule.trim(),
        min_age_hours: age === "0" ? "" : age,
        taken_by: who,
        page_size,
        page_token,
      },
    });
  }

  function further({ next_page_token: next }) {
    const more = async () => {
      try {
        const page = await read(next);
        list.append(...(page.alerts ?? []).filter((one) => !cards.has(one.alert_id)).map(line));
        further(page);
      } catch (error) {
        replace(below, refused(error));
      }
    };
    replace(
      below,
      next ? h("button", { class: "quiet wide", type: "button", onclick: more }, say("more")) : "",
      list.children.length ? "" : h("p", { class: "muted none" }, say("none")),
    );
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

const path = (alert, verb) => unitPath(alert.unit_id, `/alerts/${alert.alert_id}${verb}`);
const silencesOf = (alert) => unitPath(alert.unit_id, "/silences");

// A form below the alert; what it sends changes the alert, which is drawn anew.
function asking(place, { fields, send, done }) {
  const answer = h("div", {});
  const close = () => replace(place);
  const form = h(
    "form",
    {
      onsubmit: async (event) => {
        event.preventDefault();
        try {
          const { alert } = await send(values(form));
          if (alert) done(alert);
          else close();
        } catch (error) {
          replace(answer, refused(error));
        }
      },
    },
    h("div", { class: "fields" }, fields),
    answer,
    h("div", { class: "doing" }, h("button", { class: "primary" }, say("send")), h("button", { type: "button", onclick: close }, say("cancel"))),
  );
  replace(place, form);
  form.querySelector("textarea, input, select")?.focus();
}

function taking(place, { alert, renewed: done }) {
  asking(place, {
    fields: [area("note", say("note")), input("due", say("due"), { type: "datetime-local" })],
    send: ({ note, due }) =>
      ask(path(alert, ":acknowledge"), { method: "POST", body: { note, etag: alert.etag, due_time: instantOf(due) } }),
    done,
  });
}

function resolving(place, { alert, renewed: done }) {
  const outcomes = Object.fromEntries(["DEALT_WITH", "FALSE_ALARM", "ACCEPTED"].map((one) => [`RESOLUTION_${one}`, say(one)]));
  asking(place, {
    fields: [choice("resolution", say("became"), outcomes), area("note", say("why"))],
    send: ({ resolution, note }) => ask(path(alert, ":resolve"), { method: "POST", body: { resolution, note, etag: alert.etag } }),
    done,
  });
}

function reopening(place, { alert, renewed: done }) {
  asking(place, {
    fields: [area("note", say("why"))],
    send: ({ note }) => ask(path(alert, ":reopen"), { method: "POST", body: { note } }),
    done,
  });
}

function commenting(place, { alert, renewed: done }) {
  asking(place, {
    fields: [area("text", say("comment"))],
    send: ({ text }) => ask(path(alert, ":comment"), { method: "POST", body: { text } }),
    done,
  });
}

function silencing(place, { alert, renewed: done }) {
  asking(place, {
    fields: [
      input("until", say("until"), { type: "datetime-local" }),
      tick("subject", say("onlyThis"), true),
      area("reason", say("why")),
    ],
    async send({ until, subject, reason }) {
      const body = { rule: alert.rule, subject: subject ? alert.subject : "", end_time: instantOf(until), reason };
      await ask(silencesOf(alert), { method: "POST", body });
      return { alert: { ...alert, state: "ALERT_STATE_SUPPRESSED" } };
    },
    done,
  });
}

function details(place, card) {
  if (place.querySelector(".steps")) return replace(place);
  return detail(place, card);
}

// The alert as it is now, with its steps: both are read anew, so that neither says more than the other.
async function detail(place, card) {
  const asked = [...place.children];
  let { alert } = card;
  let steps = [];
  try {
    [alert, { steps = [] }] = await Promise.all([
      readAnew(alert),
      ask(path(alert, "/steps"), { query: { page_size: 200 } }),
    ]);
  } catch (error) {
    return replace(place, refused(error));
  }
  if (asked.length !== place.children.length || asked.some((one, at) => one !== place.children[at])) return place;
  const told = (step) => {
    const name = bare(step.transition, "ALERT_TRANSITION_");
    const text = say(`${name}_step`) === `${name}_step` ? say(name) : say(`${name}_step`);
    const line = [instant(step.time), text, step.by, step.note].filter(Boolean).join(" · ");
    return step.title_vi ? [`${line} · `, bilingual(step, "title")] : line;
  };
  replace(
    place,
    h("p", {}, bilingual(alert, "body")),
    sinceRaised(alert),
    h(
      "div",
      { class: "steps" },
      h("span", {}, `${say("rule")}: ${alert.rule}, ${say("version", { n: alert.rule_version })}`),
      h("span", {}, `${instant(alert.create_time)} · ${say("RAISED")}`),
      steps.map((step) => h("span", {}, told(step))),
      alert.escalate_time ? h("span", {}, say("climbs", { n: instant(alert.escalate_time) })) : "",
    ),
  );
  card.show(alert);
  return place;
}

async function readAnew(alert) {
  const states = Object.keys(STATES).filter(Boolean).map((one) => `ALERT_STATE_${one}`);
  const { rule, subject } = alert;
  const page = await ask(unitPath(alert.unit_id, "/alerts"), { query: { rule, subject, states, page_size: 200 } });
  return (page.alerts ?? []).find((one) => one.alert_id === alert.alert_id) ?? alert;
}
