// The bar above: where one is, whether what is shown is live, language, shade, and the way out.

import { h, icon, replace } from "./elements.js";
import { toggleShade } from "./shade.js";
import { language, t } from "./texts.js";

const mark = () => [
  h("img", { src: "/mark.svg", alt: "", width: 30, height: 30 }),
  h("span", {}, h("b", {}, "IOC Edu"), h("small", {}, t("title"))),
];

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

export function barInside(bar, { account, light, unit, onUnit, onHome, onLanguage, onLeave }) {
  const homes = account.homes.some((home) => home.id === unit?.id) || !unit ? account.homes : [...account.homes, unit];
  const choice =
    homes.length > 1
      ? h(
          "select",
          { class: "unit", "aria-label": t("unit"), onchange: (event) => onUnit(event.target.value) },
          homes.map((home) => h("option", { value: home.id, selected: home.id === unit?.id }, home.name)),
        )
      : "";
  const home = (event) => {
    event.preventDefault();
    onHome();
  };
  replace(
    bar,
    h("a", { class: "brand", href: "/", onclick: home }, mark()),
    choice,
    light.element,
    h(
      "div",
      { class: "tools" },
      h("a", { href: "/lookup.html", class: "quiet" }, t("lookup")),
      h("a", { href: "/imports.html", class: "quiet" }, t("files")),
      h("a", { href: "/docs", class: "quiet docs" }, t("docs")),
      languages(onLanguage),
      shades(),
      h("span", { class: "who", title: account.roles.join(", ") }, account.subject),
      h("button", { class: "quiet", "aria-label": t("signOut"), title: t("signOut"), onclick: onLeave }, icon("out")),
    ),
  );
}
