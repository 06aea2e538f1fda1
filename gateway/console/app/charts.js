// One way to draw a chart: as SVG, in the page's own inks, redrawn when the page changes size or shade.

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

export function draw(place, repaint) {
  const chart = window.echarts.init(place, null, { renderer: "svg" });
  const sized = new ResizeObserver(() => chart.resize());
  sized.observe(place);
  document.addEventListener("shade", repaint);
  const dispose = chart.dispose.bind(chart);
  chart.dispose = () => {
    sized.disconnect();
    document.removeEventListener("shade", repaint);
    dispose();
  };
  return chart;
}
