// Which unit the page shows: what the address says, else the highest one the caller holds a role on.

import { ask, unitPath } from "./api.js";

const RANK = ["province", "department", "district", "commune", "school"];
const rank = (kind) => RANK.indexOf(kind) + 1 || RANK.length + 1;

export const chosen = () => new URLSearchParams(location.hash.slice(1)).get("unit") ?? "";

export function choose(unit) {
  history.pushState(null, "", `#unit=${encodeURIComponent(unit)}`);
}

export async function own() {
  const [{ subject, grants = [] }, site] = await Promise.all([ask("/v1/me/grants"), ask("/console.json")]);
  const homes = new Map();
  for (const grant of grants)
    if (grant.unit_id !== "0")
      homes.set(grant.unit_id, { id: grant.unit_id, name: grant.unit_name, kind: grant.unit_kind });
  const found = [...homes.values()].sort((a, b) => rank(a.kind) - rank(b.kind) || a.name.localeCompare(b.name, "vi"));
  if (grants.some((grant) => grant.unit_id === "0") && site.home_unit) {
    const home = await unitOf(site.home_unit).catch(() => null);
    if (home && !homes.has(home.id)) found.unshift(home);
  }
  return { subject, roles: [...new Set(grants.map((grant) => grant.role))], homes: found };
}

export async function unitOf(reference) {
  const { unit } = await ask(unitPath(reference, ""));
  const parent = unit.parents?.find((one) => one.type === "administrative")?.parent ?? "";
  return { id: unit.unit_id, name: unit.name, kind: unit.kind, parent, alias: unit.aliases?.[0] ?? "" };
}
