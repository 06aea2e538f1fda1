// Who is connected: one figure for all schools, bars by kind and commune, the schools that need somebody, each with why.

import { ask, unitPath } from "./api.js";
import { showSchool } from "./coverageSchool.js";
import { KINDS, LEVELS, said } from "./coverageTexts.js";
import { h, renew, replace } from "./elements.js";
import { tell } from "./failing.js";
import { download } from "./files.js";
import { ago, instant, number, percent } from "./format.js";
import { openPage } from "./page.js";
import { follow } from "./stream.js";
import { language, t } from "./texts.js";

const STATES = ["CONNECTED", "LATE", "FAILING", "SILENT"];
const ORDERS = ["UNSPECIFIED", "LAST_ACCEPT_TIME", "REJECTED_SHARE"];
const PAGE = 50;
const FIRST_PARTS = 10;
const AGAIN_MS = 400; // Changes that come together are shown together.
const state = { unit: null, states: [], kind: "", level: "", source: "", order: "UNSPECIFIED", by: "COMMUNE", every: false, optional: false, shown: PAGE, figures: 0, lists: 0 };
const whole = h("section", { class: "panel whole", "aria-live": "polite" });
const kinds = h("section", { class: "panel" });
const parts = h("section", { class: "panel" });
const list = h("section", { class: "panel" });
const lines = h("ol", { class: "lines" });

async function show({ content, unit, light }) {
  Object.assign(state, { unit, states: [], kind: "", level: "", source: "", shown: PAGE });
  replace(
    content,
    h("div", { class: "title" }, h("h1", {}, t("page_coverage")), h("span", { class: "asof" }, unit.name)),
    whole,
    h("div", { class: "halves" }, kinds, parts),
    list,
  );
  const position = await figures();
  await filters();
  await schools();
  let timer;
  // Not put off by what comes meanwhile: while data flows something always does.
  const again = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      Promise.all([figures(), schools()]).catch((error) => tell(error));
    }, AGAIN_MS);
  };
  const stop = follow(place(":watch"), {
    resume: "position",
    position,
    onItem: (item) => (again(), item.position),
    onState: light.part("coverage"),
  });
  return () => (clearTimeout(timer), stop());
}

const place = (rest = "") => unitPath(state.unit.id, `/coverage${rest}`);
const filter = () => ({
  "filter.states": state.states.map((one) => `COVERAGE_STATE_${one}`),
  "filter.kinds": state.kind && `SCHOOL_KIND_${state.kind}`,
  "filter.levels": state.level,
  "filter.sources": state.source,
  "filter.include_optional": state.optional || undefined,
});
const sums = (breakdown) =>
  ask(place(":summarize"), { query: { breakdown: `COVERAGE_BREAKDOWN_${breakdown}`, "filter.include_optional": state.optional || undefined } });

async function figures() {
  const mine = ++state.figures;
  const [byKind, byPart] = await Promise.all([sums("KIND"), sums(state.by)]);
  if (mine !== state.figures) return byKind.position;
  showWhole(byKind.total ?? {});
  replace(kinds, h("header", {}, h("h2", {}, said("byKind"))), bars(byKind.parts));
  const choice = h(
    "select",
    { "aria-label": said("by"), "data-key": "by/choice", onchange: (event) => ((state.by = event.target.value), figures().catch((error) => tell(error))) },
    ["COMMUNE", "LEVEL", "SOURCE"].map((one) => h("option", { value: one, selected: one === state.by }, said(one))),
  );
  renew(parts, h("header", {}, h("h2", {}, `${said("by")}: ${said(state.by)}`), choice), bars(byPart.parts, state.by === "COMMUNE"));
  return byKind.position;
}

const count = (all, name) => Number(all[`${name.toLowerCase()}_count`] ?? 0);

function showWhole(total) {
  const [ever, must] = [count(total, "EVER_CONNECTED"), count(total, "MUST_CONNECT")];
  const chip = (name, label, value) =>
    h(
      "button",
      { type: "button", "aria-pressed": String(name ? state.states.includes(name) : !state.states.length), onclick: () => choose(name) },
      name ? h("i", { class: `dot ${name.toLowerCase()}` }) : "",
      label,
      h("b", {}, number(value)),
    );
  replace(
    whole,
    h(
      "p",
      { class: "ever", title: said("everHint") },
      h("b", {}, `${number(ever)} / ${number(must)}`),
      h("small", {}, said("ever"), h("br"), percent(ever, must)),
    ),
    h(
      "div",
      {},
      shares(total),
      h("div", { class: "states" }, chip("", said("all"), count(total, "SCHOOL")), STATES.map((one) => chip(one, said(one), count(total, one)))),
    ),
  );
}

function shares(all) {
  const schools = count(all, "SCHOOL") || 1;
  const told = STATES.map((one) => `${said(one)} ${number(count(all, one))}`).join(", ");
  return h(
    "div",
    { class: "shares", role: "img", "aria-label": told, title: told },
    [...STATES, "UNKNOWN"].map((one) => {
      const part = h("i", { class: one.toLowerCase() });
      part.style.setProperty("--part", (count(all, one) / schools).toFixed(4));
      return part;
    }),
  );
}

