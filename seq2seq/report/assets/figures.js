const METRICS = {
  bleu: { label: "BLEU", read: (b) => [b.bleu, b.low, b.high], floor: 0 },
  chrf: { label: "chrF", read: (b) => [b.chrf, b.chrf_low, b.chrf_high], floor: 0 },
  ter: { label: "TER (lower is better)", read: (b) => [b.ter, b.ter_low, b.ter_high], floor: 0 },
  difference: {
    label: "BLEU minus baseline",
    read: (b) => (b.comparison ? [b.comparison.difference, b.comparison.low, b.comparison.high] : [null]),
    floor: 0,
  },
  brevity: { label: "brevity penalty", read: (b) => [b.brevity], floor: 0, digits: 2 },
  length_ratio: { label: "length ratio", read: (b) => [b.length_ratio], digits: 2 },
  repeated: { label: "repeated 4-grams, %", read: (b) => [100 * b.repeated], floor: 0 },
  exact: { label: "equal to the reference, %", read: (b) => [(100 * b.exact) / b.n], floor: 0 },
  empty: { label: "empty, %", read: (b) => [(100 * b.empty) / b.n], floor: 0 },
  truncated: {
    label: "truncated, %",
    read: (b) => [b.truncated === null ? null : (100 * b.truncated) / b.n],
    floor: 0,
  },
};

/** Ends of an axis around values, with a little air; `floor` is kept in view. */
function range(values, floor) {
  const all = known(floor) ? [...values, floor] : values;
  const low = Math.min(...all),
    high = Math.max(...all);
  const air = (high - low || Math.abs(high) || 1) * 0.06;
  return { min: known(floor) && low >= floor ? floor : low - air, max: high + air };
}

function axis(label, values, floor, format) {
  return { label, format, ...(values.length ? range(values, floor) : { min: 0, max: 1 }) };
}

const spread = (series, key) =>
  series
    .flatMap((one) => one.points.flatMap((p) => (key === "x" ? [p.x] : [p.y, p.low, p.high, ...(p.dots ?? [])])))
    .filter(known);

function lengthFigure(place) {
  const state = { metric: "bleu", edges: "buckets" };
  const available = Object.entries(METRICS).filter(([, metric]) =>
    systemNames.some((name) => report.systems[name].buckets.some((b) => known(metric.read(b)[0]))),
  );
  const describe = () => {
    const metric = METRICS[state.metric];
    const series = systemNames
      .map((name) => ({
        system: name,
        points: report.systems[name][state.edges]
          .filter((b) => known(metric.read(b)[0]))
          .map((b) => {
            const [y, low, high] = metric.read(b);
            const dots = state.metric === "bleu" && b.seed_bleu.length > 1 ? b.seed_bleu : [];
            return {
              x: b.mean_length,
              y,
              low,
              high,
              hollow: b.underpowered,
              dots,
              note: `${words(b)} source ${report.length_unit}, n = ${b.n.toLocaleString("en")}`,
            };
          }),
      }))
      .filter((one) => one.points.length);
    const buckets = report.systems[systemNames[0]][state.edges];
    const cell = (b) => {
      const [y, low, high] = metric.read(b);
      return `${format(y, metric.digits ?? 1)}${known(low) ? ` [${format(low, metric.digits ?? 1)}, ${format(high, metric.digits ?? 1)}]` : ""}${b.underpowered ? " †" : ""}`;
    };
    return {
      label: `${metric.label} against source length`,
      digits: metric.digits,
      series,
      x: { ...axis(`source ${report.length_unit}`, spread(series, "x"), 0), min: 0 },
      y: axis(metric.label, spread(series, "y"), metric.floor),
      table: {
        heads: ["system", ...buckets.map((b) => `${words(b)} (n=${b.n})`)],
        rows: systemNames.map((name) => [name, ...report.systems[name][state.edges].map(cell)]),
      },
    };
  };
  const options = available.map(([key, metric]) => [key, metric.label]);
  const chart = new Chart(place, describe, [
    choice("Metric", options, "bleu", (value) => {
      state.metric = value;
      chart.draw();
    }),
    segments(
      "Bucket edges",
      [
        ["buckets", "fixed"],
        ["buckets_equal_count", "equal count"],
      ],
      "buckets",
      (value) => {
        state.edges = value;
        chart.draw();
      },
    ),
  ]);
}

