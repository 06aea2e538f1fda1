// Writes an announcement, new or begun: text, audience with a preview of whom it reaches, form, files; keeps it as a draft.
// What a draft says that has no place on this page, such as further groups or English texts, stays as it is.

import { ask, unitPath } from "../api.js";
import { h, replace } from "../elements.js";
import { number } from "../format.js";
import { t } from "../texts.js";
import { base64 } from "./files.js";
import { said } from "./texts.js";

const KINDS = ["school", "commune", "district", "province"];
const MOST_HOURS = 2160; // As the interface takes them: ninety days.
const LEVELS = { "level:01": "MN", "level:02": "TH", "level:03": "THCS", "level:04": "THPT", "level:05": "GDTX" };
const ROLES = ["head_teacher", "clerk", "officer", "director"];
const KIND_NAMES = {
  vi: { school: "Trường", commune: "Xã, phường", district: "Huyện, quận", province: "Tỉnh, thành phố" },
  en: { school: "School", commune: "Commune", district: "District", province: "Province" },
};

export function writer(place, { unit, open, given }) {
  const begun = given?.draft ?? {};
  const group = begun.audience?.groups?.[0];
  const field = (name, key, more = {}) => {
    const { rows, ...rest } = more;
    const control = h(rows ? "textarea" : "input", { name, rows, ...rest });
    return [control, h("label", {}, said(key), control)];
  };
  const [name, nameLabel] = field("title", "name", { required: true, maxLength: 200, value: begun.title_vi ?? "" });
  const [body, bodyLabel] = field("body", "body", { rows: 6, required: true, maxLength: 20000, value: begun.body_vi ?? "" });
  const [due, dueLabel] = field("due", "due", { type: "datetime-local", value: localOf(begun.due_time) });
  const [remind, remindLabel] = field("remind", "remind", { placeholder: "24, 2", value: (begun.reminder_hours ?? []).join(", ") });
  const [files, filesLabel] = field("files", "files", { type: "file", multiple: true, accept: ".pdf,.docx,.xlsx,.png,.jpg,.jpeg" });
  const severity = h("select", { name: "severity" }, said("severities").map((text, place) => h("option", { value: place + 1, selected: place + 1 === begun.severity }, text)));
  const receipt = h("input", { type: "checkbox", name: "receipt", checked: Boolean(begun.receipt_required) });
  const language = document.documentElement.lang;
  const kinds = boxes("kinds", KINDS, (kind) => KIND_NAMES[language][kind], group ? (group.kinds ?? []) : ["school"]);
  const levels = boxes("levels", Object.keys(LEVELS), (label) => LEVELS[label], group?.labels ?? []);
  const roles = boxes("roles", ROLES, (role) => t(`role_${role}`), group ? (group.roles ?? []) : ["head_teacher"]);
  const silent = h("input", { type: "number", name: "silent", min: 0, max: 365, value: group?.silent_days || "" });
  const everybody = h("input", { type: "checkbox", name: "everybody", checked: Boolean(begun.audience?.everybody) });
  const preview = h("div", { class: "notice", role: "status", hidden: true });
  const said_ = h("p", { role: "status" });
  const questions = h("div", { class: "sheet" }, (begun.form ?? []).map(question));

  const audience = () => ({
    ...begun.audience,
    groups: [
      {
        ...group,
        unit: group ? group.unit : unit.id,
        kinds: kinds.chosen(),
        labels: levels.chosen(),
        roles: roles.chosen(),
        silent_days: Number(silent.value) || 0,
      },
      ...(begun.audience?.groups ?? []).slice(1),
    ],
    everybody: everybody.checked,
  });

  const draft = () => ({
    ...begun,
    title_vi: name.value,
    body_vi: body.value,
    severity: Number(severity.value),
    audience: audience(),
    receipt_required: receipt.checked,
    due_time: due.value ? new Date(`${due.value}:00+07:00`).toISOString() : undefined,
    reminder_hours: remind.value.split(/[,;\s]+/).filter(Boolean).map(hours),
    form: named([...questions.children].map((row) => row.question())),
  });

  async function look() {
    preview.hidden = false;
    try {
      const answer = await ask(unitPath(unit.id, "/announcements:preview"), { method: "POST", body: { audience: audience() } });
      const [mail, sms] = name.value.trim() ? await Promise.all(["EMAIL", "SMS"].map(told)) : [];
      replace(preview, ...reached(answer.preview), ...(mail ? messages(mail, sms) : []));
      preview.classList.remove("warn");
    } catch (error) {
      preview.classList.add("warn");
      replace(preview, error.message);
    }
  }

  const told = (channel) =>
    ask("/v1/messages:preview", { method: "POST", body: { channel: `CHANNEL_${channel}`, title: name.value, body: body.value, plain: true } });

  // Saving again goes on where it failed: what was begun is changed, not begun once more, and a file goes along once. As
  // long as the text is the same a beginning whose answer was lost keeps its id.
  let kept = given?.draft ? given : undefined;
  let keptText = "";
  let asked = { text: "", id: "" };
  const attached = new Set();

  async function save(event) {
    event.preventDefault();
    try {
      const path = unitPath(unit.id, "/announcements");
      const wanted = draft();
      const text = JSON.stringify(wanted);
      if (text !== asked.text) asked = { text, id: crypto.randomUUID?.() ?? String(Math.random()) };
      if (!kept) ({ announcement: kept } = await ask(path, { method: "POST", body: { draft: wanted, request_id: asked.id } }));
      else if (text !== keptText)
        ({ announcement: kept } = await ask(`${path}/${kept.announcement_id}`, { method: "PUT", body: { draft: wanted, etag: kept.etag } }));
      keptText = text;
      for (const file of [...files.files].filter((one) => !attached.has(one))) {
        const body = { name: file.name, content: await base64(file) };
        ({ announcement: kept } = await ask(`${path}/${kept.announcement_id}/attachments`, { method: "POST", body }));
        attached.add(file);
      }
      open("list", said("saved", { n: kept.announcement_id }));
    } catch (error) {
      const begun = kept && !given?.draft ? ` ${said("begun", { n: kept.announcement_id })}` : "";
      replace(said_, h("span", { class: "warn" }, error.message + begun));
    }
  }

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
        h("div", {}, h("button", { type: "button", "data-deed": "ask", onclick: () => questions.append(question({})) }, said("addField"))),
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

function messages(mail, sms) {
  return [
    h("b", {}, `${said("asMail")}: ${mail.subject}`),
    mail.text.split("\n").map((line) => h("p", { class: "muted" }, line)),
    h("b", {}, said("asSms", { n: number(sms.segment_count) })),
    h("p", { class: "muted" }, sms.text),
  ].flat();
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

// Whole hours, or a refusal that names what is none: a reminder that is left out silently is missed by everybody.
function hours(text) {
  const found = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (found < 1 || found > MOST_HOURS) throw new Error(said("notHours", { n: text, m: number(MOST_HOURS) }));
  return found;
}

// Instants as the field has them: of Viet Nam, whatever the browser's clock.
function localOf(instant) {
  return instant ? new Date(Date.parse(instant) + 7 * 3600_000).toISOString().slice(0, 16) : "";
}

// New questions get names that no other has; those asked before keep theirs, so that answers stay with them.
function named(form) {
  const taken = new Set(form.map((one) => one.name));
  let next = 1;
  const fresh = () => {
    while (taken.has(`f${next}`)) next += 1;
    taken.add(`f${next}`);
    return `f${next}`;
  };
  return form.map((one) => ({ ...one, name: one.name || fresh() }));
}

function question(begun) {
  const kind = (begun.type ?? "FIELD_TYPE_TEXT").replace("FIELD_TYPE_", "");
  const label = h("input", { "aria-label": said("question"), placeholder: said("question"), maxLength: 200, required: true, value: begun.label ?? "" });
  const choices = h("input", { "aria-label": said("choices"), placeholder: said("choices"), hidden: kind !== "CHOICE", value: (begun.choices ?? []).join("; ") });
  const type = h(
    "select",
    { "aria-label": said("types").TEXT, onchange: () => (choices.hidden = type.value !== "CHOICE") },
    Object.entries(said("types")).map(([value, text]) => h("option", { value, selected: value === kind }, text)),
  );
  const must = h("input", { type: "checkbox", checked: begun.name ? Boolean(begun.required) : true });
  const row = h("div", { class: "asked" });
  row.append(
    label,
    type,
    h("span", { class: "boxes" }, h("label", {}, must, said("must"))),
    h("button", { type: "button", class: "quiet", onclick: () => row.remove() }, said("remove")),
    choices,
  );
  row.question = () => ({
    ...begun,
    label: label.value,
    type: `FIELD_TYPE_${type.value}`,
    required: must.checked,
    choices: type.value === "CHOICE" ? choices.value.split(";").map((one) => one.trim()).filter(Boolean) : [],
  });
  return row;
}
