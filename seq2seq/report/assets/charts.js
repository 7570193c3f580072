/** The figures: Vega-Lite specifications, fitted to the page's width and drawn in the colours of the theme. */
let isDark = () => false;
const charts = new Map();

/** A copy of a specification in the colours of the theme, on the page's ground. */
function themed(spec) {
  let text = JSON.stringify(spec);
  if (isDark()) text = text.replace(/#[0-9a-f]{6}/g, (colour) => page.dark[colour] ?? colour);
  const copy = JSON.parse(text);
  copy.config.background = "transparent";
  return copy;
}

function embed(place, spec) {
  const tooltip = { disableDefaultStyle: true };
  return vegaEmbed(place, spec, { ast: true, actions: false, renderer: "svg", defaultStyle: false, tooltip });
}

async function drawCharts() {
  for (const place of document.querySelectorAll("[data-figure]")) {
    const spec = themed(page.figures[place.dataset.figure]);
    const chosen = charts.get(place)?.view.getState?.().signals ?? {};
    for (const param of spec.params ?? []) if (param.bind && param.name in chosen) param.value = chosen[param.name];
    spec.width = "container";
    spec.autosize = { type: "fit-x", contains: "padding" };
    charts.get(place)?.finalize();
    charts.set(place, await embed(place, spec));
  }
}
