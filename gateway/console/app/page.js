// The frame of a page beside the dashboard: who is signed in, the bar with the ways to the other pages, the unit chosen.
// It draws nothing of its own content: `show` does, anew for each unit and language.

import { barInside, barOutside } from "./bar.js";
import { h, replace } from "./elements.js";
import { tell } from "./failing.js";
import { choose, chosen, own, unitOf } from "./place.js";
import { expiry, signOut, takeFromAddress, token } from "./session.js";
import { shade } from "./shade.js";
import { signInForm } from "./signIn.js";
import { language, setLanguage, t } from "./texts.js";

// Opens the page called `title()`; `show({ content, unit, account })` may return what stops it when it is left.
export function openPage({ title, show }) {
  const bar = document.getElementById("bar");
  const content = document.getElementById("content");
  let stop = () => {};
  let round = 0;

  async function start() {
    const mine = ++round; // A slower answer for a unit left meanwhile is dropped.
    stop();
    stop = () => {};
    shade();
    document.documentElement.lang = language();
    document.title = `IOC Edu: ${title()}`;
    const time = expiry();
    if (!token() || (time && time < new Date())) return askToSignIn(token() ? t("expired") : "");
    replace(content, h("p", { class: "waiting", role: "status" }, t("loading")));
    try {
      const account = await own();
      const reference = chosen() || account.units[0]?.id;
      if (!reference) return replace(content, h("p", { class: "waiting", role: "status" }, t("noUnit")));
      const unit = await unitOf(reference);
      if (mine !== round) return;
      barInside(bar, {
        account: { ...account, homes: account.units },
        unit,
        title: title(),
        onUnit: go,
        onLanguage: switchLanguage,
        onLeave: () => askToSignIn(),
      });
      stop = (await show({ content, unit, account })) ?? stop;
    } catch (error) {
      if (mine !== round || error.name === "AbortError") return;
      if (error.status === 401) askToSignIn(error.message);
      else tell(error, content, start);
    }
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
    stop();
    signOut();
    barOutside(bar, { onLanguage: switchLanguage });
    signInForm(content, { message, onSignedIn: start });
  }

  takeFromAddress();
  window.addEventListener("popstate", start);
  start();
}
