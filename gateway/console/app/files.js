// Files from the gateway: fetched with the caller's token, then kept under a name.

import { address, headers, refusal } from "./api.js";

export async function download(path, query, name) {
  const response = await fetch(address(path, query), { headers: headers() });
  if (!response.ok) throw await refusal(response);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
