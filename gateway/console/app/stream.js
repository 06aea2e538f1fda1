// Follows a stream of the gateway and never loses its place: one that stops without its end was cut and is resumed
// after the last position seen. Says whether it is live, connecting or refused, and when it was last alive.

import { reach, refusalOf } from "./api.js";
import { SIGNED_IN } from "./session.js";

const QUIET_MS = 45_000; // Three heartbeats missed: the line is dead, whatever the browser thinks.
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
const HIDDEN_MS = 5_000; // A browser lends a site six lines over plain HTTP: a tab nobody sees gives its own back.
const GONE = ["POSITION_GONE", "INVALID_POSITION"];

// Waits until somebody looks at the page, or nobody waits any more.
export function seen(given) {
  return new Promise((done) => {
    const look = () => {
      if (document.hidden && !given()) return;
      document.removeEventListener("visibilitychange", look);
      done();
    };
    document.addEventListener("visibilitychange", look);
    look();
  });
}

export function follow(path, { query = {}, resume, position = "", onItem, onOpen = () => {}, onState }) {
  let stopped = false;
  let delay = FIRST_DELAY_MS;
  let controller = new AbortController();
  let alive; // When the stream last gave a sign of life.

  const pause = (ms) =>
    new Promise((done) => {
      const timer = setTimeout(done, ms);
      controller.signal.addEventListener(
        "abort",
        () => {
          clearTimeout(timer);
          done();
        },
        { once: true },
      );
      window.addEventListener(
        "online",
        () => {
          clearTimeout(timer);
          done();
        },
        { once: true },
      );
    });
  const signedIn = () =>
    new Promise((done) => {
      window.addEventListener(SIGNED_IN, done, { once: true });
      controller.signal.addEventListener("abort", done, { once: true });
    });

  function take(message) {
    if (message.item) {
      position = onItem(message.item) ?? position;
    } else if (message.heartbeat) {
      position = message.heartbeat.position || position;
    } else if (message.error) {
      position = message.error.position || position;
      throw refusalOf(message.error.status ?? {});
    }
    return !message.end;
  }

  async function once() {
    const resumed = position ? { [resume]: position } : {};
    const response = await reach(path, { query: { ...query, ...resumed }, signal: controller.signal });
    let watchdog;
    const watch = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => controller.abort(), QUIET_MS);
    };
    try {
      watch();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      let first = true;
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        watch();
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        for (const line of lines.filter((one) => one.trim())) {
          if (!take(JSON.parse(line))) return;
          alive = Date.now();
          if (first) {
            first = false;
            delay = FIRST_DELAY_MS;
            onState("live");
            onOpen();
          }
        }
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  async function run() {
    while (!stopped) {
      await seen(() => stopped);
      if (stopped) return;
      onState("connecting", alive);
      controller = new AbortController();
      try {
        await once();
      } catch (error) {
        if (stopped) return;
        if (GONE.includes(error.reason)) position = "";
        // What is refused once is refused again: only a new token or another unit helps.
        else if ([400, 401, 403, 404].includes(error.status)) {
          onState("refused", alive, error);
          if (error.status !== 401) return;
          await signedIn();
        }
      }
      if (stopped) return;
      onState("connecting", alive);
      await pause(delay * (0.7 + 0.6 * Math.random()));
      delay = Math.min(delay * 2, LONGEST_DELAY_MS);
    }
  }

  // A machine that lost its network keeps a dead line open for minutes: let go of it at once.
  const cut = () => controller.abort();
  let leaving;
  const hidden = () => {
    clearTimeout(leaving);
    if (document.hidden) leaving = setTimeout(cut, HIDDEN_MS);
  };
  window.addEventListener("offline", cut);
  document.addEventListener("visibilitychange", hidden);
  run();
  return () => {
    stopped = true;
    window.removeEventListener("offline", cut);
    document.removeEventListener("visibilitychange", hidden);
    clearTimeout(leaving);
    cut();
  };
}