const CURVES = {
  bleu: ["BLEU (greedy)", 0, 1],
  bleu_longest: ["BLEU, longest sentences", 0, 1],
  loss: ["loss, nats per token", null, 3],
  perplexity: ["perplexity", null, 2],
  token_accuracy: ["token accuracy", 0, 3],
  training: ["training loss, nats per token", null, 3],
};

function learningFigure(place) {
  const curves = systemNames.flatMap((name) => (report.learning_curves[name] ?? []).map((curve) => ({ name, curve })));
  const has = (key) =>
    curves.some(({ curve }) =>
      key === "training" ? curve.training.length : curve.validation.some((p) => known(p[key])),
    );
  const available = Object.keys(CURVES).filter(has);
  if (!available.length) {
    place.replaceChildren(element("p", {}, "These runs left no log."));
    return;
  }
  const axes = { step: ["updates", 1], tokens: ["target tokens", 1], seconds: ["minutes", 1 / 60] };
  const state = { y: available[0], x: "step" };
  const describe = () => {
    const [label, floor, digits] = CURVES[state.y];
    const [xLabel, unit] = axes[state.y === "training" ? "step" : state.x];
    const points = (curve) =>
      state.y === "training"
        ? curve.training.map(([x, y]) => ({ x, y }))
        : curve.validation
            .filter((p) => known(p[state.y]) && known(p[state.x]))
            .map((p) => ({ x: p[state.x] * unit, y: p[state.y] }));
    const series = curves
      .map(({ name, curve }) => ({
        system: name,
        name: `${name} seed ${curve.seed}`,
        thin: true,
        points: points(curve),
      }))
      .filter((one) => one.points.length);
    return {
      label: `${label} against ${xLabel}`,
      digits,
      series,
      x: axis(xLabel, spread(series, "x"), 0),
      y: axis(label, spread(series, "y"), floor),
      table: {
        heads: ["run", xLabel, label],
        rows: series.flatMap((one) =>
          one.points
            .filter((_, i) => one.points.length < 30 || i % 10 === 0)
            .map((p) => [one.name, compact(p.x), format(p.y, digits)]),
        ),
      },
    };
  };
  const chart = new Chart(place, describe, [
    choice(
      "Curve",
      available.map((key) => [key, CURVES[key][0]]),
      state.y,
      (value) => {
        state.y = value;
        chart.draw();
      },
    ),
    choice(
      "Against",
      Object.entries(axes)
        .filter(([key]) => has(key))
        .map(([key, [label]]) => [key, label]),
      "step",
      (value) => {
        state.x = value;
        chart.draw();
      },
    ),
  ]);
}

function costFigure(place) {
  const cost = (name, key) => report.costs?.[name]?.[key];
  const axes = {
    parameters: ["parameters", (name) => report.systems[name].parameters],
    seconds: [
      "training minutes",
      (name) => (known(report.systems[name].seconds) ? report.systems[name].seconds / 60 : null),
    ],
    tokens: ["training tokens", (name) => report.systems[name].target_tokens],
    speed: ["training tokens per second (more is better)", (name) => cost(name, "training_tokens_per_second"), true],
    decoding: ["decoding, ms per sentence", (name) => cost(name, "ms_per_sentence")],
    flops: ["FLOPs per target token", (name) => cost(name, "flops_per_token")],
  };
  const available = Object.keys(axes).filter((key) => systemNames.some((name) => known(axes[key][1](name))));
  if (!available.length) {
    place.replaceChildren(element("p", {}, "These runs recorded no cost."));
    return;
  }
  const state = { x: available.includes("decoding") ? "decoding" : available[0] };
  const describe = () => {
    const [label, read, more] = axes[state.x];
    const series = systemNames
      .filter((name) => known(read(name)))
      .map((name) => {
        const { bleu, low, high } = report.systems[name];
        return {
          system: name,
          line: false,
          whiskers: true,
          points: [{ x: read(name), y: bleu, low, high, note: `${name}: ${label} ${compact(read(name))}` }],
        };
      });
    const shown = series.filter((one) => crowded || !hidden.has(one.system)).map((one) => one.points[0]);
    const beats = (a, b) => (more ? a.x >= b.x : a.x <= b.x) && a.y >= b.y && (a.x !== b.x || a.y !== b.y);
    const front = shown.filter((p) => !shown.some((q) => beats(q, p))).sort((a, b) => a.x - b.x);
    return {
      label: `BLEU against ${label}`,
      series,
      front: front.length > 1 ? front : null,
      x: axis(label, spread(series, "x")),
      y: axis("BLEU", spread(series, "y"), 0),
      table: {
        heads: ["system", label, "BLEU"],
        rows: series.map((one) => [
          one.system,
          compact(one.points[0].x),
          `${format(one.points[0].y)}${known(one.points[0].low) ? ` [${format(one.points[0].low)}, ${format(one.points[0].high)}]` : ""}`,
        ]),
      },
    };
  };
  const chart = new Chart(place, describe, [
    choice(
      "Cost",
      available.map((key) => [key, axes[key][0]]),
      state.x,
      (value) => {
        state.x = value;
        chart.draw();
      },
    ),
  ]);
}

