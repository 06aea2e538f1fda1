// Files of schools without software: template, upload, progress, errors corrected in place, doubts confirmed.

import { may } from "./access.js";
import { ask, reach, unitPath } from "./api.js";
import { showDisappearances } from "./disappearances.js";
import { h, replace } from "./elements.js";
import { download } from "./files.js";
import { instant } from "./format.js";
import { showImport } from "./importShown.js";
import { said, stateWords } from "./importWords.js";
import { openPage } from "./page.js";
import { t } from "./texts.js";

const FIRST_MONTH = 6; // From July on it is the next school year that is prepared.
const SCHOOLS = ["school", "childcare_group"];
const shown = h("section", { class: "panel import", "aria-live": "polite", hidden: true });
const past = h("section", { class: "panel" });
const asked = h("section", { class: "panel import disappearances", "aria-live": "polite", hidden: true });
const state = { school: "", year: thisYear(), collection: "pupils", purpose: "" };

async function show({ content, unit, account }) {
  const schools = [unit, ...account.units.filter((one) => one.id !== unit.id)].filter(isSchool);
  if (!schools.length) return pick(content, unit);
  state.school = schools[0].id;
  form(content, schools);
  await Promise.all([list(), showDisappearances(asked, state.school)]);
}

// Who stands above schools says first for which one.
function pick(content, unit) {
  const found = h("ul", { class: "choose", "aria-live": "polite" });
  const field = h("input", { type: "search", "aria-label": said("noUnit"), placeholder: said("whichSchool") });
  const search = async (event) => {
    event.preventDefault();
    const query = field.value.trim();
    const { hits = [] } = query ? await ask(unitPath(unit.id, "/units:search"), { query: { query } }) : {};
    const links = hits.filter(isSchool).map((one) => h("li", {}, h("a", { href: `#unit=${one.unit_id}` }, one.name)));
    replace(found, links.length ? links : h("li", { class: "muted" }, said("noSchool")));
  };
  replace(
    content,
    h("div", { class: "title" }, h("h1", {}, t("page_imports")), h("span", { class: "muted" }, unit.name)),
    h(
      "section",
      { class: "panel" },
      h("p", {}, said("noUnit")),
      h("form", { class: "asking", role: "search", onsubmit: search }, field, h("button", { class: "primary" }, said("find"))),
      found,
    ),
    asked,
  );
  showDisappearances(asked, unit.id);
}

const isSchool = (unit) => SCHOOLS.includes(unit.kind);

function thisYear() {
  const now = new Date();
  return now.getMonth() >= FIRST_MONTH ? now.getFullYear() : now.getFullYear() - 1;
}

