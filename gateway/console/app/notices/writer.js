// Writes an announcement: text, audience with a preview of whom it reaches, form, files; keeps it as a draft.

import { ask, unitPath } from "../api.js";
import { h, replace } from "../elements.js";
import { number } from "../format.js";
import { t } from "../texts.js";
import { base64 } from "./files.js";
import { said } from "./texts.js";

const KINDS = ["school", "commune", "district", "province"];
const LEVELS = { "level:01": "MN", "level:02": "TH", "level:03": "THCS", "level:04": "THPT", "level:05": "GDTX" };
const ROLES = ["head_teacher", "clerk", "officer", "director"];
const KIND_NAMES = {
  vi: { school: "Trường", commune: "Xã, phường", district: "Huyện, quận", province: "Tỉnh, thành phố" },
  en: { school: "School", commune: "Commune", district: "District", province: "Province" },
};

export function writer(place, { unit, open }) {
  const field = (name, key, more = {}) => {
    const { rows, ...rest } = more;
    const control = h(rows ? "textarea" : "input", { name, rows, ...rest });
    return [control, h("label", {}, said(key), control)];
  };
  const [name, nameLabel] = field("title", "name", { required: true, maxLength: 200 });
  const [body, bodyLabel] = field("body", "body", { rows: 6, required: true, maxLength: 20000 });
  const [due, dueLabel] = field("due", "due", { type: "datetime-local" });
  const [remind, remindLabel] = field("remind", "remind", { placeholder: "24, 2" });
  const [files, filesLabel] = field("files", "files", { type: "file", multiple: true, accept: ".pdf,.docx,.xlsx,.png,.jpg,.jpeg" });
  const severity = h("select", { name: "severity" }, said("severities").map((text, place) => h("option", { value: place + 1 }, text)));
  const receipt = h("input", { type: "checkbox", name: "receipt" });
  const language = document.documentElement.lang;
  const kinds = boxes("kinds", KINDS, (kind) => KIND_NAMES[language][kind], ["school"]);
  const levels = boxes("levels", Object.keys(LEVELS), (label) => LEVELS[label], []);
  const roles = boxes("roles", ROLES, (role) => t(`role_${role}`), ["head_teacher"]);
  const silent = h("input", { type: "number", name: "silent", min: 0, max: 365, value: "" });
  const everybody = h("input", { type: "checkbox", name: "everybody" });
  const preview = h("div", { class: "notice", role: "status", hidden: true });
  const said_ = h("p", { role: "status" });
  const questions = h("div", { class: "sheet" });

  const audience = () => ({
    groups: [
      {
        unit: unit.id,
        kinds: kinds.chosen(),
        labels: levels.chosen(),
        roles: roles.chosen(),
        silent_days: Number(silent.value) || 0,
      },
    ],
    everybody: everybody.checked,
  });

  const draft = () => ({
    title_vi: name.value,
    body_vi: body.value,
    severity: Number(severity.value),
    audience: audience(),
    receipt_required: receipt.checked,
    ...(due.value ? { due_time: new Date(`${due.value}:00+07:00`).toISOString() } : {}),
    reminder_hours: remind.value.split(/[,;\s]+/).map(Number).filter(Boolean),
    form: [...questions.children].map((row, place) => row.question(`f${place + 1}`)),
  });

  async function look() {
    preview.hidden = false;
    try {
      const answer = await ask(unitPath(unit.id, "/announcements:preview"), { method: "POST", body: { audience: audience() } });
      replace(preview, ...reached(answer.preview));
      preview.classList.remove("warn");
    } catch (error) {
      preview.classList.add("warn");
      replace(preview, error.message);
    }
  }

  async function save(event) {
    event.preventDefault();
    try {
      const path = unitPath(unit.id, "/announcements");
      const { announcement } = await ask(path, { method: "POST", body: { draft: draft(), request_id: requestId } });
      for (const file of files.files) {
        const given = { name: file.name, content: await base64(file) };
        await ask(`${path}/${announcement.announcement_id}/attachments`, { method: "POST", body: given });
      }
      open("list", said("saved", { n: announcement.announcement_id }));
    } catch (error) {
      requestId = crypto.randomUUID?.() ?? String(Math.random());
      replace(said_, h("span", { class: "warn" }, error.message));
    }
  }
  let requestId = crypto.randomUUID?.() ?? String(Math.random());

  replace(
    place,
    h(
      "form",
      { class: "sheet", onsubmit: save },
      nameLabel,
      bodyLabel,
      h("label", {}, said("severity"), severity),
      h(
        "fieldset",
        {},
        h("legend", {}, `${said("audience")}: ${unit.name}`),
        kinds.element,
        levels.element,
        roles.element,
        h("label", {}, said("silent"), silent),
        h("div", { class: "boxes" }, h("label", {}, everybody, said("everybody"))),
        h("div", { class: "deeds" }, h("button", { type: "button", "data-deed": "preview", onclick: look }, said("preview"))),
        preview,
      ),
      dueLabel,
      h("div", { class: "boxes" }, h("label", {}, receipt, said("receipt"))),
      h(
        "fieldset",
        {},
        h("legend", {}, said("form")),
        questions,
        h("div", {}, h("button", { type: "button", "data-deed": "ask", onclick: () => questions.append(question()) }, said("addField"))),
      ),
      remindLabel,
      filesLabel,
      h("div", { class: "deeds" }, h("button", { class: "primary", "data-deed": "save" }, said("save")), said_),
    ),
  );
  name.focus();
}

function reached({ recipient_count: people, unit_count: units, unreached_count: unreached, recipients = [], unreached_units: names = [] }) {
  const who = recipients.slice(0, 12).map((one) => `${one.subject} (${one.unit_name})`).join(", ");
  return [
    h("b", {}, said("reached", { n: number(people), m: number(units) })),
    h("p", { class: "muted" }, who + (people > 12 ? ", …" : "")),
    unreached ? h("p", { class: "warn" }, said("unreached", { n: number(unreached), m: names.slice(0, 8).join(", ") })) : "",
  ];
}

function boxes(key, values, nameOf, chosen) {
  const made = values.map((value) => h("input", { type: "checkbox", name: key, value, checked: chosen.includes(value) }));
  const element = h(
    "div",
    { class: "boxes", role: "group", "aria-label": said(key) },
    h("b", {}, said(key)),
    made.map((box) => h("label", {}, box, nameOf(box.value))),
  );
  return { element, chosen: () => made.filter((box) => box.checked).map((box) => box.value) };
}

function question() {
  const label = h("input", { "aria-label": said("question"), placeholder: said("question"), maxLength: 200, required: true });
  const choices = h("input", { "aria-label": said("choices"), placeholder: said("choices"), hidden: true });
  const type = h(
    "select",
    { "aria-label": said("types").TEXT, onchange: () => (choices.hidden = type.value !== "CHOICE") },
    Object.entries(said("types")).map(([value, text]) => h("option", { value }, text)),
  );
  const must = h("input", { type: "checkbox", checked: true });
  const row = h("div", { class: "asked" });
  row.append(
    label,
    type,
    h("span", { class: "boxes" }, h("label", {}, must, said("must"))),
    h("button", { type: "button", class: "quiet", onclick: () => row.remove() }, said("remove")),
    choices,
  );
  row.question = (name) => ({
    name,
    label: label.value,
    type: `FIELD_TYPE_${type.value}`,
    required: must.checked,
    choices: type.value === "CHOICE" ? choices.value.split(";").map((one) => one.trim()).filter(Boolean) : [],
  });
  return row;
}
