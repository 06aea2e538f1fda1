// Shows /openapi.json as a page to read: every call with its parameters, its body, its answer and a line to try it.

import { h, replace } from "./elements.js";
import { shade } from "./shade.js";

// Parameters that only some callers may leave out: who has every unit, and partners that sign their own tokens.
const USUAL = ["unit", "batch.source"];
const content = document.getElementById("content");
let schemas = {};

async function start() {
  shade();
  const response = await fetch("/openapi.json");
  const described = await response.json();
  schemas = described.components.schemas;
  const operations = Object.entries(described.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, operation]) => ({ path, verb, ...operation })),
  );
  const tags = described.tags.map((tag) => ({
    ...tag,
    operations: operations.filter((one) => one.tags.includes(tag.name)),
  }));
  replace(
    content,
    h(
      "div",
      { class: "reference" },
      h(
        "nav",
        { "aria-label": "Operations" },
        tags.flatMap((tag) => [
          h("b", {}, tag.name),
          ...tag.operations.map((one) => h("a", { href: `#${one.operationId}` }, name(one))),
        ]),
      ),
      h(
        "div",
        {},
        h("h1", {}, `${described.info.title} ${described.info.version}`),
        described.info.description.split("\n\n").map((text) => h("p", { class: "muted" }, prose(text))),
        tags.map((tag) =>
          h(
            "section",
            {},
            h("h2", {}, tag.name),
            h("p", { class: "muted" }, prose(tag.description)),
            tag.operations.map(card),
          ),
        ),
      ),
    ),
  );
  document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

const name = (operation) => operation.operationId.split("_")[1];

function card(operation) {
  const [body] = Object.entries(operation.requestBody?.content ?? {});
  const answer = operation.responses["200"];
  const [answered] = Object.entries(answer.content);
  return h(
    "article",
    { class: "operation panel", id: operation.operationId },
    h("h3", {}, h("span", { class: `verb ${operation.verb}` }, operation.verb), operation.path),
    operation.description.split("\n\n").map((text) => h("p", {}, prose(text))),
    operation.parameters.length
      ? h(
          "div",
          { class: "scroll" },
          h(
            "table",
            {},
            h(
              "thead",
              {},
              h(
                "tr",
                {},
                ["Parameter", "In", "Type", ""].map((text) => h("th", { scope: "col" }, text)),
              ),
            ),
            h("tbody", {}, operation.parameters.map(parameter)),
          ),
        )
      : "",
    h("pre", {}, curl(operation, body)),
    body
      ? h(
          "details",
          {},
          h("summary", {}, `Body: ${Object.keys(operation.requestBody.content).join(", ")}`),
          h("pre", {}, sample(body[1].schema)),
        )
      : "",
    h(
      "details",
      {},
      h("summary", {}, `Answer: ${answer.description}`),
      h("pre", {}, answered[0] === "*/*" ? "a file" : sample(answered[1].schema)),
    ),
  );
}

function parameter(one) {
  return h(
    "tr",
    {},
    h("td", {}, h("code", {}, one.name), one.required ? " *" : ""),
    h("td", {}, one.in),
    h("td", {}, type(one.schema)),
    h("td", {}, prose(one.description)),
  );
}

function type(schema) {
  if (schema.$ref) return type(resolve(schema));
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.type === "array") return `${type(schema.items)}[]`;
  return schema.format ?? schema.type;
}

const resolve = (schema) => (schema.$ref ? schemas[schema.$ref.split("/").pop()] : schema);

// What stands in backquotes is code; everything else is text.
const prose = (text = "") => text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));

function curl({ verb, path, parameters }, body) {
  const examples = new Map(parameters.map((one) => [one.name, one.example]));
  const filled = path.replace(/{(\w+)}/g, (given, name) => examples.get(name) ?? given);
  const required = parameters
    .filter((one) => one.in === "query" && (one.required || USUAL.includes(one.name)))
    .map((one) => `${one.name}=${one.example ?? "…"}`);
  const lines = [
    `curl -H "authorization: Bearer $TOKEN" '${location.origin}${filled}${required.length ? `?${required.join("&")}` : ""}'`,
  ];
  if (verb !== "get") lines[0] = lines[0].replace("curl", `curl -X ${verb.toUpperCase()}`);
  if (body) {
    const data = body[1].example ? `'${JSON.stringify(body[1].example)}'` : "@body.json";
    lines.push(`  -H 'content-type: ${body[0]}' --data-binary ${data}`);
  }
  return lines.join(" \\\n");
}

function sample(schema) {
  const draw = (one, depth, above) => {
    const found = resolve(one);
    const key = one.$ref ?? "";
    if (!found || above.includes(key)) return "{…}";
    if (found.enum) return JSON.stringify(found.enum[1] ?? found.enum[0]);
    if (found.type === "array") return `[${draw(found.items, depth, above)}]`;
    if (found.type === "object" && found.properties && depth < 5) {
      const inner = Object.entries(found.properties).map(
        ([field, value]) => `${"  ".repeat(depth + 1)}"${field}": ${draw(value, depth + 1, [...above, key])}`,
      );
      return inner.length ? `{\n${inner.join(",\n")}\n${"  ".repeat(depth)}}` : "{}";
    }
    return (
      { string: found.format ? `"<${found.format}>"` : '"…"', integer: "0", number: "0.0", boolean: "false" }[
        found.type
      ] ?? "{…}"
    );
  };
  return draw(schema, 0, []);
}

start();
