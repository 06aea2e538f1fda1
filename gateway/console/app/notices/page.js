// The page of announcements: the unit's list, writing one, one that was sent to the reader, and how one is told.

import { may } from "../access.js";
import { unitPath } from "../api.js";
import { h, replace } from "../elements.js";
import { openPage } from "../page.js";
import { t } from "../texts.js";
import { channels } from "./channels.js";
import { list } from "./list.js";
import { reader } from "./reader.js";
import { said } from "./texts.js";
import { writer } from "./writer.js";

const PARTS = { list, write: writer, preferences: channels };
const CALLS = {
  list: (unit) => ["GET", unitPath(unit.id, "/announcements")],
  write: (unit) => ["POST", unitPath(unit.id, "/announcements")],
  preferences: () => ["GET", "/v1/me/channels"],
};

function show({ content, unit }) {
  const parts = Object.keys(PARTS).filter((name) => may(...CALLS[name](unit)));
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (wanted.get("read")) {
    reader(content, wanted.get("read"));
    return;
  }
  const place = h("section", { class: "panel", "aria-live": "polite" });
  const choice = h("div", { class: "choice", role: "group" });
  const open = (name, given) => {
    for (const button of choice.children) button.setAttribute("aria-pressed", button.dataset.part === name);
    PARTS[name](place, { unit, open, given });
  };
  choice.append(
    ...parts.map((name) =>
      h("button", { type: "button", "data-part": name, onclick: () => open(name) }, said(name)),
    ),
  );
  const heading = h("h1", {}, said("title"));
  replace(content, h("div", { class: "title" }, heading, h("span", { class: "asof" }, unit.name), choice), place);
  open(wanted.has("preferences") ? "preferences" : parts[0]);
}

openPage({ title: () => t("page_notices"), show });
