// Asks the gateway, and turns its refusals into one shape with a sentence for people.

import { language, t } from "./texts.js";
import { token } from "./session.js";

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

export const headers = () => ({ authorization: `Bearer ${token()}`, "accept-language": language() });

export async function ask(path, { query, method = "GET", body, signal } = {}) {
  const options = { method, signal, headers: headers() };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["content-type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(address(path, query), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal({ status: 0, reason: "NO_CONNECTION", text: t("noConnection") });
  }
  if (!response.ok) throw await refusal(response);
  return response.json();
}

export async function refusal(response) {
  const status = await response.json().catch(() => ({}));
  return refusalOf(status, { status: response.status, requestId: response.headers.get("x-request-id") ?? "" });
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
