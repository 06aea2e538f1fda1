// What is done with one alert, in a form below it, and what has happened to it so far.

import { say } from "./alertTexts.js";
import { ask, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { area, choice, input, instantOf, refused, tick, values } from "./fields.js";
import { bilingual, instant } from "./format.js";
import { sinceRaised } from "./sinceRaised.js";

// A state or a step of a later version comes as a number.
export const bare = (value, prefix) => String(value ?? "").replace(prefix, "");
const STATES = ["OPEN", "ACKNOWLEDGED", "SUPPRESSED", "RESOLVED"];

export const path = (alert, verb) => unitPath(alert.unit_id, `/alerts/${alert.alert_id}${verb}`);
export const silencesOf = (alert) => unitPath(alert.unit_id, "/silences");

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

export function taking(place, { alert, renewed: done }) {
  asking(place, {
    fields: [area("note", say("note")), input("due", say("due"), { type: "datetime-local" })],
    send: ({ note, due }) =>
      ask(path(alert, ":acknowledge"), { method: "POST", body: { note, etag: alert.etag, due_time: instantOf(due) } }),
    done,
  });
}

export function resolving(place, { alert, renewed: done }) {
  const outcomes = Object.fromEntries(["DEALT_WITH", "FALSE_ALARM", "ACCEPTED"].map((one) => [`RESOLUTION_${one}`, say(one)]));
  asking(place, {
    fields: [choice("resolution", say("became"), outcomes), area("note", say("why"))],
    send: ({ resolution, note }) => ask(path(alert, ":resolve"), { method: "POST", body: { resolution, note, etag: alert.etag } }),
    done,
  });
}

export function reopening(place, { alert, renewed: done }) {
  asking(place, {
    fields: [area("note", say("why"))],
    send: ({ note }) => ask(path(alert, ":reopen"), { method: "POST", body: { note } }),
    done,
  });
}

export function commenting(place, { alert, renewed: done }) {
  asking(place, {
    fields: [area("text", say("comment"))],
    send: ({ text }) => ask(path(alert, ":comment"), { method: "POST", body: { text } }),
    done,
  });
}

export function silencing(place, { alert, renewed: done }) {
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

export function details(place, card) {
  if (place.querySelector(".steps")) return replace(place);
  return detail(place, card);
}

// The alert as it is now, with its steps: both are read anew, so that neither says more than the other.
export async function detail(place, card) {
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
  const states = STATES.map((one) => `ALERT_STATE_${one}`);
  const { rule, subject } = alert;
  const page = await ask(unitPath(alert.unit_id, "/alerts"), { query: { rule, subject, states, page_size: 200 } });
  return (page.alerts ?? []).find((one) => one.alert_id === alert.alert_id) ?? alert;
}
