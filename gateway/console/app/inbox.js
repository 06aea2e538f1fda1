// The caller's own inbox: what came, what is unread, what was confirmed; new notices appear by themselves.

import { ask } from "./api.js";
import { h, icon, replace } from "./elements.js";
import { ago, bilingual, instant, number } from "./format.js";
import { follow } from "./stream.js";
import { t } from "./texts.js";

const PAGE = 20;
const UNREAD = "NOTICE_STATE_UNREAD";
const CONFIRMED = "NOTICE_STATE_ACKNOWLEDGED";

export function inbox({ onState, onError }) {
  const badge = h("span", { class: "badge", hidden: true, "aria-live": "polite" });
  const list = h("ol", { class: "feed" }, h("li", { class: "muted" }, t("loading")));
  const more = h("button", { class: "quiet wide", hidden: true, onclick: () => load(true) }, t("more"));
  const element = h(
    "section",
    { class: "panel inbox", id: "inbox", "aria-labelledby": "inbox-title" },
    h("header", {}, h("h2", { id: "inbox-title" }, t("inbox")), badge),
    list,
    more,
  );
  const found = new Map();
  const opened = new Set();
  let next = "";
  let recount;
  let stopWatching = () => {};

  async function load(further = false) {
    try {
      const page = await ask("/v1/me/notices", { query: { page_size: PAGE, page_token: further ? next : "" } });
      for (const notice of page.notices ?? []) found.set(notice.notice_id, notice);
      next = page.next_page_token ?? "";
      more.hidden = !next;
      show();
      await count();
      if (!further) watch();
    } catch (error) {
      onError(error, further ? undefined : list, load);
    }
  }

  async function count() {
    const counts = await ask("/v1/me/notices:count");
    const unread = Number(counts.unread_count ?? 0);
    badge.hidden = unread === 0;
    replace(badge, t("unread", { n: number(unread) }));
    document.title = unread ? `(${unread}) IOC Edu` : "IOC Edu";
  }

  function watch() {
    const newest = [...found.values()].reduce(
      (most, one) => (BigInt(one.position) > most ? BigInt(one.position) : most),
      0n,
    );
    stopWatching();
    stopWatching = follow("/v1/me/notices:watch", {
      resume: "after",
      position: newest ? String(newest) : "",
      onState,
      onItem(notice) {
        found.set(notice.notice_id, notice);
        show();
        clearTimeout(recount);
        recount = setTimeout(() => count().catch(() => {}), 300);
        return notice.position;
      },
    });
  }

  function show() {
    const newest = [...found.values()].sort((a, b) => Number(BigInt(b.notice_id) - BigInt(a.notice_id)));
    replace(list, newest.length ? newest.map(item) : h("li", { class: "empty" }, icon("check"), t("noNotices")));
  }

  function item(notice) {
    const unread = notice.state === UNREAD;
    const severity = ["critical", "warning"].includes(notice.severity) ? notice.severity : "info";
    const open = opened.has(notice.notice_id);
    const toggle = h(
      "button",
      { class: "head plain", "aria-expanded": String(open), onclick: () => read(notice) },
      bilingual(notice, "title"),
    );
    return h(
      "li",
      {
        class: `entry ${severity}${unread ? " unread" : ""}${notice.resolved ? " over" : ""}`,
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
        ),
        open
          ? h(
              "div",
              { class: "letter" },
              h("p", {}, bilingual(notice, "body")),
              notice.because ? h("p", { class: "muted" }, `${t("because")}: ${notice.because}`) : "",
            )
          : "",
      ),
      notice.state === CONFIRMED
        ? h("span", { class: "muted done" }, icon("check"), t("confirmed"))
        : h("button", { onclick: (event) => change(notice, "acknowledge", event.currentTarget) }, t("confirm")),
    );
  }

  function read(notice) {
    if (!opened.delete(notice.notice_id)) opened.add(notice.notice_id);
    show();
    list.querySelector(`[data-notice="${notice.notice_id}"] .head`)?.focus();
    if (notice.state === UNREAD) change(notice, "read");
  }

  async function change(notice, verb, button) {
    if (button) button.disabled = true;
    try {
      const done = await ask(`/v1/me/notices/${notice.notice_id}:${verb}`, { method: "POST", body: {} });
      found.set(notice.notice_id, done.notice);
      show();
      await count();
    } catch (error) {
      if (button) button.disabled = false;
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
