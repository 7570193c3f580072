/** Sentences and weights, which are stored compressed. */
async function readExhibits() {
  const packed = Uint8Array.from(atob(document.getElementById("exhibits-data").textContent), (letter) =>
    letter.charCodeAt(0),
  );
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

startTheme();
for (const table of document.querySelectorAll("table.sortable")) sortableTable(table);
const FIGURES = {
  length: lengthFigure,
  learning: learningFigure,
  cost: costFigure,
  "by-length": costByLengthFigure,
  beam: beamFigure,
  probe: probeFigure,
  concatenation: concatenationFigure,
};
for (const place of document.querySelectorAll("[data-figure]")) FIGURES[place.dataset.figure](place);
readExhibits()
  .then((exhibits) => {
    if (exhibits.attention.length) attentionFigure(document.getElementById("maps"), exhibits);
    new Translations(document.getElementById("sentences"), exhibits);
    document.documentElement.dataset.ready = "yes";
  })
  .catch((error) => {
    document
      .getElementById("sentences")
      .replaceChildren(
        element(
          "p",
          {},
          `The sentences could not be unpacked in this browser (${error.message}); report.md holds samples.`,
        ),
      );
  });
