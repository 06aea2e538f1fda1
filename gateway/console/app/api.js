// Asks the gateway, and turns its refusals into one shape with a sentence for people.

import { language, t } from "./texts.js";
import { token } from "./session.js";

export const SIGNED_OUT = "signed-out"; // What the window is told once a token counts no more.

export class Refusal extends Error {
  constructor({ status, reason, text, requestId, heading = text, faults = [] }) {
    super(text);
    this.heading = heading;
    this.faults = faults;
    this.status = status;
    this.reason = reason;
    this.requestId = requestId;
  }
}

export function address(path, query = {}) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const one of [value].flat()) if (one !== undefined && one !== "" && one !== null) given.append(name, one);
  const text = given.toString();
  return text ? `${path}?${text}` : path;
}

const headers = () => ({ authorization: `Bearer ${token()}`, "accept-language": language() });

// Sends one request and answers the response, whatever it holds; a line that is down is a refusal as any other.
export async function reach(path, { query, headers: further, ...options } = {}) {
  const response = await fetch(address(path, query), { ...options, headers: { ...headers(), ...further } }).catch(cut);
  if (!response.ok) throw await refusal(response);
  return response;
}

export async function ask(path, { body, ...options } = {}) {
  if (body !== undefined) Object.assign(options, { body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  const response = await reach(path, options);
  return response.json().catch(cut);
}

function cut(error) {
  if (error.name === "AbortError") throw error;
  throw new Refusal({ status: 0, reason: "NO_CONNECTION", text: t("noConnection") });
}

async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  const refused = refusalOf(body, { status: response.status, requestId: response.headers.get("x-request-id") ?? "" });
  if (refused.status === 401) window.dispatchEvent(new CustomEvent(SIGNED_OUT, { detail: refused.message }));
  return refused;
}

export function refusalOf(body, { status = 0, requestId = "" } = {}) {
  const detail = (kind) => body.details?.find((one) => one["@type"]?.endsWith(kind)) ?? {};
  const heading = detail(".LocalizedMessage").message || t(`status${status}`) || body.message || t("failed");
  const faults = (detail(".BadRequest").field_violations ?? []).map(({ field = "", localized_message: said, description = "" }) => ({
    field,
    text: said?.message || description,
  }));
  const text = [heading, ...sentences(faults, heading)].join(" ");
  return new Refusal({ status, reason: detail(".ErrorInfo").reason ?? `HTTP_${status}`, text, requestId, heading, faults });
}

// What is wrong with each field, in words, unless the heading says the very same.
export function sentences(faults, heading) {
  return [...new Set(faults.map((one) => one.text))].filter((one) => one && !heading.includes(one));
}

// Names a request, so that a repeat of it does nothing; also where the page is not served over TLS.
export const requestId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (one) => one.toString(16).padStart(2, "0")).join("");

export const unitPath = (unit, rest) => `/v1/units/${encodeURIComponent(unit)}${rest}`;
