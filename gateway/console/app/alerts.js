// The latest alerts below the unit, newest first, as they come; whoever may can take one in hand.

import { ask, unitPath } from "./api.js";
import { h, icon, replace } from "./elements.js";
import { ago, bilingual, instant } from "./format.js";
import { follow } from "./stream.js";
import { t } from "./texts.js";

const SHOWN = 12;
const SEVERITY = { SEVERITY_CRITICAL: "critical", SEVERITY_WARNING: "warning", SEVERITY_INFO: "info" };
const RESOLVED = "ALERT_STATE_RESOLVED";
const RECOUNT_MS = 400;

export function alerts({ unit, onCounts, onState, onError }) {
  const list = h("ol", { class: "feed" }, h("li", { class: "muted" }, t("loading")));
  const element = h(
    "section",
    { class: "panel alerts", "aria-labelledby": "alerts-title" },
    h("header", {}, h("h2", { id: "alerts-title" }, t("alerts"))),
    list,
  );
  const found = new Map();
  const opened = new Set();
  let recount;
  let stopWatching = () => {};

  async function load() {
    try {
      const page = await ask(unitPath(unit.id, "/alerts"), { query: { page_size: SHOWN } });
      found.clear();
      for (const alert of page.alerts ?? []) found.set(alert.alert_id, alert);
      show();
      await count();
      watch();
    } catch (error) {
      onError(error, list, load);
    }
  }

  async function count() {
    const { counts = [] } = await ask(unitPath(unit.id, "/alerts:count"));
    const standing = counts.filter((one) => one.state !== RESOLVED);
    const of = (severity) =>
      standing.filter((one) => !severity || one.severity === severity).reduce((sum, one) => sum + Number(one.count), 0);
    onCounts({ critical: of("SEVERITY_CRITICAL"), warning: of("SEVERITY_WARNING"), total: of("") });
  }

  function watch() {
    const newest = [...found.values()].reduce(
      (most, one) => (BigInt(one.position) > most ? BigInt(one.position) : most),
      0n,
    );
    stopWatching();
    stopWatching = follow(unitPath(unit.id, "/alerts:watch"), {
      resume: "after",
      position: newest ? String(newest) : "",
      onState,
      onItem(alert) {
        found.set(alert.alert_id, alert);
        show();
        clearTimeout(recount);
        recount = setTimeout(() => count().catch(() => {}), RECOUNT_MS);
        return alert.position;
      },
    });
  }

  function show() {
    const newest = [...found.values()].sort((a, b) => Number(BigInt(b.alert_id) - BigInt(a.alert_id)));
    for (const extra of newest.slice(3 * SHOWN)) found.delete(extra.alert_id);
    const standing = newest.filter((one) => one.state !== RESOLVED);
    const gone = newest.filter((one) => one.state === RESOLVED);
    const seen = [...standing, ...gone].slice(0, SHOWN);
    replace(list, seen.length ? seen.map(item) : h("li", { class: "empty" }, icon("check"), t("noAlerts")));
  }

  function item(alert) {
    const severity = SEVERITY[alert.severity] ?? "info";
    const resolved = alert.state === RESOLVED;
    const taken = alert.state === "ALERT_STATE_ACKNOWLEDGED";
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
            "aria-expanded": String(opened.has(alert.alert_id)),
            onclick: () => open(alert.alert_id),
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
          resolved ? ` · ${t("resolved")}` : "",
        ),
        opened.has(alert.alert_id) ? h("div", { class: "letter" }, h("p", {}, bilingual(alert, "body"))) : "",
      ),
      resolved || taken ? "" : h("button", { onclick: (event) => take(alert, event.currentTarget) }, t("acknowledge")),
    );
  }

  function open(id) {
    if (!opened.delete(id)) opened.add(id);
    show();
    list.querySelector(`[data-alert="${id}"] .head`)?.focus();
  }

  async function take(alert, button) {
    button.disabled = true;
    try {
      const done = await ask(unitPath(alert.unit_id, `/alerts/${alert.alert_id}:acknowledge`), {
        method: "POST",
        body: { etag: alert.etag },
      });
      found.set(alert.alert_id, done.alert);
      show();
      await count();
    } catch (error) {
      button.disabled = false;
      onError(error);
    }
  }

  load();
  return {
    element,
    stop: () => {
      clearTimeout(recount);
      stopWatching();
    },
  };
}
