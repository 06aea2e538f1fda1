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
export const signIn = (value) => sessionStorage.setItem(KEY, value.trim().replace(/^Bearer\s+/i, ""));
export const signOut = () => sessionStorage.removeItem(KEY);

export function expiry() {
  try {
    const payload = token().split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return new Date(JSON.parse(atob(payload)).exp * 1000);
  } catch {
    return null;
  }
}