function costByLengthFigure(place) {
  const kinds = { ms_per_sentence: ["decoding, ms per sentence", 1], peak_bytes: ["peak memory, MiB", 1 / 2 ** 20] };
  const rows = (name) => report.costs?.[name]?.by_length ?? [];
  const available = Object.keys(kinds).filter((key) =>
    systemNames.some((name) => rows(name).some((row) => known(row[key]))),
  );
  if (!available.length) return;
  const state = { y: available[0] };
  const describe = () => {
    const [label, unit] = kinds[state.y];
    const series = systemNames
      .map((name) => ({
        system: name,
        points: rows(name)
          .filter((row) => known(row[state.y]))
          .map((row) => ({ x: row.length, y: row[state.y] * unit })),
      }))
      .filter((one) => one.points.length);
    return {
      label: `${label} against source length`,
      series,
      digits: 2,
      x: axis(`source ${report.length_unit}`, spread(series, "x"), 0),
      y: axis(label, spread(series, "y"), 0),
      table: {
        heads: ["system", `source ${report.length_unit}`, label],
        rows: series.flatMap((one) => one.points.map((p) => [one.system, String(p.x), format(p.y, 2)])),
      },
    };
  };
  const title = element("h3", {}, "Cost against sentence length"),
    body = element("div");
  place.replaceChildren(title, body);
  place.hidden = false;
  const chart = new Chart(body, describe, [
    choice(
      "Cost",
      available.map((key) => [key, kinds[key][0]]),
      state.y,
      (value) => {
        state.y = value;
        chart.draw();
      },
    ),
  ]);
}

function beamFigure(place) {
  const sweep = report.beam_sweep;
  if (!sweep) return;
  const describe = () => {
    const series = Object.entries(sweep.systems)
      .filter(([name]) => systemNames.includes(name))
      .flatMap(([name, points]) =>
        [...new Set(points.map((p) => p.length_penalty))].map((penalty) => ({
          system: name,
          name: `${name}, length penalty ${penalty}`,
          thin: true,
          points: points
            .filter((p) => p.length_penalty === penalty)
            .sort((a, b) => a.beam - b.beam)
            .map((p) => ({ x: p.beam, y: p.bleu })),
        })),
      );
    return {
      label: `BLEU on ${sweep.split} against beam size`,
      series,
      digits: 2,
      x: axis("beam", spread(series, "x"), 0),
      y: axis("BLEU", spread(series, "y")),
      table: {
        heads: ["system", "beam", "length penalty", "BLEU", "chosen"],
        rows: Object.entries(sweep.systems).flatMap(([name, points]) =>
          points.map((p) => [name, String(p.beam), String(p.length_penalty), format(p.bleu, 2), p.chosen ? "yes" : ""]),
        ),
      },
    };
  };
  const body = element("div");
  place.replaceChildren(element("h3", {}, `Beam and length penalty, on ${sweep.split}`), body);
  place.hidden = false;
  new Chart(body, describe);
}
