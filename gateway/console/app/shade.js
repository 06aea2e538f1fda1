// Light or dark: as the system says, unless the reader chose otherwise.

const KEY = "iocedu.shade";
const system = matchMedia("(prefers-color-scheme: dark)");

export function shade() {
  const own = localStorage.getItem(KEY);
  document.documentElement.dataset.shade = own ?? (system.matches ? "dark" : "light");
  document.dispatchEvent(new Event("shade"));
}

export function toggleShade() {
  localStorage.setItem(KEY, document.documentElement.dataset.shade === "dark" ? "light" : "dark");
  shade();
}

system.addEventListener("change", shade);
