// Starts the page: sign-in, the bar above, and the panels of the unit shown.

import { alerts } from "./alerts.js";
import { connection } from "./connection.js";
import { h, icon, replace } from "./elements.js";
import { watchFigures } from "./figures.js";
import { grades } from "./grades.js";
import { inbox } from "./inbox.js";
import { overview } from "./overview.js";
import { choose, chosen, own, unitOf } from "./place.js";
import { expiry, signIn, signOut, takeFromAddress, token } from "./session.js";
import { shade, toggleShade } from "./shade.js";
import { language, setLanguage, t } from "./texts.js";
import { units } from "./units.js";

const REFRESH_MS = 3000;
const bar = document.getElementById("bar");
const content = document.getElementById("content");
let stop = () => {};
let round = 0;

function start() {
  shade();
  document.documentElement.lang = language();
  document.getElementById("skip").textContent = t("skip");
  const time = expiry();
  if (!token() || (time && time < new Date())) return askToSignIn(token() ? t("expired") : "");
  return show();
}

async function show() {
  const mine = ++round; // A slower answer for a unit left meanwhile is dropped.
  stop();
  const light = connection();
  replace(content, h("p", { class: "waiting", role: "status" }, t("loading")));
  try {
    const account = await own();
    const reference = chosen() || account.homes[0]?.id;
    if (!reference) {
      replaceBar({ account, light });
      return replace(content, h("div", { class: "card" }, h("h1", {}, t("noUnit")), h("p", {}, t("noUnitHint"))));
    }
    const unit = await unitOf(reference);
    if (mine !== round) return undefined;
    replaceBar({ account, light, unit });
    panels({ unit, account, light });
  } catch (error) {
    if (mine === round) fail(error, content, show);
  }
  return undefined;
}

function panels({ unit, account, light }) {
  const shared = {
    unit,
    open: (id) => {
      choose(id);
      show();
    },
    onError: fail,
  };
  const top = overview();
  const below = units(shared);
  const byGrade = grades(shared);
  const feed = alerts({ ...shared, onCounts: top.openAlerts, onState: light.part("alerts") });
  const box = inbox({ onState: light.part("inbox"), onError: fail });
  let refresh;
  const stopFigures = watchFigures(unit.id, {
    onState: light.part("figures"),
    onChange(update) {
      top.figures(update);
      if (update.changed.length)
        refresh ??= setTimeout(() => {
          refresh = undefined;
          below.refresh();
          byGrade.refresh();
        }, REFRESH_MS);
    },
  });
  const back =
    unit.parent && !account.homes.some((home) => home.id === unit.id)
      ? h("button", { class: "quiet back", onclick: () => history.back() }, icon("back"), t("up"))
      : "";
  replace(
    content,
    h("div", { class: "title" }, back, h("h1", {}, unit.name), top.time),
    top.element,
    h(
      "div",
      { class: "columns" },
      h("div", { class: "wide-column" }, below.map ?? "", below.kinds.length ? below.element : "", byGrade.element),
      h("div", { class: "side-column" }, feed.element, box.element),
    ),
  );
  stop = () => {
    clearTimeout(refresh);
    for (const one of [below, byGrade, feed, box]) one.stop();
    stopFigures();
  };
}

function replaceBar({ account, light, unit }) {
  const homes = account.homes.some((home) => home.id === unit?.id) || !unit ? account.homes : [...account.homes, unit];
  const choice =
    homes.length > 1
      ? h(
          "select",
          {
            class: "unit",
            "aria-label": t("unit"),
            onchange: (event) => {
              choose(event.target.value);
              show();
            },
          },
          homes.map((home) => h("option", { value: home.id, selected: home.id === unit?.id }, home.name)),
        )
      : "";
  replace(
    bar,
    h(
      "a",
      {
        class: "brand",
        href: "#",
        onclick: (event) => {
          event.preventDefault();
          history.pushState(null, "", location.pathname);
          show();
        },
      },
      h("img", { src: "/mark.svg", alt: "", width: 30, height: 30 }),
      h("span", {}, h("b", {}, "IOC Edu"), h("small", {}, t("title"))),
    ),
    choice,
    light.element,
    h(
      "div",
      { class: "tools" },
      h("a", { href: "/docs", class: "quiet docs" }, t("docs")),
      h(
        "button",
        {
          class: "quiet",
          lang: language() === "en" ? "vi" : "en",
          title: t("otherLanguageHint"),
          onclick: switchLanguage,
        },
        t("otherLanguage"),
      ),
      h("button", { class: "quiet", "aria-label": t("theme"), title: t("theme"), onclick: toggleShade }, icon("moon")),
      h("span", { class: "who", title: account.roles.join(", ") }, account.subject),
      h("button", { class: "quiet", "aria-label": t("signOut"), title: t("signOut"), onclick: leave }, icon("out")),
    ),
  );
}

function switchLanguage() {
  setLanguage(language() === "en" ? "vi" : "en");
  start();
}

function leave() {
  signOut();
  askToSignIn();
}

function askToSignIn(message = "") {
  round += 1;
  stop();
  stop = () => {};
  signOut();
  replace(
    bar,
    h(
      "span",
      { class: "brand" },
      h("img", { src: "/mark.svg", alt: "", width: 30, height: 30 }),
      h("span", {}, h("b", {}, "IOC Edu"), h("small", {}, t("title"))),
    ),
    h(
      "div",
      { class: "tools" },
      h("button", { class: "quiet", title: t("otherLanguageHint"), onclick: switchLanguage }, t("otherLanguage")),
    ),
  );
  const field = h("textarea", {
    id: "token",
    rows: 4,
    required: true,
    spellcheck: false,
    autocomplete: "off",
    "aria-describedby": "token-hint",
  });
  replace(
    content,
    h(
      "form",
      {
        class: "card",
        onsubmit: (event) => {
          event.preventDefault();
          signIn(field.value);
          start();
        },
      },
      h("h1", {}, t("signIn")),
      message ? h("p", { class: "notice warn", role: "alert" }, message) : "",
      h("label", { htmlFor: "token" }, t("token")),
      field,
      h("p", { class: "muted", id: "token-hint" }, t("signInHint")),
      h("button", { class: "primary" }, t("signIn")),
    ),
  );
  field.focus();
}

// Says what went wrong, where it did; without a place as a note that goes by itself.
function fail(error, place, again) {
  if (error.name === "AbortError") return;
  if (error.status === 401) {
    askToSignIn(error.message);
    return;
  }
  if (!error.reason) console.error(error);
  const said = h(
    "div",
    { class: "notice warn", role: "alert" },
    h("p", {}, error.reason ? error.message : t("failed")),
    error.requestId ? h("p", { class: "muted" }, `${t("requestId")}: ${error.requestId}`) : "",
    again ? h("button", { onclick: () => again() }, t("retry")) : "",
  );
  if (place) {
    replace(place, said);
    return;
  }
  const toast = h("div", { class: "toast" }, said);
  document.body.append(toast);
  setTimeout(() => toast.remove(), 6000);
}

takeFromAddress();
window.addEventListener("popstate", () => token() && show());
window.addEventListener("hashchange", () => {
  if (location.hash.includes("token=")) {
    takeFromAddress();
    start();
  }
});
start();
