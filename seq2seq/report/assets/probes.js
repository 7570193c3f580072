/** Exact match on a synthetic probe, by length of the question or word by word by place in the answer. */
function probeFigure(place) {
  const probe = report.probe;
  if (!probe) return;
  const names = systemNames.filter((name) => probe.systems[name]);
  const state = { by: "length" };
  const read = {
    length: {
      label: "answers right in every word, %",
      x: "words of the question",
      points: (scores) =>
        scores.by_length.map((row) => ({
          x: (row.min + row.max) / 2,
          y: 100 * row.exact,
          low: 100 * row.low,
          high: 100 * row.high,
          note: `${row.min}–${row.max} words, n = ${row.n.toLocaleString("en")}`,
        })),
    },
    position: {
      label: "right words, %",
      x: "place in the answer",
      points: (scores) => scores.by_position.map((row) => ({ x: row.position + 1, y: 100 * row.right })),
    },
  };
  const describe = () => {
    const { label, x, points } = read[state.by];
    const series = names.map((name) => ({
      system: name,
      thin: state.by === "position",
      points: points(probe.systems[name]),
    }));
    return {
      label: `${label}, by ${x}`,
      series,
      x: axis(x, spread(series, "x"), 0),
      y: axis(label, [100], 0),
      table: {
        heads: ["system", x, "n", label],
        rows: names.flatMap((name) =>
          state.by === "length"
            ? probe.systems[name].by_length.map((row) => [
                name,
                `${row.min}–${row.max}`,
                String(row.n),
                `${format(100 * row.exact)} [${format(100 * row.low)}, ${format(100 * row.high)}]`,
              ])
            : probe.systems[name].by_position.map((row) => [
                name,
                String(row.position + 1),
                String(row.n),
                format(100 * row.right),
              ]),
        ),
      },
    };
  };
  const chart = new Chart(place, describe, [
    segments(
      "Against",
      [
        ["length", "length of the question"],
        ["position", "place in the answer"],
      ],
      "length",
      (value) => {
        state.by = value;
        chart.draw();
      },
    ),
  ]);
}

/** BLEU of the same short pairs, joined to longer and longer ones. */
function concatenationFigure(place) {
  const found = report.concatenation;
  if (!found) return;
  const names = systemNames.filter((name) => found.systems[name]);
  const describe = () => {
    const series = names
      .map((name) => ({
        system: name,
        points: found.systems[name]
          .filter((p) => known(p.bleu))
          .map((p) => ({
            x: p.joined,
            y: p.bleu,
            low: p.low,
            high: p.high,
            note: `${p.joined} joined, ${format(p.words)} source words, n = ${p.n}`,
          })),
      }))
      .filter((one) => one.points.length);
    return {
      label: "BLEU against the number of pairs joined",
      series,
      x: axis("pairs joined", spread(series, "x"), 0),
      y: axis("BLEU", spread(series, "y"), 0),
      table: {
        heads: ["system", "joined", "source words", "n", "BLEU", "length ratio"],
        rows: names.flatMap((name) =>
          found.systems[name].map((p) => [
            name,
            String(p.joined),
            format(p.words),
            String(p.n),
            known(p.bleu) ? `${format(p.bleu)} [${format(p.low)}, ${format(p.high)}]` : "refused",
            format(p.length_ratio, 2),
          ]),
        ),
      },
    };
  };
  new Chart(place, describe);
}
