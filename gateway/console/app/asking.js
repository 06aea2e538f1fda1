// A small dialog that asks for some lines; answers their values, or null where it was left.
// With `work` on the values it stays until that succeeded, and says why it did not.

import { h, replace } from "./elements.js";

export function askFor({ title, fields, submit, cancel, work = async () => {} }) {
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
    const send = async (event) => {
      event.preventDefault();
      const answer = Object.fromEntries(made.map(({ name, field }) => [name, field.value.trim()]));
      replace(problem);
      go.disabled = true;
      try {
        await work(answer);
        leave(answer);
      } catch (error) {
        go.disabled = false;
        if (error.status !== 401) replace(problem, h("p", { class: "notice warn", role: "alert" }, error.message));
      }
    };
    const problem = h("div", { "aria-live": "assertive" });
    const go = h("button", { class: "primary" }, submit);
    const form = h(
      "form",
      { onsubmit: send },
      h("h2", {}, title),
      made.map((one) => one.element),
      problem,
      h(
        "div",
        { class: "actions" },
        go,
        h("button", { type: "button", onclick: () => leave(null) }, cancel),
      ),
    );
    const dialog = h("dialog", { "aria-label": title, oncancel: () => leave(null) }, form);
    document.body.append(dialog);
    dialog.showModal();
    made[0]?.field.focus();
  });
}

// Takes the dialogs that are open off the page, where they lie over all else; answers what shows them again.
export function setDialogsAside() {
  const open = [...document.querySelectorAll("dialog[open]")];
  for (const one of open) one.remove();
  return () => {
    for (const one of open.filter((one) => one.open)) {
      one.open = false; // It lies over nothing until it is shown as a modal anew.
      document.body.append(one);
      one.showModal();
    }
  };
}
