// Makes elements of the page. Text is always text: nothing that comes from outside is read as HTML.

export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class" || key === "role" || key.includes("-")) element.setAttribute(key, value);
    else if (key in element && key !== "list") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

const SHAPES = {
  sun: "M12 4V2m0 20v-2M4 12H2m20 0h-2M6.300 6.300 4.900 4.900m14.200 14.200-1.400-1.400M6.300 17.700l-1.400 1.400M19.100 4.900l-1.400 1.400M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8z",
  moon: "M20 14.500A8 8 0 0 1 9.500 4 8 8 0 1 0 20 14.500z",
  out: "M9 4H5v16h4M15 8l4 4-4 4M19 12H9",
  info: "M12 11v5m0-8.500v.01M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z",
  check: "m5 12.500 4.500 4.500L19 7.500",
  up: "m6 14 6-6 6 6",
  critical: "M12 8v5m0 3.500v.01M12 3 2.500 20h19z",
  warning: "M12 7.500v5.500m0 3.500v.01M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z",
  back: "M15 5l-7 7 7 7",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }))
    svg.setAttribute(key, value);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

export function replace(element, ...children) {
  element.replaceChildren(...children.flat().filter(Boolean));
  return element;
}

// Replaces what a list holds; whoever stood on a part of it, known by a `data-key` of `entry/part`, stands there again.
export function renew(element, ...children) {
  const key = element.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const { scrollTop } = element;
  replace(element, ...children);
  element.scrollTop = scrollTop;
  if (!key) return;
  const [entry] = key.split("/");
  const found = [key, `${entry}/`].map((one) => element.querySelector(`[data-key^="${CSS.escape(one)}"]`));
  (found[0] ?? found[1])?.focus({ preventScroll: true });
}
