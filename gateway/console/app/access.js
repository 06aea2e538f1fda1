// Which calls are open to the roles held, as the edge draws it from the interface itself. What a page offers follows
// from what it would call, so that no page keeps a list of roles of its own.

import { unitPath } from "./api.js";

const EVERYWHERE = "0"; // The unit that stands for all: a role counts there only where it is held on all.

let held = { somewhere: [], everywhere: [] };
let shown = { unit: "", roles: [] }; // The unit shown, and the roles that count there.
let calls = new Map();

const rolesOf = (grants) => [...new Set(grants.map((grant) => grant.role))];
// Calls of as many steps are looked through together, not all of them for each button of a long list.
const shelf = (verb, path) => `${verb} ${path.split("/").length}`;

// `table` names for each verb and path of the interface the roles of which one suffices, or null: whoever is signed in.
export function learn(table, grants) {
  held = { somewhere: rolesOf(grants), everywhere: rolesOf(grants.filter((grant) => grant.unit_id === EVERYWHERE)) };
  calls = new Map();
  for (const [call, open] of Object.entries(table)) {
    const [verb, template] = call.split(" ");
    const path = new RegExp(`^${template.replace(/\{\w+\}/g, "[^/:]+")}$`);
    const key = shelf(verb, template);
    calls.set(key, [...(calls.get(key) ?? []), { path, open }]);
  }
  return held.somewhere;
}

// `grants` are those that count on the unit shown: on itself, and on units above it.
export function learnShown(unit, grants) {
  shown = { unit, roles: rolesOf(grants) };
}

const answering = (verb, path) => (calls.get(shelf(verb, path)) ?? []).find((one) => one.path.test(path));

// The roles a call is open to; none where it is open to nobody, or to whoever is signed in.
export const rolesFor = (verb, path) => answering(verb, path)?.open ?? [];

// Whether a call is open to whoever is signed in: about the unit shown by the roles that count there, about another by
// those held anywhere. What the interface does not have is open to nobody.
export function may(verb, path) {
  const found = answering(verb, path);
  return Boolean(found) && (found.open === null || found.open.some((role) => rolesAbout(path).includes(role)));
}

function rolesAbout(path) {
  if (path.startsWith(unitPath(EVERYWHERE, "/"))) return held.everywhere;
  return shown.unit && path.startsWith(unitPath(shown.unit, "/")) ? shown.roles : held.somewhere;
}
