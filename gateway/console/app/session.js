// Who is signed in: a token, kept for this tab only. It comes in the address's fragment, which no server sees.

const KEY = "iocedu.token";

export function takeFromAddress() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get("token");
  if (!token) return;
  sessionStorage.setItem(KEY, token.trim());
  fragment.delete("token");
  const rest = fragment.toString();
  history.replaceState(null, "", location.pathname + (rest ? `#${rest}` : ""));
}

export const token = () => sessionStorage.getItem(KEY) ?? "";
export const SIGNED_IN = "signed-in"; // What the window is told once there is another token.
export function signIn(value) {
  sessionStorage.setItem(KEY, value.trim().replace(/^Bearer\s+/i, ""));
  window.dispatchEvent(new CustomEvent(SIGNED_IN));
}
export const signOut = () => sessionStorage.removeItem(KEY);

export function expiry() {
  const { exp } = claims();
  return exp ? new Date(exp * 1000) : null;
}

export const subject = () => claims().sub;

function claims() {
  try {
    return JSON.parse(atob(token().split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}
