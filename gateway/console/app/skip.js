// The first link of every page: past the bar, to the content. Whoever has no mouse would else go through the menu each time.

import { h } from "./elements.js";
import { t } from "./texts.js";

// Puts the link there; answers what names it in the language of now.
export function skipTo(content) {
  // The address after the number sign says which unit is shown: the link must not change it.
  const onclick = (event) => (event.preventDefault(), content.focus());
  const link = h("a", { class: "skip", id: "skip", href: `#${content.id}`, onclick });
  content.tabIndex = -1;
  document.body.prepend(link);
  return () => (link.textContent = t("skip"));
}
