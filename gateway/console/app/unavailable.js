// Indicators that departments ask for and the data held cannot tell: which, and why.

import { h } from "./elements.js";
import { bilingual } from "./format.js";
import { said } from "./indicatorTexts.js";

export const unavailableNote = (one) =>
  h("p", { class: "notice warn", "data-unavailable": one.code }, h("b", {}, bilingual(one, "name")), bilingual(one, "reason"));

// All of them, to open where one looks for an indicator in vain.
export function unavailablePanel(unavailable) {
  if (!unavailable.length) return "";
  const line = (one) => h("li", { "data-unavailable": one.code }, h("b", {}, `${bilingual(one, "name")}: `), bilingual(one, "reason"));
  return h("details", { class: "unavailable" }, h("summary", {}, said("unavailable")), h("ul", {}, unavailable.map(line)));
}