function form(content, schools) {
  const years = [thisYear() + 1, thisYear(), thisYear() - 1, thisYear() - 2];
  const file = h("input", { type: "file", accept: ".xlsx,.xls,.csv,.zip", "aria-label": said("file") });
  const complete = h("input", { type: "checkbox" });
  const lookOnly = h("input", { type: "checkbox" });
  const kind = select(said("collection"), [["", said("anyCollection")], ...kinds()], () => {}, "");
  const told = h("p", { class: "notice warn", role: "alert", hidden: true });
  const send = h("button", { class: "primary", type: "button", onclick: upload }, said("upload"));
  const sends = may("POST", unitPath(state.school, "/imports"));
  const fills = may("GET", unitPath(state.school, `/templates/${state.collection}`));

  async function upload() {
    if (!file.files.length) return tell(said("noFile"));
    const collection = kind.querySelector("select");
    if (complete.checked && !collection.value) {
      collection.focus();
      return tell(said("kindMissing"));
    }
    send.disabled = true;
    send.textContent = said("uploading");
    told.hidden = true;
    try {
      const [sent] = file.files;
      const query = {
        school_year: state.year,
        collection: collection.value,
        file_name: sent.name,
        complete: complete.checked || undefined,
        validate_only: lookOnly.checked || undefined,
      };
      const headers = { "content-type": "application/octet-stream" };
      const response = await reach(unitPath(state.school, "/imports"), { query, method: "POST", headers, body: sent });
      const answer = await response.json();
      file.value = "";
      await open(answer.import.import_id);
    } catch (error) {
      tell(error.message);
    } finally {
      send.disabled = false;
      send.textContent = said("upload");
    }
  }

  const tell = (text) => {
    told.textContent = text;
    told.hidden = false;
  };
  const template = async (filled) => {
    const path = unitPath(state.school, `/templates/${state.collection}`);
    try {
      const query = { school_year: state.year, filled, purpose: filled ? state.purpose : "" };
      await download(path, query, `${state.collection}-${state.year}.xlsx`);
    } catch (error) {
      tell(error.message);
    }
  };
  const steps = () =>
    h(
      "div",
      { class: "steps" },
      h(
        "section",
        { class: "panel step" },
        h("h2", {}, said("step1")),
        select(said("school"), schools.map((one) => [one.id, one.name]), moved("school"), state.school),
        select(said("year"), years.map((year) => [year, `${year}–${year + 1}`]), moved("year"), state.year),
        select(said("collection"), kinds(), (value) => (state.collection = value), state.collection),
        h("p", { class: "muted" }, said("step1Hint")),
        h("label", {}, said("purpose"), purpose()),
        h("p", { class: "muted", id: "purpose-hint" }, said("purposeHint")),
        h(
          "div",
          { class: "row-of-buttons" },
          fills ? [true, false].map((full) => h("button", { type: "button", onclick: () => template(full) }, said(full ? "filled" : "blank"))) : "",
        ),
      ),
      h(
        "section",
        { class: "panel step" },
        h("h2", {}, said("step2")),
        h("p", { class: "muted" }, said("step2Hint")),
        file,
        kind,
        h("label", { class: "tick" }, complete, h("span", {}, said("complete"))),
        h("label", { class: "tick" }, lookOnly, h("span", {}, said("lookOnly"))),
        told,
        send,
      ),
    );
  replace(
    content,
    h("div", { class: "title" }, h("h1", {}, t("page_imports")), sends ? "" : h("span", { class: "asof" }, schools[0].name)),
    sends ? steps() : h("p", { class: "muted" }, said("onlySeen")),
    asked,
    shown,
    past,
  );
}

function purpose() {
  const oninput = (event) => (state.purpose = event.target.value.trim());
  return h("input", { type: "text", maxLength: 500, value: state.purpose, "aria-describedby": "purpose-hint", oninput });
}

const kinds = () => Object.entries(said("collections"));

// A file with its errors is personal data of the same pupils, asked for under the same purpose.
const explained = (path, query, name) => download(path, { ...query, purpose: state.purpose }, name);

const moved = (name) => (value) => {
  state[name] = name === "year" ? Number(value) : value;
  shown.hidden = true;
  list();
  if (name === "school") showDisappearances(asked, state.school);
};

function select(label, options, onchoose, value) {
  const made = options.map(([key, text]) => h("option", { value: key, selected: String(key) === String(value) }, text));
  return h("label", {}, label, h("select", { onchange: (event) => onchoose(event.target.value) }, made));
}

async function list() {
  try {
    const { imports = [] } = await ask(unitPath(state.school, "/imports"), { query: { page_size: 20 } });
    const lines = imports.map((one) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, h("button", { class: "link", type: "button", onclick: () => open(one.import_id) }, one.file_name || `#${one.import_id}`)),
        h("td", {}, stateWords(one)),
        h("td", {}, String(one.accepted_count + one.unchanged_count)),
        h("td", {}, String(one.rejected_count + one.held_count)),
        h("td", {}, instant(one.create_time)),
      ),
    );
    const head = h("tr", {}, said("headings").map((text) => h("th", { scope: "col" }, text)));
    replace(
      past,
      h("h2", {}, said("past")),
      lines.length
        ? h("div", { class: "scroll" }, h("table", { class: "past" }, h("thead", {}, head), h("tbody", {}, lines)))
        : h("p", { class: "muted" }, said("none")),
    );
  } catch (error) {
    replace(past, h("p", { class: "notice warn", role: "alert" }, error.message));
  }
}

async function open(id) {
  shown.hidden = false;
  await showImport(shown, { unit: state.school, id, download: explained, ended: list });
}

openPage({ title: () => t("page_imports"), show });
