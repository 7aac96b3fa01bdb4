// Looks again and again, while somebody sees it.

/** Calls look now, and again some time after each look has ended; not while the page is hidden. */
export function poll(look, milliseconds) {
  let running = false;
  let timer = null;
  let round = 0;

  async function go() {
    clearTimeout(timer);
    const mine = ++round;
    if (!document.hidden) await look(() => running && mine === round);
    if (running && mine === round) timer = setTimeout(go, milliseconds);
  }

  return {
    start() {
      running = true;
      go();
    },
    /** Look now, or a little later. */
    again(soon = 0) {
      clearTimeout(timer);
      if (running) timer = setTimeout(go, soon);
    },
    stop() {
      running = false;
      round += 1;
      clearTimeout(timer);
    },
  };
}
