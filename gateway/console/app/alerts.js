// The open alerts below the unit, newest first, as they come; whoever may can take one in hand.

import { may } from "./access.js";
import { ask, unitPath } from "./api.js";
import { h, icon, renew, replace } from "./elements.js";
import { followed } from "./followed.js";
import { ago, bilingual, instant, number } from "./format.js";
import { sinceRaised } from "./sinceRaised.js";
import { t } from "./texts.js";

const SIZE = 12;
const SEVERITY = { SEVERITY_CRITICAL: "critical", SEVERITY_WARNING: "warning", SEVERITY_INFO: "info" };
const RESOLVED = "ALERT_STATE_RESOLVED";
const SILENT = "ALERT_STATE_SUPPRESSED"; // Not told, so not shown here: the page of alerts lists it.
const TAKEN = "ALERT_STATE_ACKNOWLEDGED";

export function alerts({ unit, onCounts, onChange, onState, onError }) {
  const badge = h("span", { class: "badge", hidden: true });
  const list = h("ol", { class: "feed" }, h("li", { class: "muted" }, t("loading")));
  const more = h("button", { class: "quiet wide", hidden: true, onclick: () => feed.grow() }, t("more"));
  const element = h(
    "section",
    { class: "panel alerts", "aria-labelledby": "alerts-title" },
    h("header", {}, h("h2", { id: "alerts-title" }, t("alerts")), badge),
    list,
    more,
  );
  const opened = new Set();

  const feed = followed({
    path: unitPath(unit.id, "/alerts:watch"),
    size: SIZE,
    keyOf: (alert) => alert.alert_id,
    async read(limit) {
      const page = await ask(unitPath(unit.id, "/alerts"), { query: { page_size: limit } });
      return { items: page.alerts ?? [], further: Boolean(page.next_page_token) };
    },
    show(newest, { limit, further }) {
      const standing = newest.filter((one) => one.state !== RESOLVED && one.state !== SILENT);
      const over = newest.filter((one) => one.state === RESOLVED);
      const seen = [...standing, ...over].slice(0, limit);
      more.hidden = !further && standing.length <= limit;
      renew(list, seen.length ? seen.map(item) : h("li", { class: "empty" }, icon("check"), t("noAlerts")));
    },
    count,
    onState,
    onFailed: (error, again) => onError(error, list, again),
  });

  async function count() {
    const { counts = [] } = await ask(unitPath(unit.id, "/alerts:count"));
    const open = counts.filter((one) => one.state !== RESOLVED && one.state !== SILENT);
    const sum = (wanted) => open.filter(wanted).reduce((total, one) => total + Number(one.count), 0);
    const of = (severity) => sum((one) => one.severity === severity);
    const total = sum(() => true);
    badge.hidden = total === 0;
    replace(badge, t("open", { n: number(total) }));
    onCounts({
      critical: of("SEVERITY_CRITICAL"),
      warning: of("SEVERITY_WARNING"),
      info: of("SEVERITY_INFO"),
      taken: sum((one) => one.state === TAKEN),
      total,
    });
    await onChange();
  }

  function item(alert) {
    const severity = SEVERITY[alert.severity] ?? "info";
    const resolved = alert.state === RESOLVED;
    const taken = alert.state === TAKEN;
    const open = opened.has(alert.alert_id);
    return h(
      "li",
      { class: `entry ${severity}${resolved ? " over" : ""}`, "data-alert": alert.alert_id },
      h(
        "span",
        { class: "mark", title: t(severity) },
        icon(resolved ? "check" : severity === "info" ? "info" : severity),
        h("span", { class: "unseen" }, t(severity)),
      ),
      h(
        "div",
        { class: "body" },
        h(
          "button",
          {
            class: "head plain",
            "data-key": `${alert.alert_id}/head`,
            "aria-expanded": String(open),
            onclick: () => unfold(alert.alert_id),
          },
          bilingual(alert, "title"),
        ),
        h(
          "p",
          { class: "muted" },
          alert.unit_name,
          " · ",
          h("time", { dateTime: alert.create_time, title: instant(alert.create_time) }, ago(alert.create_time)),
          taken ? ` · ${t("acknowledged")} ${alert.acknowledged_by ? t("by", { n: alert.acknowledged_by }) : ""}` : "",
          resolved ? ` · ${t("resolved")}${because(alert)}` : "",
        ),
        open ? h("div", { class: "letter" }, h("p", {}, bilingual(alert, "body")), sinceRaised(alert), past(alert)) : "",
      ),
      resolved || taken || !may("POST", taking(alert))
        ? ""
        : h(
            "button",
            { "data-key": `${alert.alert_id}/take`, onclick: (event) => take(alert, event.currentTarget) },
            t("acknowledge"),
          ),
    );
  }

  function unfold(id) {
    if (!opened.delete(id)) opened.add(id);
    feed.draw();
  }

  async function take(alert, button) {
    button.disabled = true;
    try {
      const done = await ask(taking(alert), { method: "POST", body: { etag: alert.etag } });
      feed.put(done.alert);
    } catch (error) {
      button.disabled = false;
      onError(error);
    }
  }

  return { element, stop: feed.stop };
}

const taking = (alert) => unitPath(alert.unit_id, `/alerts/${alert.alert_id}:acknowledge`);

// Why it is over, where that is not simply that its condition no longer holds.
function because(alert) {
  const reason = alert.history?.at(-1)?.reason;
  return reason && t(reason) ? ` (${t(reason)})` : "";
}

// What has happened to it so far, a line for each step.
function past(alert) {
  const steps = alert.history ?? [];
  return steps.map((step) =>
    h(
      "p",
      { class: "muted" },
      `${instant(step.time)} · ${t(step.transition)}`,
      step.by ? ` ${t("by", { n: step.by })}` : "",
      step.reason && t(step.reason) ? ` (${t(step.reason)})` : "",
      step.note ? `: ${step.note}` : "",
      step.title_vi ? [": ", bilingual(step, "title")] : "",
    ),
  );
}
