// What an alert said when it was raised beside what it says now; nothing where its facts have not changed.

import { h } from "./elements.js";
import { bilingual, instant } from "./format.js";
import { t } from "./texts.js";

export function sinceRaised(alert) {
  if (!alert.raised_title_vi) return "";
  const then = h("span", {}, `${t("whenRaised")} (${instant(alert.create_time)}): `, bilingual(alert, "raised_title"));
  const now = h("span", {}, `${t("asOfNow")} (${instant(alert.facts_time)}): `, bilingual(alert, "title"));
  return h("p", { class: "muted since-raised" }, then, h("br"), now);
}
