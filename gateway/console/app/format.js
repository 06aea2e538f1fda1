// Numbers and times as people here read them. Days and hours are those of Vietnam, wherever the browser stands.

import { language, t } from "./texts.js";

const ZONE = "Asia/Ho_Chi_Minh";
const locale = () => (language() === "en" ? "en-GB" : "vi-VN");

export const number = (value, digits = 0) =>
  value === undefined || value === null
    ? "–"
    : new Intl.NumberFormat(locale(), { maximumFractionDigits: digits, minimumFractionDigits: 0 }).format(value);

export const percent = (part, whole) =>
  whole > 0 ? `${number((100 * part) / whole, 1)}${language() === "en" ? "" : " "}%` : "–";

// A day of the calendar, written year-month-day, as people here write it; a masked one stays what is left of it.
export const day = (text) => (text ?? "").split("-").reverse().join("/");

export function instant(text) {
  if (!text) return "";
  return new Intl.DateTimeFormat(locale(), {
    timeZone: ZONE,
    day: "2-digit",
    month: "2-digit",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  }).format(new Date(text));
}

// The time of day, with the day where it is asked for or not today.
export function clock(moment, { dated = false } = {}) {
  if (!moment) return "";
  const dayOf = (value) => new Intl.DateTimeFormat("en-CA", { timeZone: ZONE }).format(value);
  const options = { timeZone: ZONE, hour: "2-digit", minute: "2-digit", second: "2-digit" };
  if (dated || dayOf(new Date(moment)) !== dayOf(new Date())) Object.assign(options, { day: "2-digit", month: "2-digit", year: "numeric" });
  return new Intl.DateTimeFormat(locale(), options).format(new Date(moment));
}

export function ago(text) {
  if (!text) return "";
  const seconds = Math.round((Date.now() - new Date(text)) / 1000);
  if (seconds < 60) return t("justNow");
  const [size, name] = [
    [86400, "day"],
    [3600, "hour"],
    [60, "minute"],
  ].find(([length]) => seconds >= length);
  return new Intl.RelativeTimeFormat(language(), { numeric: "always" }).format(-Math.floor(seconds / size), name);
}

export const schoolYear = (year) => (year ? `${year}-${year + 1}` : "");
export const bilingual = (item, field) => item[`${field}_${language()}`] || item[`${field}_vi`] || "";
