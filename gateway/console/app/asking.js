// A small dialog that asks for some lines; answers their values, or null where it was left.

import { h } from "./elements.js";

export function askFor({ title, fields, submit, cancel }) {
  return new Promise((resolve) => {
    const made = fields.map(({ name, label, kind = "textarea", ...rest }) => {
      const field = h(kind, { name, "aria-label": label, ...rest });
      return { name, field, element: h("label", {}, label, field) };
    });
    const leave = (answer) => {
      dialog.close();
      dialog.remove();
      resolve(answer);
    };
    const form = h(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          leave(Object.fromEntries(made.map(({ name, field }) => [name, field.value.trim()])));
        },
      },
      h("h2", {}, title),
      made.map((one) => one.element),
      h(
        "div",
        { class: "actions" },
        h("button", { class: "primary" }, submit),
        h("button", { type: "button", onclick: () => leave(null) }, cancel),
      ),
    );
    const dialog = h("dialog", { "aria-label": title, oncancel: () => leave(null) }, form);
    document.body.append(dialog);
    dialog.showModal();
    made[0]?.field.focus();
  });
}