// The first of many parts, and a way to see all: a box that scrolls within the page would catch the finger on a phone.
function bars(found = [], linked = false) {
  const element = h("div", { class: "parts" });
  const draw = () => {
    const shown = state.every ? found : found.slice(0, FIRST_PARTS);
    const turn = () => {
      state.every = !state.every;
      draw();
      element.lastChild.focus();
    };
    const text = state.every ? t("showLess") : t("showAll", { n: number(found.length) });
    replace(element, shown.map((one) => bar(one, linked)), found.length > FIRST_PARTS ? h("button", { type: "button", class: "wide quiet", onclick: turn }, text) : "");
  };
  draw();
  return element;
}

const bar = ({ key, name, sums: all }, linked) =>
  h(
    "div",
    { class: "part" },
    h("span", { class: "name" }, linked && key !== state.unit.id ? h("a", { href: `#unit=${key}` }, name) : name),
    h("span", { class: "of" }, said("ofConnected", { a: number(count(all, "CONNECTED")), b: number(count(all, "SCHOOL")) })),
    shares(all),
  );

async function filters() {
  const bySource = await sums("SOURCE");
  const sources = (bySource.parts ?? []).map(({ key }) => key).filter(Boolean);
  const pick = (name, all, options) =>
    h(
      "select",
      { "aria-label": said(name), onchange: (event) => ((state[name] = event.target.value), anew()) },
      all ? h("option", { value: "" }, `${said(name)}: ${said("all").toLowerCase()}`) : "",
      options.map(([value, label]) => h("option", { value, selected: state[name] === value }, label)),
    );
  const optional = h("input", { type: "checkbox", checked: state.optional, onchange: (event) => ((state.optional = event.target.checked), figures().then(anew, tell)) });
  const orders = ORDERS.map((one) => [one, said(one === "UNSPECIFIED" ? "UNSPECIFIED_ORDER" : one)]);
  replace(
    list,
    h("header", {}, h("h2", {}, said("schools"))),
    h(
      "div",
      { class: "filters" },
      pick("kind", true, Object.entries(KINDS[language()])),
      pick("level", true, Object.entries(LEVELS[language()])),
      pick("source", true, sources.map((one) => [one, one])),
      pick("order", false, orders),
      h("label", {}, optional, said("optional")),
      h("span", { class: "files" }, ["xlsx", "csv"].map((format) => h("button", { type: "button", onclick: () => give(format) }, `↓ ${format.toUpperCase()}`))),
    ),
    lines,
  );
}

function choose(name) {
  state.states = !name ? [] : state.states.includes(name) ? state.states.filter((one) => one !== name) : [...state.states, name];
  for (const button of whole.querySelectorAll(".states button")) {
    const mine = button.querySelector(".dot")?.className.split(" ")[1]?.toUpperCase();
    button.setAttribute("aria-pressed", String(mine ? state.states.includes(mine) : !state.states.length));
  }
  anew();
}

function anew() {
  state.shown = PAGE;
  schools().catch((error) => tell(error));
}

async function schools() {
  const mine = ++state.lists;
  const found = [];
  let more = "";
  do {
    const query = { ...filter(), order: `COVERAGE_ORDER_${state.order}`, page_size: state.shown - found.length, page_token: more };
    const page = await ask(place(), { query });
    if (mine !== state.lists) return; // Something else was asked for meanwhile.
    found.push(...(page.schools ?? []));
    more = page.next_page_token;
  } while (more && found.length < state.shown);
  renew(
    lines,
    found.map(line),
    found.length ? "" : h("li", { class: "muted" }, said("none")),
    more ? h("li", {}, h("button", { type: "button", class: "wide", onclick: () => ((state.shown += 4 * PAGE), schools().catch(tell)) }, said("more"))) : "",
  );
}

function line(school) {
  const name = (school.state ?? "COVERAGE_STATE_UNSPECIFIED").replace("COVERAGE_STATE_", "");
  const { taken_count: taken = 0, rejected_count: rejected = 0 } = school.recent_rows ?? {};
  const open = () => showSchool(school.school_id).catch((error) => tell(error));
  return h(
    "li",
    { class: `school ${name.toLowerCase()}` },
    h(
      "div",
      {},
      h("button", { class: "link", type: "button", "data-key": `${school.school_id}/open`, onclick: open }, school.school_name || school.school_id),
      h("small", {}, [school.parent_name, school.must_connect ? "" : said("optionalSchool")].filter(Boolean).join(" · ")),
    ),
    h("div", { class: "state" }, h("i", { class: "dot" }), said(name), school.since_time ? h("small", {}, said("since", { n: instant(school.since_time) })) : ""),
    h("div", { class: "why" }, school.reasons?.[0]?.message ?? ""),
    h(
      "div",
      { class: "last" },
      school.last_accept_time ? said("last", { n: ago(school.last_accept_time) }) : said("never"),
      h("small", {}, [school.source, Number(taken) + Number(rejected) ? said("rows", { a: number(Number(taken)), b: number(Number(rejected)) }) : ""].filter(Boolean).join(" · ")),
    ),
  );
}

async function give(format) {
  try {
    await download(place(":export"), { ...filter(), format }, `ket-noi-${state.unit.id}.${format}`);
  } catch (error) {
    tell(error);
  }
}

openPage({ title: () => t("page_coverage"), show });
