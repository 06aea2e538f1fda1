// What dimensions and their values are called, as the interface says it; a code that has no words stands for itself.

import { h } from "./elements.js";
import { bilingual } from "./format.js";

export function wordsOf(dimensions) {
  const found = (code) => dimensions.find((one) => one.code === code);
  const name = (code) => (found(code) ? bilingual(found(code), "name") : code);
  const value = (code, text) => {
    const one = found(code)?.values?.find((other) => (other.code ?? "") === text);
    return one ? bilingual(one, "name") : text;
  };
  // The words, with the code where one points at them.
  const told = (code, text) => h("span", { title: text || undefined }, value(code, text) || "–");
  return { name, value, told, values: (code) => found(code)?.values ?? [] };
}
