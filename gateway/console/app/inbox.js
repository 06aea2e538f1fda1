// The caller's own inbox: what came, what is unread, what was confirmed; new notices appear by themselves.

import { ask } from "./api.js";
import { h, icon, renew, replace } from "./elements.js";
import { followed } from "./followed.js";
import { ago, bilingual, instant, number } from "./format.js";
import { t } from "./texts.js";

const SIZE = 20;
const UNREAD = "NOTICE_STATE_UNREAD";
const CONFIRMED = "NOTICE_STATE_ACKNOWLEDGED";

export function inbox({ onState, onError }) {
  const badge = h("span", { class: "badge", hidden: true, "aria-live": "polite" });
  const list = h("ol", { class: "feed" }, h("li", { class: "muted" }, t("loading")));
  const more = h("button", { class: "quiet wide", hidden: true, onclick: () => feed.grow() }, t("more"));
  const element = h(
    "section",
    { class: "panel inbox", id: "inbox", "aria-labelledby": "inbox-title" },
    h("header", {}, h("h2", { id: "inbox-title" }, t("inbox")), badge),
    list,
    more,
  );
  const opened = new Set();

  const feed = followed({
    path: "/v1/me/notices:watch",
    size: SIZE,
    keyOf: (notice) => notice.notice_id,
    async read(limit) {
      const page = await ask("/v1/me/notices", { query: { page_size: limit } });
      return { items: page.notices ?? [], further: Boolean(page.next_page_token) };
    },
    show(newest, { limit, further }) {
      const seen = newest.slice(0, limit);
      more.hidden = !further && newest.length <= limit;
      renew(list, seen.length ? seen.map(item) : h("li", { class: "empty" }, icon("check"), t("noNotices")));
    },
    count,
    onState,
    onFailed: (error, again) => onError(error, list, again),
  });

  async function count() {
    const counts = await ask("/v1/me/notices:count");
    const unread = Number(counts.unread_count ?? 0);
    badge.hidden = unread === 0;
    replace(badge, t("unread", { n: number(unread) }));
    document.title = `${unread ? `(${number(unread)}) ` : ""}IOC Edu: ${t("page_operations")}`;
  }

  function item(notice) {
    const unread = notice.state === UNREAD;
    const severity = ["critical", "warning"].includes(notice.severity) ? notice.severity : "info";
    const open = opened.has(notice.notice_id);
    const toggle = h(
      "button",
      {
        class: "head plain",
        "data-key": `${notice.notice_id}/head`,
        "aria-expanded": String(open),
        onclick: () => read(notice),
      },
      bilingual(notice, "title"),
    );
    return h(
      "li",
      {
        class: `entry ${severity}${unread ? " unread" : ""}${notice.resolved || notice.recalled ? " over" : ""}`,
        "data-notice": notice.notice_id,
      },
      h(
        "span",
        { class: "mark", title: t(severity) },
        icon(notice.resolved ? "check" : severity === "info" ? "info" : severity),
        h("span", { class: "unseen" }, t(severity)),
      ),
      h(
        "div",
        { class: "body" },
        toggle,
        h(
          "p",
          { class: "muted" },
          notice.unit_name,
          " · ",
          h("time", { dateTime: notice.create_time, title: instant(notice.create_time) }, ago(notice.create_time)),
          notice.resolved ? ` · ${t("resolved")}` : "",
          notice.alert_count > 1 && !notice.resolved ? ` · ${t("alertsOpen", { n: number(notice.open_count ?? 0), m: number(notice.alert_count) })}` : "",
          notice.recalled ? ` · ${t("recalled")}` : "",
          notice.due_time && !notice.resolved ? ` · ${t("dueUntil")} ${instant(notice.due_time)}` : "",
        ),
        open
          ? h(
              "div",
              { class: "letter" },
              h("p", {}, bilingual(notice, "body")),
              // A path of this very site, as services write it: nothing a notice says leads elsewhere.
              /^\/[^/\\]/.test(notice.link ?? "") ? h("a", { href: notice.link, class: "deal" }, t("openToDeal")) : "",
              notice.alert_count > 1 ? together(notice) : "",
              notice.because ? h("p", { class: "muted" }, `${t("because")}: ${notice.because}`) : "",
            )
          : "",
      ),
      notice.state === CONFIRMED
        ? h("span", { class: "muted done" }, icon("check"), t("confirmed"))
        : h(
            "button",
            {
              "data-key": `${notice.notice_id}/confirm`,
              onclick: (event) => change(notice, "acknowledge", event.currentTarget),
            },
            t("confirm"),
          ),
    );
  }

  // All alerts that a notice tells, each with what became of it; asked for only when somebody wants to see them.
  function together(notice) {
    const lines = h("ul", { class: "together" });
    const further = async (token) => {
      try {
        const page = await ask(`/v1/me/notices/${notice.notice_id}/alerts`, { query: { page_size: 50, page_token: token } });
        lines.append(...(page.alerts ?? []).map(alertLine));
        const next = page.next_page_token;
        if (next) lines.append(h("li", {}, h("button", { type: "button", class: "quiet", onclick: (event) => { event.currentTarget.parentElement.remove(); further(next); } }, t("more"))));
      } catch (error) {
        onError(error);
      }
    };
    const begin = (event) => { if (event.currentTarget.open && !lines.children.length) further(""); };
    return h("details", { ontoggle: begin }, h("summary", {}, t("alertsAll")), lines);
  }

  function alertLine(alert) {
    const state = alert.resolved ? t("resolved") : alert.taken_by ? t("alertTaken", { n: alert.taken_by }) : "";
    return h("li", { class: alert.resolved ? "over" : "", "data-alert": alert.alert_id }, [`${alert.unit_name}: ${bilingual(alert, "title")}`, state].filter(Boolean).join(" · "));
  }

  function read(notice) {
    if (!opened.delete(notice.notice_id)) opened.add(notice.notice_id);
    feed.draw();
    if (notice.state === UNREAD) change(notice, "read");
  }

  async function change(notice, verb, button) {
    if (button) button.disabled = true;
    try {
      const done = await ask(`/v1/me/notices/${notice.notice_id}:${verb}`, { method: "POST", body: {} });
      feed.put(done.notice);
    } catch (error) {
      if (button) button.disabled = false;
      onError(error);
    }
  }

  return { element, stop: feed.stop };
}
