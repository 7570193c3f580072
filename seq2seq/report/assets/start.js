(async () => {
  for (const table of document.querySelectorAll("table.sortable")) sortableTable(table);
  page = await unpack("page-data");
  document.head.append(element("script", {}, await unpack("library")));
  for (const name of page.focus) shownSystems.add(name);
  const redrawAll = () => {
    drawCharts();
    for (const redraw of redraws) redraw();
  };
  isDark = startTheme(redrawAll);
  await drawCharts();
  const exhibits = await unpack("exhibits-data");
  const maps = document.getElementById("maps");
  if (maps) new AttentionFigure(maps, exhibits);
  new Translations(document.getElementById("sentences"), exhibits);
  document.documentElement.dataset.ready = "yes";
})().catch((error) => {
  const text = `This page could not be drawn in this browser (${error.message}); report.md holds the same.`;
  document.getElementById("sentences").replaceChildren(element("p", {}, text));
  throw error;
});
