// The current figures of a unit, kept up to date by the stream, and how each is counted.

import { ask, unitPath } from "./api.js";
import { follow } from "./stream.js";

export function watchFigures(unit, { onChange, onState }) {
  const figures = new Map();
  return follow(unitPath(unit, "/indicators:watch"), {
    resume: "position",
    onState,
    onItem(update) {
      const changed = [];
      for (const figure of update.figures ?? []) {
        const before = figures.get(figure.indicator);
        if (before && before.value !== figure.value) changed.push(figure.indicator);
        figures.set(figure.indicator, figure);
      }
      onChange({ figures, changed, dataTime: update.data_time });
      return update.position;
    },
  });
}

let catalogue;

export async function counting() {
  catalogue ??= ask("/v1/indicators", { query: { page_size: 1000 } })
    .then((found) => new Map(found.indicators.map((one) => [one.code, one])))
    .catch(() => {
      catalogue = undefined;
      return new Map();
    });
  return catalogue;
}

export const shown = (figure) => (figure && !figure.suppressed ? figure.value : undefined);
