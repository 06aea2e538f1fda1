// A sheet of a form as a table. What stands in a cell is its caller's: `cellOf` gives the content and class of each.

import { h } from "./elements.js";
import { bilingual } from "./format.js";
import { said } from "./reportTexts.js";

export const keyOf = (sheet, row, column) => `${sheet.code}.${row.code}.${column.code}`;

export function formTables(form, cellOf) {
  return (form.sheets ?? []).map((sheet) =>
    h(
      "section",
      { class: "panel", "data-sheet": sheet.code },
      h("header", {}, h("h2", {}, bilingual(sheet, "title"))),
      h(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": bilingual(sheet, "title") },
        h(
          "table",
          { class: "cells" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              h("th", { scope: "col" }, said("line")),
              sheet.columns.map((column) => h("th", { scope: "col" }, bilingual(column, "title"))),
            ),
          ),
          h("tbody", {}, sheet.rows.map((row) => line(sheet, row, cellOf))),
        ),
      ),
    ),
  );
}

function line(sheet, row, cellOf) {
  const head = h("th", { scope: "row" }, bilingual(row, "title"));
  head.style.setProperty("--indent", row.indent ?? 0);
  head.style.setProperty("--weight", row.indent ? 400 : 650);
  return h(
    "tr",
    {},
    head,
    sheet.columns.map((column) => {
      const { content, ...properties } = cellOf(keyOf(sheet, row, column), { sheet, row, column });
      return h("td", properties, content);
    }),
  );
}
