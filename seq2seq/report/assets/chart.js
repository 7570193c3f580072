/** Marker of a system, as a path around 0, 0; names are matplotlib's, so that paper and page agree. */
const MARKS = {
  o: "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0",
  s: "M-3.6,-3.6h7.2v7.2h-7.2z",
  "^": "M0,-4.6L4.4,3.4H-4.4z",
  v: "M0,4.6L4.4,-3.4H-4.4z",
  D: "M0,-4.8L4.8,0L0,4.8L-4.8,0z",
  P: "M-1.6,-4.4h3.2v2.8h2.8v3.2h-2.8v2.8h-3.2v-2.8h-2.8v-3.2h2.8z",
  X: "M-4.2,-2.2L-2.2,-4.2L0,-2L2.2,-4.2L4.2,-2.2L2,0L4.2,2.2L2.2,4.2L0,2L-2.2,4.2L-4.2,2.2L-2,0z",
  p: "M0,-4.6L4.4,-1.4L2.7,3.8H-2.7L-4.4,-1.4z",
  h: "M0,-4.6L4,-2.3V2.3L0,4.6L-4,2.3V-2.3z",
};

function mark(name, x, y, hollow = false) {
  const colour = ownColour(name);
  const style = hollow ? `stroke:${colour};stroke-width:1.6` : `fill:${colour}`;
  return shape("path", {
    d: MARKS[marker(name)] ?? MARKS.o,
    transform: `translate(${x},${y})`,
    style,
    class: hollow ? "hollow" : null,
  });
}

/** Letters of a name beside its line. */
const LONGEST_NAME = 24;

/** Round steps that cover a range with about `count` of them. */
function ticks(low, high, count) {
  const raw = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw - 1e-12);
  const found = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step)
    found.push(Math.abs(tick) < step * 1e-9 ? 0 : tick);
  return found;
}

/** Legend whose buttons switch a system off in all figures; that of a crowd is folded away. */
function legend() {
  const list = element("ul", { class: "legend", "aria-label": "Systems shown" });
  const summary = element("summary");
  const update = () => {
    summary.textContent = `${systemNames.length - hidden.size} of ${systemNames.length} systems in colour, the others in grey: choose`;
    for (const button of list.querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.system)));
  };
  for (const name of systemNames) {
    const key = shape(
      "svg",
      { width: 22, height: 12, viewBox: "-11 -6 22 12", "aria-hidden": "true" },
      shape("path", { d: "M-10,0H10", style: `stroke:${ownColour(name)};stroke-width:2` }),
      mark(name, 0, 0),
    );
    const label = report.systems[name].single_seed ? `${name} (n=1 seed)` : name;
    list.append(
      element(
        "li",
        {},
        element("button", { type: "button", "data-system": name, onclick: () => toggle(name) }, key, label),
      ),
    );
  }
  redraws.push(update);
  update();
  return crowded ? element("details", {}, summary, list) : list;
}

/**
 * A figure with axes that can be read with the pointer and with the arrow keys.
 * `describe()` gives { label, x, y, series, front, table }: axes {label, min, max, format}, series
 * [{system, name, points: [{x, y, low, high, hollow, dots, note}], line, thin, whiskers}], table {heads, rows}.
 */
