// The bar above: where one is, whether what is shown is live, language, shade, and the way out.

import { may } from "./access.js";
import { unitPath } from "./api.js";
import { h, icon, replace } from "./elements.js";
import { toggleShade } from "./shade.js";
import { language, t } from "./texts.js";

// The pages of the console in the order of the bar, with what each asks first: whoever may not ask that is not led there.
// Each is called `page_<name>` in the texts.
const PAGES = {
  operations: { path: "/", asks: ["GET", unitPath("-", "/indicators:watch")] },
  indicators: { path: "/indicators.html", asks: ["POST", unitPath("-", "/indicators:analyse")] },
  reports: { path: "/reports.html", asks: ["GET", unitPath("-", "/campaigns")] },
  extracts: { path: "/extracts.html", asks: ["GET", unitPath("-", "/extracts")] },
  brief: { path: "/brief.html", asks: ["GET", unitPath("-", "/brief")] },
  alerts: { path: "/alerts.html", asks: ["GET", unitPath("-", "/alerts")] },
  notices: { path: "/notices.html", asks: ["GET", "/v1/me/channels"] },
  lookup: { path: "/lookup.html", asks: ["GET", unitPath("-", "/units:search")] },
  imports: { path: "/imports.html", asks: ["GET", unitPath("-", "/imports")] },
  coverage: { path: "/coverage.html", asks: ["GET", unitPath("-", "/coverage:summarize")] },
  destinations: { path: "/destinations.html", asks: ["GET", "/v1/destinations"] },
};

// The first of them that is open to whoever is signed in.
export const startPage = () => Object.values(PAGES).find(({ asks }) => may(...asks))?.path ?? "/";

const mark = (title = t("title")) => [
  h("img", { src: "/mark.svg", alt: "", width: 30, height: 30 }),
  h("span", {}, h("b", {}, "IOC Edu"), h("small", {}, title)),
];

// The unit goes along, so that every page speaks of the same one.
const pages = (unit) =>
  h(
    "nav",
    { class: "pages", "aria-label": t("pages") },
    Object.entries(PAGES).filter(([, { asks }]) => may(...asks)).map(([name, { path }]) =>
      h(
        "a",
        {
          href: unit ? `${path}#unit=${encodeURIComponent(unit.id)}` : path,
          "aria-current": path === location.pathname ? "page" : undefined,
        },
        t(`page_${name}`),
      ),
    ),
  );

const languages = (onLanguage) =>
  h(
    "button",
    {
      class: "quiet",
      lang: language() === "en" ? "vi" : "en",
      title: t("otherLanguageHint"),
      onclick: onLanguage,
    },
    t("otherLanguage"),
  );

const shades = () =>
  h("button", { class: "quiet", "aria-label": t("theme"), title: t("theme"), onclick: toggleShade }, icon("moon"));

export function barOutside(bar, { onLanguage }) {
  replace(bar, h("span", { class: "brand" }, mark()), h("div", { class: "tools" }, languages(onLanguage), shades()));
}

// `light` says whether what is shown is live; `onHome` goes to the caller's own unit without loading the page anew.
export function barInside(bar, { account, light, unit, title, onUnit, onHome, onLanguage, onLeave }) {
  const homes = account.homes.some((home) => home.id === unit?.id) || !unit ? account.homes : [...account.homes, unit];
  const choice =
    homes.length > 1
      ? h(
          "select",
          { class: "unit", "aria-label": t("unit"), onchange: (event) => onUnit(event.target.value) },
          homes.map((home) => h("option", { value: home.id, selected: home.id === unit?.id }, home.name)),
        )
      : "";
  const home = onHome && ((event) => (event.preventDefault(), onHome()));
  replace(
    bar,
    h("a", { class: "brand", href: "/", onclick: home }, mark(title)),
    choice,
    light?.element ?? "",
    h(
      "div",
      { class: "tools" },
      h("a", { href: "/docs", class: "quiet docs" }, t("docs")),
      languages(onLanguage),
      shades(),
      h("span", { class: "who", title: account.roles.map((role) => t(`role_${role}`) || role).join(", ") }, account.subject),
      h("button", { class: "quiet", "aria-label": t("signOut"), title: t("signOut"), onclick: onLeave }, icon("out")),
    ),
    pages(unit),
  );
  bar.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}
