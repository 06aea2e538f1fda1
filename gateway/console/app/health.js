// Asks the gateway now and then whether every service answers: a stream can be live while what feeds it is not.

import { seen } from "./stream.js";

const EVERY_MS = 5000;
const WAIT_MS = 4000;

export function watchHealth(onState) {
  let stopped = false;
  let timer;
  let whole = Date.now();

  async function look() {
    await seen(() => stopped);
    if (stopped) return;
    const answered = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(WAIT_MS) }).catch(() => null);
    if (stopped) return;
    if (answered?.ok) {
      whole = Date.now();
      onState("live");
    } else {
      // No answer at all is a cut line, which the streams tell sooner; an answer says that a part is away.
      onState(answered ? "partial" : "connecting", whole);
    }
    timer = setTimeout(look, EVERY_MS);
  }

  look();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