class Chart {
  constructor(place, describe, controls = []) {
    this.describe = describe;
    this.at = null;
    this.plot = element("div", { class: "plot", tabindex: 0, role: "group" });
    this.readout = element("p", { class: "readout", "aria-live": "polite" });
    this.numbers = element("div");
    const details = element("details", {}, element("summary", {}, "Numbers behind this figure"), this.numbers);
    const row = controls.length ? element("div", { class: "controls" }, ...controls) : null;
    place.replaceChildren(...[row, legend(), element("figure", {}, this.plot, this.readout), details].filter(Boolean));
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => this.show(null));
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.plot.addEventListener("blur", () => this.show(null));
    redraws.push(() => this.draw());
    new ResizeObserver(() => {
      if (this.plot.clientWidth !== this.width) this.draw();
    }).observe(this.plot);
  }

  draw() {
    this.width = this.plot.clientWidth;
    const drawn = this.describe();
    const rest = crowded ? drawn.series.filter((series) => hidden.has(series.system)) : [];
    drawn.series = drawn.series.filter((series) => !hidden.has(series.system));
    this.drawn = drawn;
    const narrow = this.width < 560;
    const width = Math.max(280, this.width - 18),
      height = Math.min(400, Math.max(240, width * 0.52));
    const letters = Math.max(0, ...drawn.series.map((series) => Math.min(series.system.length, LONGEST_NAME)));
    const right = narrow || drawn.unlabelled ? 14 : Math.max(80, 18 + 7.6 * letters);
    const box = { left: 52, right: width - right, top: 14, bottom: height - 44 };
    this.x = (value) => box.left + ((value - drawn.x.min) / (drawn.x.max - drawn.x.min || 1)) * (box.right - box.left);
    this.y = (value) =>
      box.bottom - ((value - drawn.y.min) / (drawn.y.max - drawn.y.min || 1)) * (box.bottom - box.top);
    this.box = box;
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": drawn.label });
    svg.append(this.axes(drawn, box, height, narrow));
    svg.append(...rest.map((series) => this.restShape(series)));
    if (drawn.front) svg.append(shape("path", { class: "front", d: this.path(drawn.front) }));
    svg.append(
      ...drawn.series.map((series) => this.band(series)),
      ...drawn.series.map((series) => this.seriesShape(series)),
    );
    if (!narrow && !drawn.unlabelled) svg.append(this.names(drawn.series, box));
    this.guide = shape("g");
    svg.append(this.guide);
    this.scale = width;
    this.plot.replaceChildren(svg);
    this.plot.setAttribute("aria-label", `${drawn.label}. Left and right arrow keys read values.`);
    this.columns = [...new Set(drawn.series.flatMap((series) => series.points.map((point) => point.x)))].sort(
      (a, b) => a - b,
    );
    this.show(null);
    this.numbers.replaceChildren(numbersTable(drawn.table, drawn.label));
  }

  axes(drawn, box, height, narrow) {
    const group = shape("g", { "aria-hidden": "true" });
    for (const tick of ticks(drawn.y.min, drawn.y.max, 5)) {
      group.append(
        shape("path", { class: tick === 0 ? "zero" : "grid", d: `M${box.left},${this.y(tick)}H${box.right}` }),
      );
      group.append(
        shape(
          "text",
          { x: box.left - 8, y: this.y(tick) + 4, "text-anchor": "end" },
          (drawn.y.format ?? compact)(tick),
        ),
      );
    }
    for (const tick of ticks(drawn.x.min, drawn.x.max, narrow ? 4 : 7)) {
      group.append(shape("path", { class: "grid", d: `M${this.x(tick)},${box.bottom}v5` }));
      group.append(
        shape(
          "text",
          { x: this.x(tick), y: box.bottom + 19, "text-anchor": "middle" },
          (drawn.x.format ?? compact)(tick),
        ),
      );
    }
    group.append(
      shape("text", { x: (box.left + box.right) / 2, y: height - 6, "text-anchor": "middle" }, drawn.x.label),
    );
    group.append(
      shape(
        "text",
        { transform: `translate(12,${(box.top + box.bottom) / 2}) rotate(-90)`, "text-anchor": "middle" },
        drawn.y.label,
      ),
    );
    return group;
  }

  path(points) {
    return points
      .map((point, index) => `${index ? "L" : "M"}${this.x(point.x).toFixed(1)},${this.y(point.y).toFixed(1)}`)
      .join("");
  }

  /** Intervals as an area, under all lines. */
  band(series) {
    const banded = series.points.filter((point) => known(point.low));
    if (banded.length < 2 || series.whiskers) return shape("g");
    const edge = [
      ...banded.map((p) => ({ x: p.x, y: p.high })),
      ...banded.map((p) => ({ x: p.x, y: p.low })).reverse(),
    ];
    return shape("path", { class: "band", d: `${this.path(edge)}z`, style: `fill:${ownColour(series.system)}` });
  }

  /** A system of a crowd that is not in colour. */
  restShape(series) {
    const group = shape("g", { class: "rest", "aria-hidden": "true" });
    if (series.line === false)
      for (const point of series.points)
        group.append(shape("circle", { cx: this.x(point.x), cy: this.y(point.y), r: 2.5 }));
    else group.append(shape("path", { d: this.path(series.points) }));
    return group;
  }

  seriesShape(series) {
    const group = shape("g"),
      colour = ownColour(series.system);
    if (series.whiskers)
      for (const p of series.points.filter((point) => known(point.low)))
        group.append(
          shape("path", {
            class: "whisker",
            style: `stroke:${colour}`,
            d: `M${this.x(p.x)},${this.y(p.low)}V${this.y(p.high)}`,
          }),
        );
    if (series.line !== false)
      group.append(
        shape("path", {
          class: series.thin ? "line thin" : "line",
          style: `stroke:${colour}`,
          d: this.path(series.points),
        }),
      );
    for (const point of series.points) {
      for (const dot of point.dots ?? [])
        group.append(
          shape("circle", { cx: this.x(point.x), cy: this.y(dot), r: 1.6, style: `fill:${colour}`, opacity: 0.6 }),
        );
      if (!series.thin || series.points.length < 12)
        group.append(mark(series.system, this.x(point.x), this.y(point.y), point.hollow));
    }
    return group;
  }

  /** Names at the right ends of the lines, pushed apart where they would overlap. */
  names(series, box) {
    const group = shape("g", { "aria-hidden": "true" });
    const ends = new Map();
    for (const one of series)
      if (one.points.length && !ends.has(one.system))
        ends.set(one.system, { name: one.system, y: this.y(one.points.at(-1).y) });
    const placed = [...ends.values()].sort((a, b) => a.y - b.y);
    placed.forEach((end, index) => {
      if (index) end.y = Math.max(end.y, placed[index - 1].y + 15);
    });
    const over = placed.length ? placed.at(-1).y - box.bottom : 0;
    for (const end of placed) {
      const text = end.name.length > LONGEST_NAME ? `${end.name.slice(0, LONGEST_NAME - 1)}…` : end.name;
      group.append(
        shape(
          "text",
          { class: "name", x: box.right + 10, y: end.y - Math.max(0, over) + 4, style: `fill:${ownColour(end.name)}` },
          text,
        ),
      );
    }
    return group;
  }

  point(event) {
    const bounds = this.plot.querySelector("svg").getBoundingClientRect();
    const x = ((event.clientX - bounds.left) / bounds.width) * this.scale;
    const nearest = this.columns.reduce(
      (best, column) => (Math.abs(this.x(column) - x) < Math.abs(this.x(best) - x) ? column : best),
      this.columns[0],
    );
    this.show(nearest ?? null);
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") this.show(null);
    if (!step || !this.columns.length) return;
    event.preventDefault();
    const index = this.at === null ? (step > 0 ? -1 : this.columns.length) : this.columns.indexOf(this.at);
    this.show(this.columns[Math.min(this.columns.length - 1, Math.max(0, index + step))]);
  }

  /** Show the values at a place on the x axis, or the hint if there is none. */
  show(column) {
    this.at = column;
    this.guide.replaceChildren();
    if (column === null) {
      this.readout.textContent = "Point at the figure, or focus it and use the arrow keys, to read values.";
      return;
    }
    this.guide.append(shape("path", { class: "guide", d: `M${this.x(column)},${this.box.top}V${this.box.bottom}` }));
    const found = this.drawn.series.flatMap((series) =>
      series.points.filter((point) => point.x === column).map((point) => ({ series, point })),
    );
    const heading =
      found.find(({ point }) => point.note)?.point.note ??
      `${this.drawn.x.label}: ${(this.drawn.x.format ?? compact)(column)}`;
    const values = found.map(({ series, point }) =>
      element(
        "span",
        { class: "value", style: `--own:${ownColour(series.system)}` },
        element("span", { class: "swatch" }),
        `${series.name ?? series.system} `,
        element("b", {}, format(point.y, this.drawn.digits ?? 1)),
        known(point.low)
          ? ` [${format(point.low, this.drawn.digits ?? 1)}, ${format(point.high, this.drawn.digits ?? 1)}]`
          : "",
        point.hollow ? " underpowered" : "",
      ),
    );
    this.readout.replaceChildren(element("b", {}, heading), " ", ...values);
  }
}

function numbersTable({ heads, rows }, label) {
  const table = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element(
      "tbody",
      {},
      ...rows.map((row) =>
        element(
          "tr",
          {},
          ...row.map((value, index) => element(index ? "td" : "th", index ? {} : { scope: "row" }, value)),
        ),
      ),
    ),
  );
  return element("div", { class: "scroll", role: "region", "aria-label": `Numbers: ${label}`, tabindex: 0 }, table);
}
