// Fields of forms: a label above, and the value as the interface takes it.

import { sentences } from "./api.js";
import { h } from "./elements.js";

export const input = (name, label, { value = "", type = "text", code = false, ...rest } = {}) =>
  h("label", {}, label, h("input", { name, type, value, ...rest, class: code ? "code" : undefined }));

export const area = (name, label, { value = "", code = false } = {}) =>
  h("label", { class: "whole" }, label, h("textarea", { name, value, spellcheck: !code, class: code ? "code" : undefined }));

export const choice = (name, label, options, value = "") =>
  h(
    "label",
    {},
    label,
    h("select", { name }, Object.entries(options).map(([key, text]) => h("option", { value: key, selected: key === value }, text))),
  );

export const tick = (name, label, checked = false) =>
  h("label", { class: "tick" }, h("input", { name, type: "checkbox", checked }), label);

// Several of `options`, of which those in `chosen` are ticked; its value is a list.
export const several = (name, label, options, chosen) =>
  h(
    "fieldset",
    { name, class: "whole" },
    h("legend", {}, label),
    Object.entries(options).map(([value, text]) => h("label", { class: "tick" }, h("input", { type: "checkbox", value, checked: chosen.includes(value) }), text)),
  );

export function values(form) {
  return Object.fromEntries([...form.querySelectorAll("[name]")].map((field) => [field.name, valueOf(field)]));
}

function valueOf(field) {
  if (field.type === "fieldset") return [...field.querySelectorAll(":checked")].map((one) => one.value);
  return field.type === "checkbox" ? field.checked : field.value.trim();
}

// Days and hours as a browser's field has them are those of its clock; the interface takes instants.
export const instantOf = (text) => (text ? new Date(text).toISOString() : undefined);

// Says beside each field of a form what is wrong with it, by the name the field has there; returns the notice of the rest.
export function marked(form, error) {
  unmarked(form);
  let { heading = error.message } = error;
  const others = [];
  for (const fault of error.faults ?? []) {
    const name = fault.field.split(".").at(-1).replace(/\[\d+\]$/, "");
    const field = name && form.elements[name];
    const label = field?.closest?.("label, fieldset");
    if (!label) {
      others.push(fault);
      continue;
    }
    const named = label.querySelector("legend") ?? label;
    const called = `“${[...named.childNodes].find((one) => one.nodeType === Node.TEXT_NODE).textContent}”`;
    heading = heading.replaceAll(fault.field, called);
    field.setAttribute("aria-invalid", "true");
    label.append(h("span", { class: "fault" }, fault.text.replaceAll(fault.field, called)));
  }
  const first = form.querySelector("[aria-invalid]");
  (first?.querySelector("input") ?? first)?.focus();
  return h("p", { class: "notice warn", role: "alert" }, [heading, ...sentences(others, heading)].join(" "));
}

export function unmarked(form) {
  for (const one of form.querySelectorAll(".fault")) one.remove();
  for (const one of form.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
}

export function refused(error) {
  return h("p", { class: "notice warn", role: "alert" }, error.message);
}
