// How the caller is told besides the inbox: addresses, quiet hours, what comes by which channel, webhooks.

import { ask } from "../api.js";
import { h, replace } from "../elements.js";
import { bilingual } from "../format.js";
import { said } from "./texts.js";

export async function channels(place) {
  const note = h("p", { role: "status" });
  const fail = (error) => replace(note, h("span", { class: "warn" }, error.message));
  try {
    draw((await ask("/v1/me/channels")).channels);
  } catch (error) {
    replace(place, h("p", { class: "notice warn", role: "alert" }, error.message));
  }

  function draw({ contact = {}, preferences = [], webhooks = [], addresses = [] }) {
    const known = (channel) => addresses.filter((one) => one.channel === channel).map(addressLine);
    const input = (name, key, more = {}) => {
      const made = h("input", { name, value: contact[name] ?? "", ...more });
      return [made, h("label", {}, said(key), made)];
    };
    const [email, emailLabel] = input("email", "email", { type: "email" });
    const [phone, phoneLabel] = input("phone", "phone", { type: "tel" });
    const [from, fromLabel] = input("quiet_from", "quietFrom", { type: "time" });
    const [to, toLabel] = input("quiet_to", "quietTo", { type: "time" });
    const language = h("select", { name: "language" }, [["vi", "Tiếng Việt"], ["en", "English"]].map(([code, text]) => h("option", { value: code, selected: (contact.language || "vi") === code }, text)));
    const chosen = preferences.map((one) => {
      const least = one.enabled ? one.least_severity : 0;
      const options = [[0, said("off")], ...said("least").map((text, place) => [place + 1, text])];
      const select = h("select", { name: one.channel }, options.map(([value, text]) => h("option", { value, selected: value === least }, text)));
      return [one.channel, select];
    });
    const keep = async (event) => {
      event.preventDefault();
      const body = {
        contact: { email: email.value, phone: phone.value, language: language.value, quiet_from: from.value, quiet_to: to.value },
        preferences: chosen.map(([channel, select]) => ({
          channel,
          enabled: select.value !== "0",
          least_severity: Number(select.value),
        })),
      };
      try {
        draw((await ask("/v1/me/channels", { method: "PUT", body })).channels);
        replace(note, said("kept"));
      } catch (error) {
        fail(error);
      }
    };
    replace(
      place,
      h(
        "form",
        { class: "sheet", onsubmit: keep },
        emailLabel,
        known("CHANNEL_EMAIL"),
        phoneLabel,
        known("CHANNEL_SMS"),
        h("label", {}, said("language"), language),
        h("div", { class: "boxes" }, fromLabel, toLabel),
        h("p", { class: "muted" }, said("quietHint")),
        chosen.map(([channel, select]) => h("label", {}, said("channels")[channel], select)),
        h("div", { class: "deeds" }, h("button", { class: "primary", "data-deed": "keep" }, said("keep")), note),
      ),
      h("div", { class: "sheet" }, h("h2", {}, said("webhooks")), webhooks.map(webhookLine), adder()),
    );
  }

  // What is known of an address; where it is not confirmed, or messages do not arrive, it is confirmed by a code.
  function addressLine({ channel, confirmed, failure, not_set_up: notSetUp, ...meaning }) {
    if (notSetUp) return h("p", { class: "warn", "data-address": channel }, said("notSetUp")[channel]);
    if (confirmed && !failure) return h("p", { class: "muted" }, said("isConfirmed"));
    const code = h("input", { name: `code_${channel}`, inputMode: "numeric", maxLength: 6, size: 8, autocomplete: "one-time-code", "aria-label": said("code"), placeholder: said("code") });
    const confirm = async () => {
      try {
        draw((await ask("/v1/me/channels:confirm", { method: "POST", body: { channel, code: code.value.trim() } })).channels);
        replace(note, said("isConfirmed"));
      } catch (error) {
        fail(error);
      }
    };
    const again = async () => {
      try {
        await ask("/v1/me/channels:sendCode", { method: "POST", body: { channel } });
        replace(note, said("codeSent"));
      } catch (error) {
        fail(error);
      }
    };
    return h(
      "div",
      { class: "deeds", "data-address": channel },
      failure
        ? h(
            "div",
            { class: "warn" },
            said("failed", { n: bilingual(meaning, "failure") }),
            h("details", { class: "muted" }, h("summary", {}, said("verbatim")), failure),
          )
        : h("span", { class: "muted" }, said("unconfirmed")),
      code,
      h("button", { type: "button", "data-deed": "confirm-address", onclick: confirm }, said("confirmCode")),
      h("button", { type: "button", class: "quiet", onclick: again }, said("sendCode")),
    );
  }

  function webhookLine(webhook) {
    const test = async () => {
      try {
        const answer = await ask(`/v1/me/webhooks/${webhook.webhook_id}:test`, { method: "POST", body: {} });
        replace(note, answer.accepted ? said("tested", { n: answer.http_status }) : h("span", { class: "warn" }, notTested(answer)));
      } catch (error) {
        fail(error);
      }
    };
    const remove = async () => {
      try {
        await ask(`/v1/me/webhooks/${webhook.webhook_id}`, { method: "DELETE" });
        draw((await ask("/v1/me/channels")).channels);
      } catch (error) {
        fail(error);
      }
    };
    return h(
      "div",
      { class: "deeds" },
      h("span", {}, webhook.url),
      h("button", { type: "button", "data-deed": "test", onclick: test }, said("test")),
      h("button", { type: "button", class: "quiet", onclick: remove }, said("remove")),
    );
  }

  function adder() {
    const url = h("input", { type: "url", "aria-label": said("webhookUrl"), placeholder: "https://" });
    const add = async (event) => {
      event.preventDefault();
      try {
        const { secret } = await ask("/v1/me/webhooks", { method: "POST", body: { url: url.value } });
        draw((await ask("/v1/me/channels")).channels);
        replace(note, said("secret", { n: secret }));
      } catch (error) {
        fail(error);
      }
    };
    return h("form", { class: "deeds", onsubmit: add }, url, h("button", { "data-deed": "add" }, said("add")));
  }
}

// What kept the test from arriving, in words; what the connection said itself is for programs.
function notTested({ reason, http_status: status }) {
  return said("notTested", { n: reason ? (said("notReached")[reason] ?? said("notReached").UNREACHABLE) : said("refusedWith", { n: status }) });
}
