// A list that is read once, newest first, and then kept by its stream: how alerts and notices stay current.

import { follow } from "./stream.js";

const RECOUNT_MS = 300;

// `read(limit)` gives {items, further}; `show(items, further)` draws them; `count()` counts what the list is a part of.
export function followed({ path, size, keyOf, read, show, count, onState, onFailed }) {
  const found = new Map();
  let limit = size;
  let further = false;
  let watching;
  let drawing;
  let recount;
  let stopped = false;

  async function load({ pressed = false } = {}) {
    try {
      const page = await read(limit);
      if (stopped) return; // The page shows another unit by now: a stream begun here would never end.
      found.clear();
      for (const item of page.items) found.set(keyOf(item), item);
      further = page.further;
      draw();
      watching ??= watch();
      await count();
    } catch (error) {
      // What is there stays there: its stream tells what changes, and that it is cut.
      if (pressed) throw error;
      if (!stopped && !watching) onFailed(error, load);
    }
  }

  function watch() {
    const positions = [...found.values()].map((item) => BigInt(item.position));
    const newest = positions.reduce((most, one) => (one > most ? one : most), 0n);
    let blind = !newest; // Nothing to resume after: what came between the list and its stream is read once more.
    return follow(path, {
      resume: "after",
      position: newest ? String(newest) : "",
      onState,
      onOpen() {
        if (blind) load();
        else recountSoon();
        blind = false;
      },
      onItem(item) {
        put(item);
        return item.position;
      },
    });
  }

  function put(item) {
    if (stopped) return;
    found.set(keyOf(item), item);
    drawing ??= requestAnimationFrame(draw); // Thousands may come at once: they are drawn together.
    recountSoon();
  }

  function draw() {
    drawing = undefined;
    const newest = [...found.values()].sort((a, b) => Number(BigInt(keyOf(b)) - BigInt(keyOf(a))));
    for (const extra of newest.splice(2 * limit)) {
      found.delete(keyOf(extra));
      further = true;
    }
    show(newest, { limit, further });
  }

  function recountSoon() {
    clearTimeout(recount);
    recount = setTimeout(() => count().catch(() => {}), RECOUNT_MS);
  }

  load();
  return {
    put,
    draw,
    grow() {
      limit += size;
      return load({ pressed: true });
    },
    stop() {
      stopped = true;
      clearTimeout(recount);
      cancelAnimationFrame(drawing);
      watching?.();
    },
  };
}
