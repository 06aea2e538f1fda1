// The frame of a page beside the dashboard: who is signed in, the bar with the ways to the other pages, the unit chosen.
// It draws nothing of its own content: `show` does, anew for each unit and language.

import { SIGNED_OUT } from "./api.js";
import { setDialogsAside } from "./asking.js";
import { barInside, barOutside, startPage } from "./bar.js";
import { connection } from "./connection.js";
import { h, replace } from "./elements.js";
import { sayWhatFails, tell } from "./failing.js";
import { notShown, whyNotShown } from "./notShown.js";
import { choose, chosen, own, unitShown } from "./place.js";
import { expiry, signOut, subject, takeFromAddress, token } from "./session.js";
import { shade } from "./shade.js";
import { signInForm } from "./signIn.js";
import { skipTo } from "./skip.js";
import { language, setLanguage, t } from "./texts.js";

const FORBIDDEN = 403; // Asking again would not help.

// Opens the page called `title()`; `show({ content, unit, account, light })` may return what stops it when it is left, and
// tells the light of what it follows.
export function openPage({ title, show }) {
  const bar = document.getElementById("bar");
  const content = document.getElementById("content");
  const nameSkip = skipTo(content);
  let stop = () => {};
  let round = 0;
  let stands = false; // Whether the page is drawn.

  async function start() {
    const mine = ++round; // A slower answer for a unit left meanwhile is dropped.
    leave();
    shade();
    document.documentElement.lang = language();
    document.title = `IOC Edu: ${title()}`;
    nameSkip();
    const time = expiry();
    if (!token() || (time && time < new Date())) return askToSignIn(token() ? t("expired") : "");
    const light = connection();
    stop = light.stop;
    replace(content, h("p", { class: "waiting", role: "status" }, t("loading")));
    try {
      const account = await own();
      const reference = chosen() || account.units[0]?.id;
      if (!reference) return replace(content, h("p", { class: "waiting", role: "status" }, t("noUnit")));
      let why = "";
      const unit = await unitShown(reference).catch((error) => void (why = whyNotShown(error)));
      if (mine !== round) return;
      barInside(bar, {
        account: { ...account, homes: account.units },
        light,
        unit,
        title: title(),
        onUnit: go,
        onLanguage: switchLanguage,
        onLeave: () => askToSignIn(),
      });
      if (!unit) {
        const [home] = account.units;
        replace(content, notShown(why, { onHome: home && (() => go(home.id)), onLeave: () => askToSignIn() }));
        return;
      }
      content.before(light.notice);
      const leaving = await show({ content, unit, account, light });
      if (mine !== round) return leaving?.();
      stop = () => (light.stop(), leaving?.());
      stands = true;
    } catch (error) {
      if (mine !== round) return;
      if (error.status !== FORBIDDEN) return tell(error, content, start);
      const away = { onHome: () => location.assign(startPage()), onLeave: () => askToSignIn() };
      replace(content, notShown("notForRole", { hint: error.message, ...away }));
    }
  }

  function leave() {
    stop();
    stop = () => {};
    stands = false;
  }

  function go(id) {
    choose(id);
    start();
  }

  function switchLanguage() {
    setLanguage(language() === "en" ? "vi" : "en");
    start();
  }

  function askToSignIn(message = "") {
    round += 1;
    leave();
    outside(message, start);
  }

  // What stands on the page, and what is half typed there, is there again once the same person signs in anew.
  function ended(message) {
    if (!stands) return askToSignIn(message);
    const who = subject();
    const showDialogs = setDialogsAside();
    const [above, inside] = [[...bar.childNodes], [...content.childNodes]];
    outside(message, () => {
      if (!who || subject() !== who) return start();
      replace(bar, above);
      replace(content, inside);
      showDialogs();
    });
  }

  function outside(message, onSignedIn) {
    setDialogsAside();
    signOut();
    barOutside(bar, { onLanguage: switchLanguage });
    signInForm(content, { message, onSignedIn });
  }

  sayWhatFails();
  takeFromAddress();
  window.addEventListener("popstate", start);
  window.addEventListener(SIGNED_OUT, ({ detail }) => token() && ended(detail));
  start();
}
