// Starts the page: sign-in, the bar above, and the panels of the unit shown.

import { alerts } from "./alerts.js";
import { SIGNED_OUT } from "./api.js";
import { barInside, barOutside } from "./bar.js";
import { connection } from "./connection.js";
import { h, icon, replace } from "./elements.js";
import { sayWhatFails, tell } from "./failing.js";
import { watchFigures } from "./figures.js";
import { grades } from "./grades.js";
import { watchHealth } from "./health.js";
import { inbox } from "./inbox.js";
import { overview } from "./overview.js";
import { notShown, whyNotShown } from "./notShown.js";
import { choose, chosen, own, unitShown } from "./place.js";
import { expiry, signOut, takeFromAddress, token } from "./session.js";
import { shade } from "./shade.js";
import { signInForm } from "./signIn.js";
import { skipTo } from "./skip.js";
import { language, setLanguage, t } from "./texts.js";
import { units } from "./units.js";

const REFRESH_MS = 3000;
const bar = document.getElementById("bar");
const content = document.getElementById("content");
const nameSkip = skipTo(content);
let stop = () => {};
let round = 0;

function start() {
  shade();
  document.documentElement.lang = language();
  document.title = `IOC Edu: ${t("page_operations")}`;
  nameSkip();
  const time = expiry();
  if (!token() || (time && time < new Date())) return askToSignIn(token() ? t("expired") : "");
  return show();
}

async function show() {
  const mine = ++round; // A slower answer for a unit left meanwhile is dropped.
  const inside = content.contains(document.activeElement);
  leavePanels();
  const light = connection();
  replace(content, h("p", { class: "waiting", role: "status" }, t("loading")));
  try {
    const account = await own();
    const reference = account.homes.length ? chosen() || account.homes[0].id : "";
    let why = account.roles.length ? "noDashboard" : "noUnit";
    const refused = (error) => void (why = whyNotShown(error));
    const unit = reference ? await unitShown(reference).catch(refused) : undefined;
    if (mine !== round) return;
    showBar({ account, light, unit });
    if (unit) panels({ unit, account, light });
    else explainAccess(account, why);
    // Whoever came here by the keyboard goes on from the top of what was opened, not from the top of the page.
    if (inside) content.focus();
  } catch (error) {
    if (mine === round) tell(error, content, show);
  }
}

// Nothing can be shown: says why, which role is needed, whom to ask, and lets go on as somebody else.
function explainAccess({ homes, roles, watching }, why) {
  const words = (names) => names.map((name) => t(`role_${name}`) || name).join(", ");
  const hint = why === "noDashboard" ? t("noDashboardHint", { n: words(roles), m: words(watching) }) : "";
  replace(content, notShown(why, { hint, onHome: homes.length ? goHome : undefined, onLeave: () => askToSignIn() }));
}

function panels({ unit, account, light }) {
  const shared = { unit, open: go, onError: tell };
  const top = overview();
  const below = units(shared);
  const byGrade = grades({ ...shared, onYear: top.schoolYear });
  const feed = alerts({ ...shared, onCounts: top.openAlerts, onChange: below.alertsChanged, onState: light.part("alerts") });
  const box = inbox({ onState: light.part("inbox"), onError: tell });
  let refresh;
  const stopFigures = watchFigures(unit.id, {
    onState: light.part("figures"),
    onChange(update) {
      light.reach(update.dataTime);
      top.figures(update);
      if (update.changed.length)
        refresh ??= setTimeout(() => {
          refresh = undefined;
          below.refresh();
          byGrade.refresh();
        }, REFRESH_MS);
    },
  });
  const stopHealth = watchHealth(light.part("health"));
  const above = unit.parent && !account.homes.some((home) => home.id === unit.id);
  replace(
    content,
    light.notice,
    h(
      "div",
      { class: "title" },
      above ? h("button", { class: "quiet back", onclick: () => go(unit.parent) }, icon("back"), t("up")) : "",
      h("h1", {}, unit.name),
      top.year,
      top.time,
    ),
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
    for (const one of [below, byGrade, feed, box, light]) one.stop();
    stopFigures();
    stopHealth();
  };
}

function showBar({ account, light, unit }) {
  barInside(bar, {
    account,
    light,
    unit,
    onUnit: go,
    onHome: goHome,
    onLanguage: switchLanguage,
    onLeave: () => askToSignIn(),
  });
}

function go(id) {
  choose(id);
  scrollTo(0, 0);
  show();
}

function goHome() {
  history.pushState(null, "", location.pathname);
  show();
}

function leavePanels() {
  stop();
  stop = () => {};
}

function switchLanguage() {
  setLanguage(language() === "en" ? "vi" : "en");
  start();
}

function askToSignIn(message = "") {
  round += 1;
  leavePanels();
  signOut();
  barOutside(bar, { onLanguage: switchLanguage });
  signInForm(content, { message, onSignedIn: start });
}

sayWhatFails();
takeFromAddress();
window.addEventListener("popstate", () => token() && show());
window.addEventListener(SIGNED_OUT, ({ detail }) => token() && askToSignIn(detail));
window.addEventListener("hashchange", () => {
  if (location.hash.includes("token=")) {
    takeFromAddress();
    start();
  }
});
start();
