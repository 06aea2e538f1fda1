// The form that asks for a token, with the reason where there is one.

import { h, replace } from "./elements.js";
import { signIn } from "./session.js";
import { t } from "./texts.js";

export function signInForm(place, { message, onSignedIn }) {
  const field = h("textarea", {
    id: "token",
    rows: 4,
    required: true,
    spellcheck: false,
    autocomplete: "off",
    "aria-describedby": "token-hint",
  });
  const submit = (event) => {
    event.preventDefault();
    signIn(field.value);
    onSignedIn();
  };
  replace(
    place,
    h(
      "form",
      { class: "card", onsubmit: submit },
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
