// One announcement as its reader sees it: text, files, what is asked; confirming and answering.

import { ask } from "../api.js";
import { h, replace } from "../elements.js";
import { bilingual, instant } from "../format.js";
import { save } from "./files.js";
import { said } from "./texts.js";

export async function reader(place, id) {
  const path = `/v1/me/announcements/${encodeURIComponent(id)}`;
  const note = h("p", { role: "status" });
  try {
    const { announcement } = await ask(path);
    if (announcement.notice_id !== "0") mark(announcement, "read").catch(() => {});
    draw(announcement);
  } catch (error) {
    replace(place, h("p", { class: "waiting", role: "alert" }, error.message));
  }

  function mark(announcement, verb) {
    return ask(`/v1/me/notices/${announcement.notice_id}:${verb}`, { method: "POST", body: {} });
  }

  async function deed(run, text) {
    try {
      const answer = await run();
      if (answer.announcement) draw(answer.announcement);
      replace(note, text);
    } catch (error) {
      replace(note, h("span", { class: "warn" }, error.message));
    }
  }

  function draw(announcement) {
    const { form = [], attachments = [], answers = {} } = announcement;
    const open = !announcement.recalled;
    replace(
      place,
      h(
        "article",
        { class: "panel sheet", "data-announcement": announcement.announcement_id },
        announcement.recalled ? h("p", { class: "notice warn" }, said("recalled", { n: announcement.recall_reason })) : "",
        h("h1", {}, bilingual(announcement, "title")),
        h("p", { class: "muted" }, announcement.unit_name, announcement.due_time ? ` · ${said("until", { n: instant(announcement.due_time) })}` : ""),
        h("p", { class: "text" }, bilingual(announcement, "body")),
        attachments.map((file) =>
          h("button", { type: "button", class: "link", onclick: () => deed(() => fetchFile(file), "") }, `${file.name} (${Math.ceil(file.size / 1024)} kB)`),
        ),
        open && form.length ? questions(announcement, form, answers) : "",
        open && announcement.receipt_required && !form.length
          ? h("div", { class: "deeds" }, h("button", { class: "primary", type: "button", "data-deed": "confirm", onclick: () => deed(() => mark(announcement, "acknowledge"), said("confirmed")) }, said("confirm")))
          : "",
        announcement.answer_time ? h("p", { class: "muted" }, said("answered", { n: instant(announcement.answer_time) })) : "",
        note,
      ),
    );
  }

  async function fetchFile(file) {
    const { attachment, content } = await ask(`${path}/attachments/${file.attachment_id}`);
    save({ ...attachment, content });
    return {};
  }

  function questions(announcement, form, answers) {
    const controls = form.map((field) => [field, control(field, answers[field.name] ?? "")]);
    const answer = (event) => {
      event.preventDefault();
      const given = Object.fromEntries(controls.map(([field, input]) => [field.name, input.value]));
      deed(() => ask(`${path}:answer`, { method: "POST", body: { answers: given } }), "");
    };
    return h(
      "form",
      { class: "sheet", onsubmit: answer },
      controls.map(([field, input]) => h("label", {}, field.label + (field.required ? " *" : ""), input)),
      h("div", { class: "deeds" }, h("button", { class: "primary", "data-deed": "answer" }, said(announcement.answer_time ? "answerAgain" : "answer"))),
    );
  }
}

function control(field, value) {
  const common = { name: field.name, required: Boolean(field.required) };
  const options = (pairs) => h("select", common, h("option", { value: "" }, "–"), pairs.map(([code, text]) => h("option", { value: code, selected: code === value }, text)));
  switch (field.type) {
    case "FIELD_TYPE_NUMBER":
      return h("input", { ...common, type: "number", step: "any", min: field.least, max: field.most, value });
    case "FIELD_TYPE_DATE":
      return h("input", { ...common, type: "date", value });
    case "FIELD_TYPE_BOOLEAN":
      return options([["true", said("yes")], ["false", said("no")]]);
    case "FIELD_TYPE_CHOICE":
      return options((field.choices ?? []).map((one) => [one, one]));
    default:
      return h("textarea", { ...common, rows: 2, maxLength: 2000, value });
  }
}
