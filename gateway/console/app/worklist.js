// Alerts to be handled below the unit: found by filters, taken, closed, commented and silenced where they stand.

import { say } from "./alertTexts.js";
import { ask, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { area, choice, input, instantOf, refused, tick, values } from "./fields.js";
import { ago, bilingual, instant, number } from "./format.js";
import { sinceRaised } from "./sinceRaised.js";

const PAGE = 30;
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

export function worklist(panel, { unit, account }) {
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
  replace(panel, filters, list, below);
  load();

  async function load() {
    try {
      const [page, counted] = await Promise.all([read(), ask(unitPath(unit.id, "/alerts:count"))]);
      const told = (counted.counts ?? []).filter((one) => one.state !== "ALERT_STATE_SUPPRESSED");
      const open = told.reduce((sum, one) => sum + Number(one.count), 0);
      replace(count, say("found", { n: number(open) }));
      replace(list, (page.alerts ?? []).map(line));
      further(page);
    } catch (error) {
      replace(list, refused(error));
    }
  }

  function read(page_token = "") {
    const { state, severity, family, age, who, rule } = values(filters);
    return ask(unitPath(unit.id, "/alerts"), {
      query: {
        states: state ? `ALERT_STATE_${state}` : "",
        min_severity: `SEVERITY_${severity}`,
        families: family,
        rule: rule.trim(),
        min_age_hours: age === "0" ? "" : age,
        taken_by: who,
        page_size: PAGE,
        page_token,
      },
    });
  }

  function further({ next_page_token: next }) {
    const more = async () => {
      try {
        const page = await read(next);
        list.append(...(page.alerts ?? []).map(line));
        further(page);
      } catch (error) {
        replace(below, refused(error));
      }
    };
    replace(
      below,
      next ? h("button", { class: "quiet wide", type: "button", onclick: more }, say("more")) : "",
      list.children.length ? "" : h("p", { class: "muted" }, say("none")),
    );
  }

  function line(alert) {
    const severity = bare(alert.severity, "SEVERITY_");
    const state = stateOf(alert);
    const place = h("div", { class: "more-of" });
    const element = h(
      "li",
      { class: severity.toLowerCase(), "data-alert": alert.alert_id },
      h("span", { class: "grade" }, say(severity)),
      h(
        "div",
        { class: state === "RESOLVED" ? "over" : "" },
        h("strong", {}, bilingual(alert, "title")),
        h("p", { class: "muted" }, [alert.unit_name, ago(alert.create_time), say(state), ...about(alert)].join(" · ")),
      ),
      h("div", { class: "doing" }, actions(alert, state).map(([name, form]) =>
        h("button", { type: "button", "data-do": name, onclick: () => form(place, alert, renewed) }, say(name)),
      )),
      place,
    );
    function renewed(changed) {
      element.replaceWith(line(changed));
    }
    return element;
  }

  function actions(alert, state) {
    const doing = [["details", details]];
    if (state === "RESOLVED") doing.unshift(...(alert.resolved_by ? [["reopen", reopening]] : []));
    else doing.unshift(["take", taking], ["resolve", resolving], ["silence", silencing]);
    return [...doing, ["comment", commenting]];
  }
}

function about(alert) {
  const found = [];
  if (alert.acknowledged_by) found.push(say("takenBy", { n: alert.acknowledged_by }));
  if (alert.due_time) found.push(say("dueBy", { n: instant(alert.due_time) }));
  if (alert.escalation_level) found.push(say("climbed", { n: alert.escalation_level }));
  return found;
}

const path = (alert, verb) => unitPath(alert.unit_id, `/alerts/${alert.alert_id}${verb}`);

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

function taking(place, alert, done) {
  asking(place, {
    fields: [area("note", say("note")), input("due", say("due"), { type: "datetime-local" })],
    send: ({ note, due }) =>
      ask(path(alert, ":acknowledge"), { method: "POST", body: { note, etag: alert.etag, due_time: instantOf(due) } }),
    done,
  });
}

function resolving(place, alert, done) {
  const outcomes = Object.fromEntries(["DEALT_WITH", "FALSE_ALARM", "ACCEPTED"].map((one) => [`RESOLUTION_${one}`, say(one)]));
  asking(place, {
    fields: [choice("resolution", say("became"), outcomes), area("note", say("why"))],
    send: ({ resolution, note }) => ask(path(alert, ":resolve"), { method: "POST", body: { resolution, note, etag: alert.etag } }),
    done,
  });
}

function reopening(place, alert, done) {
  asking(place, {
    fields: [area("note", say("why"))],
    send: ({ note }) => ask(path(alert, ":reopen"), { method: "POST", body: { note } }),
    done,
  });
}

function commenting(place, alert, done) {
  asking(place, {
    fields: [area("text", say("comment"))],
    send: ({ text }) => ask(path(alert, ":comment"), { method: "POST", body: { text } }),
    done,
  });
}

function silencing(place, alert, done) {
  asking(place, {
    fields: [
      input("until", say("until"), { type: "datetime-local" }),
      tick("subject", say("onlyThis"), true),
      area("reason", say("why")),
    ],
    async send({ until, subject, reason }) {
      const body = { rule: alert.rule, subject: subject ? alert.subject : "", end_time: instantOf(until), reason };
      await ask(unitPath(alert.unit_id, "/silences"), { method: "POST", body });
      return { alert: { ...alert, state: "ALERT_STATE_SUPPRESSED" } };
    },
    done,
  });
}

async function details(place, alert) {
  if (place.querySelector(".steps")) return replace(place);
  let steps = [];
  try {
    ({ steps = [] } = await ask(path(alert, "/steps"), { query: { page_size: 200 } }));
  } catch (error) {
    return replace(place, refused(error));
  }
  const told = (step) => {
    const name = bare(step.transition, "ALERT_TRANSITION_");
    const text = say(`${name}_step`) === `${name}_step` ? say(name) : say(`${name}_step`);
    const line = [instant(step.time), text, step.by, step.note].filter(Boolean).join(" · ");
    return step.title_vi ? [`${line} · `, bilingual(step, "title")] : line;
  };
  return replace(
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
}
