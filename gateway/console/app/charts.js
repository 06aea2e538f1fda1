// One way to draw a chart: as SVG, in the page's own inks, drawn anew when the page changes size or shade.

export function inks() {
  const style = getComputedStyle(document.documentElement);
  const ink = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    font: getComputedStyle(document.body).fontFamily,
    text: ink("text"),
    muted: ink("muted"),
    line: ink("line"),
    panel: ink("panel"),
    empty: ink("empty"),
    accent: ink("accent-bright"),
    quiet: ink("ramp-low"),
    strong: ink("ramp-high"),
    warn: ink("warning"),
    warnLow: ink("warning-soft"),
    first: ink("series-1"),
    second: ink("series-2"),
    third: ink("series-3"),
  };
}

// Draws by `paint(chart)` once the place has a size, and again when asked. A chart library asked to draw on nothing, as
// in a hidden panel or a window folded away, fails in the midst of its own work: what is owed is drawn when there is room.
export function drawing(place, paint) {
  let chart;
  let owed = false;
  let stopped = false;
  const room = () => !stopped && place.clientWidth > 0 && place.clientHeight > 0;

  function show() {
    owed = !stopped && !room();
    if (owed || stopped) return;
    chart ??= window.echarts.init(place, null, { renderer: "svg" });
    paint(chart);
  }

  function fit() {
    if (!room()) return;
    if (owed) show();
    else if (chart && (chart.getWidth() !== place.clientWidth || chart.getHeight() !== place.clientHeight)) {
      chart.resize();
      paint(chart);
    }
  }

  const repaint = () => chart && show();
  const sized = new ResizeObserver(fit);
  sized.observe(place);
  document.addEventListener("shade", repaint);
  window.addEventListener("beforeprint", fit);
  return {
    show,
    stop() {
      stopped = true;
      sized.disconnect();
      document.removeEventListener("shade", repaint);
      window.removeEventListener("beforeprint", fit);
      chart?.dispose();
      chart = undefined;
    },
  };
}
