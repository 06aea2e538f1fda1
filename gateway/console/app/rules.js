// Rules: those in force with their conditions; written, copied, switched, and tried on the facts of now and of the past.

import { may } from "./access.js";
import { say } from "./alertTexts.js";
import { ask, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { area, choice, input, marked, refused, several, tick, unmarked, values } from "./fields.js";
import { bilingual, instant, number, percent } from "./format.js";
import { t } from "./texts.js";

const SEVERITIES = ["INFO", "WARNING", "CRITICAL"];
const NUMBERS = ["for_minutes", "group_hours", "acknowledge_hours", "resolve_hours", "group_wait_seconds", "group_interval_minutes"];
const GROUPINGS = ["READER", "PARENT", "UNIT", "NONE"];
const K = 3; // The most urgent of each class, by which a backtest over pupils is judged.
const LISTS = ["inhibited_by", "with_kinds", "optional_kinds"];
const ROLES = ["head_teacher", "clerk", "officer", "director", "administrator", "auditor", "integrator", "provincial_ioc", "operator"];

export async function rules(panel, { unit }) {
  const writing = may("POST", unitPath(unit.id, "/rules"));
  try {
    const [{ rules: known = [] }, { kinds = [] }] = await Promise.all([
      ask("/v1/rules", { query: { page_size: 1000 } }),
      ask("/v1/fact-kinds", { query: { page_size: 1000 } }),
    ]);
    list(known, kinds);
  } catch (error) {
    replace(panel, refused(error));
  }

  function list(known, kinds) {
    const again = () => rules(panel, { unit });
    const name = (code) => bilingual(kinds.find((kind) => kind.code === code) ?? {}, "name") || code;
    replace(
      panel,
      writing ? h("button", { class: "primary", type: "button", onclick: () => editor({ kinds, done: again }) }, say("newRule")) : "",
      h(
        "div",
        { class: "scroll" },
        h("table", { class: "rules" }, h("tbody", {}, known.map((rule) => line(rule, name(rule.fact_kind), { kinds, again })))),
      ),
    );
  }

  function line(rule, kind, { kinds, again }) {
    const own = !rule.built_in && rule.unit_id === unit.id;
    const problem = h("div", {});
    const path = (verb, scope = unit.id) => unitPath(scope, `/rules/${rule.code}:${verb}`);
    const switching = path("switch", rule.unit_id || "0");
    const flip = async () => {
      try {
        await ask(switching, { method: "POST", body: { enabled: !rule.enabled } });
        again();
      } catch (error) {
        replace(problem, refused(error));
      }
    };
    const marks = [rule.built_in ? say("builtIn") : "", say("version", { n: rule.version }), rule.enabled ? "" : say("off")];
    return h(
      "tr",
      { class: rule.enabled ? "" : "off", "data-rule": rule.code },
      h("th", { scope: "row" }, rule.code, h("p", { class: "muted" }, marks.filter(Boolean).join(" · "))),
      h("td", {}, h("strong", {}, bilingual(rule, "title")), h("p", { class: "muted" }, kind), h("code", {}, rule.condition), problem),
      h("td", {}, say(rule.severity.replace("SEVERITY_", ""))),
      h(
        "td",
        {},
        writing
          ? h(
              "div",
              { class: "doing" },
              own && may("POST", path("update")) ? h("button", { type: "button", onclick: () => editor({ rule, kinds, done: again }) }, say("edit")) : "",
              h("button", { type: "button", "data-do": "copy", onclick: () => editor({ rule, copy: true, kinds, done: again }) }, say("copy")),
              may("POST", switching) ? h("button", { type: "button", onclick: flip }, say(rule.enabled ? "switchOff" : "switchOn")) : "",
            )
          : "",
      ),
    );
  }

  function editor({ rule = {}, copy = false, kinds, done }) {
    const fresh = !rule.code || copy;
    const answer = h("div", { "aria-live": "polite" });
    const help = h("ul", { class: "facts-of" });
    const kindNames = Object.fromEntries(kinds.map((kind) => [kind.code, bilingual(kind, "name")]));
    const text = (name, label, code = false) => area(name, say(label), { value: rule[name] ?? "", code });
    const count = (name, label) => input(name, say(label), { type: "number", min: 0, value: rule[name] ?? 0 });
    const severity = (rule.severity ?? "SEVERITY_WARNING").replace("SEVERITY_", "");
    const form = h(
      "form",
      { onsubmit: save, onchange: explain, noValidate: true }, // What is wrong is said beside each field, saved or tried.
      h(
        "div",
        { class: "fields" },
        input("code", say("code"), { value: copy ? `${rule.code}_rieng` : (rule.code ?? ""), readOnly: !fresh, code: true }),
        choice("fact_kind", say("kind"), kindNames, rule.fact_kind),
        input("with_kinds", say("withKinds"), { value: (rule.with_kinds ?? []).join(", "), code: true }),
        input("optional_kinds", say("optionalKinds"), { value: (rule.optional_kinds ?? []).join(", "), code: true }),
        choice("severity", say("gravity"), Object.fromEntries(SEVERITIES.map((one) => [one, say(one)])), severity),
        text("condition", "condition", true),
        h("div", { class: "whole" }, h("p", { class: "muted" }, say("fieldsOf")), help),
        text("clear_condition", "clear", true),
        ...["title_vi:titleVi", "title_en:titleEn", "body_vi:bodyVi", "body_en:bodyEn"].map((one) => text(...one.split(":"))),
        several("audience_roles", say("roles"), Object.fromEntries(ROLES.map((one) => [one, t(`role_${one}`)])), rule.audience_roles ?? ["head_teacher", "officer"]),
        choice("audience_reach", say("reach"), { ABOVE: say("ABOVE"), UNIT: say("UNIT") }, (rule.audience_reach ?? "").replace("AUDIENCE_REACH_", "")),
        choice("group_by", say("groupBy"), Object.fromEntries(GROUPINGS.map((one) => [one, say(`group${one}`)])), (rule.group_by ?? "").replace("ALERT_GROUPING_", "")),
        count("group_wait_seconds", "groupWait"),
        count("group_interval_minutes", "groupInterval"),
        count("for_minutes", "forMinutes"),
        count("group_hours", "groupHours"),
        count("acknowledge_hours", "ackHours"),
        count("resolve_hours", "resolveHours"),
        input("inhibited_by", say("inhibited"), { value: (rule.inhibited_by ?? []).join(", ") }),
        input("valid_from", say("validFrom"), { type: "date", value: rule.valid_from ?? "" }),
        input("valid_to", say("validTo"), { type: "date", value: rule.valid_to ?? "" }),
        input("owner", say("owner"), { value: rule.owner ?? "" }),
        input("source_document", say("source"), { value: rule.source_document ?? "" }),
        input("change_note", say("changeNote"), { value: "" }),
        tick("school_days_only", say("schoolDays"), rule.school_days_only),
      ),
      answer,
      h(
        "div",
        { class: "doing" },
        h("button", { type: "button", "data-do": "dry-run", onclick: dryRun }, say("dryRun")),
        h("button", { type: "button", "data-do": "backtest", onclick: backtest }, say("backtest")),
        h("input", { type: "date", id: "since", value: monthAgo(), "aria-label": say("backtest") }),
        h("button", { class: "primary" }, say("save")),
        h("button", { type: "button", onclick: done }, say("cancel")),
      ),
    );
    replace(panel, form);
    explain();

    function explain() {
      const kind = kinds.find((one) => one.code === values(form).fact_kind) ?? kinds[0];
      const named = values(form).with_kinds.split(",").map((one) => one.trim());
      const further = kinds.filter((one) => named.includes(one.code) && kind.beside?.includes(one.code));
      const field = (prefix) => (one) => h("li", {}, h("code", {}, `${prefix}${one.name}`), ` ${bilingual(one, "name")} (${say(`type_${one.type}`)})`);
      replace(help, [
        ...kind.fields.map(field("")),
        ...further.flatMap((one) => one.fields.map(field(`${one.code}.`))),
        h("li", {}, say("beside", { n: (kind.beside ?? []).map((code) => `${code} (${kindNames[code]})`).join(", ") || "–" })),
      ]);
    }

    function draft() {
      const { code, ...said } = values(form);
      for (const name of NUMBERS) said[name] = Number(said[name]);
      for (const name of LISTS) said[name] = said[name].split(",").map((one) => one.trim()).filter(Boolean);
      said.severity = `SEVERITY_${said.severity}`;
      said.audience_reach = `AUDIENCE_REACH_${said.audience_reach}`;
      said.group_by = `ALERT_GROUPING_${said.group_by}`;
      return { code, rule: said };
    }

    async function dryRun() {
      const { code, rule: said } = draft();
      await shown(async () => {
        const found = await ask(unitPath(unit.id, "/rules:dryRun"), { method: "POST", body: { rule: said, code } });
        const { alert_count: n = 0, unit_count: m = 0, people_count: k = 0, fact_count: f = 0, units = [], examples = [] } = found;
        const left = found.not_considered ?? [];
        return [
          h("strong", {}, say("wouldRaise", { n: number(n), m: number(m), k: number(k), f: number(f) })),
          left.includes("for_minutes") ? h("p", { class: "muted" }, say("lastingUnknown")) : "",
          where(units),
          h("ul", {}, examples.slice(0, 5).map((one) => h("li", {}, bilingual(one, "title")))),
        ];
      });
    }

    async function backtest() {
      const since = form.querySelector("#since").value;
      await shown(async () => {
        const body = { rule: draft().rule, since, k: K };
        const found = await ask(unitPath(unit.id, "/rules:backtest"), { method: "POST", body });
        const { alert_count: n = 0, subject_count: m = 0, median_open_hours: k = 0, open_count: o = 0, units = [], outcome } = found;
        return [
          h("strong", {}, say("wouldHave", { n: number(n), m: number(m), k: number(k, 1), o: number(o) })),
          found.first_time ? h("span", { class: "muted" }, say("historySince", { n: instant(found.first_time) })) : "",
          where(units),
          outcome ? h("span", {}, say("outcome", told(outcome))) : "",
        ];
      });
    }

    async function shown(work) {
      try {
        replace(answer, h("div", { class: "tried" }, await work()));
        unmarked(form);
      } catch (error) {
        replace(answer, marked(form, error));
      }
    }

    async function save(event) {
      event.preventDefault();
      const { code, rule: said } = draft();
      const where = fresh ? "/rules" : `/rules/${code}:update`;
      const copied = copy ? { copied_from: rule.code, update_mask: "*" } : {};
      const body = fresh ? { code, rule: said, ...copied } : { rule: said, version: rule.version };
      try {
        await ask(unitPath(unit.id, where), { method: "POST", body });
        done();
      } catch (error) {
        replace(answer, marked(form, error));
      }
    }
  }
}

const where = (units) => h("ul", {}, units.slice(0, 8).map((one) => h("li", {}, `${one.unit_name}: ${number(one.count)}`)));

const told = ({ left_count: a = 0, warned_count: b = 0, median_lead_days: c = 0, top_count: d = 0, top_left_count: e = 0 }) => ({
  a: number(a),
  b: number(b),
  c: number(c, 1),
  d: number(d),
  e: number(e),
  k: number(K),
  p: percent(Number(e), Number(d)),
});

const monthAgo = () => new Date(Date.now() - 30 * 86400000).toISOString().slice(0, 10);
