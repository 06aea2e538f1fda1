// Which unit the page shows: what the address says, else the highest one the caller holds a role on.

import { learn, learnShown, rolesFor } from "./access.js";
import { ask, unitPath } from "./api.js";

const RANK = ["province", "department", "district", "commune", "school"];
const rank = (kind) => RANK.indexOf(kind) + 1 || RANK.length + 1;

export const chosen = () => new URLSearchParams(location.hash.slice(1)).get("unit") ?? "";

export function choose(unit) {
  history.pushState(null, "", `#unit=${encodeURIComponent(unit)}`);
}

// `homes` are the units whose dashboard the caller may open, `units` all that a role is held on, `watching` the roles that
// see figures; software that sends, or whoever keeps the machines running, sees none.
export async function own() {
  const [{ subject, grants = [] }, site] = await Promise.all([ask("/v1/me/grants"), ask("/console.json")]);
  const roles = learn(site.calls, grants);
  const watching = rolesFor("GET", unitPath("-", "/indicators:watch"));
  const watches = (grant) => watching.includes(grant.role);
  const homes = placed(grants.filter(watches));
  if (grants.some((grant) => grant.unit_id === "0" && watches(grant)) && site.home_unit) {
    const home = await unitOf(site.home_unit).catch(() => null);
    if (home && !homes.some((one) => one.id === home.id)) homes.unshift(home);
  }
  const others = placed(grants).filter((one) => !homes.some((home) => home.id === one.id));
  return { subject, roles, watching, homes, units: [...homes, ...others] };
}

function placed(grants) {
  const found = new Map();
  for (const grant of grants)
    if (grant.unit_id !== "0")
      found.set(grant.unit_id, { id: grant.unit_id, name: grant.unit_name, kind: grant.unit_kind });
  return [...found.values()].sort((a, b) => rank(a.kind) - rank(b.kind) || a.name.localeCompare(b.name, "vi"));
}

// The unit that a page shows, and with it which of the roles held count there.
export async function unitShown(reference) {
  const unit = await unitOf(reference);
  const { grants = [] } = await ask("/v1/me/grants", { query: { unit: unit.id } });
  learnShown(unit.id, grants);
  return unit;
}

export async function unitOf(reference) {
  const { unit } = await ask(unitPath(reference, ""));
  const parent = unit.parents?.find((one) => one.type === "administrative")?.parent ?? "";
  return { id: unit.unit_id, name: unit.name, kind: unit.kind, parent, alias: unit.aliases?.[0] ?? "" };
}
