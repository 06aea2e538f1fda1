// Files from the gateway: fetched with the caller's token, then kept under a name.

import { reach } from "./api.js";

export async function download(path, query, name) {
  const response = await reach(path, { query });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
