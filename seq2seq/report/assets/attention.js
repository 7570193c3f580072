const clean = (piece) => piece.replace(/^▁/, "") || "␣";

/** One system on one sentence: source and target pieces, and the weights between them as a heat map. */
class AttentionMap {
  constructor(name, shown, view, chosen, room) {
    this.room = room;
    this.name = name;
    this.source = shown.source;
    this.target = view.target;
    this.weights = Uint8Array.from(atob(view.weights), (letter) => letter.charCodeAt(0));
    /** A fixed vector attends to no token. */
    this.attends = this.weights.some((weight) => weight > 0);
    this.chosen = chosen;
    this.sourceLine = element(
      "div",
      { class: "pieces" },
      ...this.source.map((piece, i) =>
        element("span", { class: this.starts(piece, i) ? "start" : null }, clean(piece)),
      ),
    );
    this.targetLine = element(
      "div",
      { class: "pieces", role: "toolbar", "aria-label": `Translation by ${name}: arrow keys move between words` },
      ...this.target.map((piece, row) => this.button(piece, row)),
    );
    this.readout = element("p", { class: "readout", "aria-live": "polite" });
    this.cells =
      this.target.length && this.source.length && this.attends
        ? this.grid()
        : element("p", { class: "soft small fixed" }, "Fixed vector: no weights. The context is the same at every step.");
    this.place = element(
      "article",
      { class: "map", style: `--own:${ownColour(name)}` },
      element("h3", {}, name),
      element("p", { class: "label" }, "source"),
      this.sourceLine,
      element("p", { class: "label" }, "target"),
      this.targetLine,
      this.readout,
      this.cells,
    );
    this.targetLine.addEventListener("keydown", (event) => this.key(event));
  }

  starts(piece, index) {
    return index === 0 || piece.startsWith("▁") || piece === "</s>" || !this.source.some((one) => one.startsWith("▁"));
  }

  weight(row, column) {
    return (this.weights[row * this.source.length + column] ?? 0) / 255;
  }

  button(piece, row) {
    const choose = () => this.chosen(this, row);
    return element(
      "button",
      {
        type: "button",
        tabindex: row ? -1 : 0,
        class: this.starts(piece, row) ? "start" : null,
        "aria-pressed": "false",
        onpointerenter: choose,
        onfocus: choose,
        onclick: choose,
      },
      clean(piece),
    );
  }

  key(event) {
    const buttons = [...this.targetLine.children];
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const target =
      event.key === "Home"
        ? 0
        : event.key === "End"
          ? buttons.length - 1
          : step
            ? buttons.indexOf(document.activeElement) + step
            : null;
    if (target === null || !buttons[target]) return;
    event.preventDefault();
    for (const button of buttons) button.tabIndex = -1;
    buttons[target].tabIndex = 0;
    buttons[target].focus();
  }

  grid() {
    const left = 8 + 5.9 * Math.max(...this.target.map((piece) => Math.min(clean(piece).length, 14)));
    const top = 8 + 5.6 * Math.max(...this.source.map((piece) => Math.min(clean(piece).length, 14)));
    const cell = Math.max(9, Math.min(16, Math.floor((this.room - left - 30) / this.source.length)));
    const font = Math.min(10.5, cell);
    this.cell = cell;
    const width = left + cell * this.source.length + 30,
      height = top + cell * this.target.length + 4;
    const svg = shape("svg", {
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      "font-size": font,
      role: "img",
      "aria-label": `Attention weights of ${this.name}: a row for each target word, a column for each source word`,
    });
    this.source.forEach((piece, column) =>
      svg.append(
        shape(
          "text",
          { transform: `translate(${left + cell * column + cell * 0.7},${top - 5}) rotate(-60)` },
          clean(piece).slice(0, 14),
        ),
      ),
    );
    this.target.forEach((piece, row) => {
      svg.append(
        shape(
          "text",
          { x: left - 5, y: top + cell * row + cell * 0.75, "text-anchor": "end" },
          clean(piece).slice(0, 14),
        ),
      );
      this.source.forEach((_, column) => {
        const weight = this.weight(row, column);
        if (weight > 0.008)
          svg.append(
            shape("rect", {
              x: left + cell * column,
              y: top + cell * row,
              width: cell - 1,
              height: cell - 1,
              rx: 2,
              style: `fill:var(--own);fill-opacity:${weight.toFixed(3)}`,
            }),
          );
      });
    });
    this.outline = shape("rect", {
      class: "chosen",
      x: left - 1.5,
      width: cell * this.source.length + 2,
      height: cell + 2,
      rx: 2,
      visibility: "hidden",
    });
    svg.append(this.outline);
    this.top = top;
    svg.addEventListener("pointermove", (event) => {
      const row = Math.floor((event.offsetY - top) / cell);
      if (row >= 0 && row < this.target.length) this.chosen(this, row);
    });
    return element(
      "div",
      { class: "grid-scroll", tabindex: 0, role: "region", "aria-label": `Heat map of ${this.name}` },
      svg,
    );
  }

  /** Light up what a target word looks at; null puts the light out. */
  light(row) {
    const inside = row !== null && row < this.target.length;
    [...this.targetLine.children].forEach((button, index) =>
      button.setAttribute("aria-pressed", String(inside && index === row)),
    );
    [...this.sourceLine.children].forEach((piece, column) => {
      const weight = inside ? this.weight(row, column) : 0;
      piece.classList.toggle("lit", weight > 0.02);
      piece.style.setProperty("--weight", `${Math.round(10 + 45 * weight)}%`);
    });
    this.outline?.setAttribute("visibility", inside ? "visible" : "hidden");
    if (inside) this.outline?.setAttribute("y", this.top + this.cell * row - 1.5);
    this.readout.textContent = inside ? this.sentence(row) : "Point at a target word.";
  }

  sentence(row) {
    if (!this.attends) return `“${clean(this.target[row])}” looks at no word: fixed vector, no weights.`;
    const ranked = this.source
      .map((piece, column) => [this.weight(row, column), clean(piece)])
      .sort((a, b) => b[0] - a[0])
      .slice(0, 4)
      .filter(([weight]) => weight >= 0.02);
    return `“${clean(this.target[row])}” looks at ${ranked.map(([weight, piece]) => `${piece} ${weight.toFixed(2)}`).join(", ") || "nothing in particular"}.`;
  }
}

function attentionFigure(place, exhibits) {
  const sentences = exhibits.attention;
  const state = { sentence: "0", view: "hypothesis" };
  /** At first the sentence that most systems show and whose length is nearest to 15 words, as in attention.png. */
  const most = Math.max(...sentences.map((one) => Object.keys(one.systems).length));
  const distance = (one) => Math.abs((exhibits.lengths[one.index] ?? 15) - 15);
  const shown = sentences.filter((one) => Object.keys(one.systems).length === most);
  const best = shown.reduce((a, b) => (distance(b) < distance(a) ? b : a), shown[0]);
  state.sentence = String(sentences.indexOf(best));
  const maps = element("div", { class: "maps" });
  /** Width that a map has inside its frame: columns are at least 30rem wide, as in the style sheet. */
  const room = (count) => {
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize),
      gap = rem;
    const columns = Math.max(1, Math.min(count, Math.floor((maps.clientWidth + gap) / (30 * rem + gap))));
    return (maps.clientWidth - gap * (columns - 1)) / columns - 2 * rem - 2;
  };
  const draw = () => {
    const { systems } = sentences[Number(state.sentence)];
    const shown = systemNames.filter((name) => systems[name] && !hidden.has(name));
    const drawn = shown.filter((name) => systems[name][state.view]);
    const all = drawn.map(
      (name) => new AttentionMap(name, systems[name], systems[name][state.view], chosen, room(drawn.length)),
    );
    function chosen(map, row) {
      for (const one of all) one.light(one === map || state.view === "forced" ? row : null);
    }
    const without = systemNames.filter((name) => !systems[name] && !(crowded && hidden.has(name)));
    const note = without.length
      ? [element("p", { class: "small soft" }, "Without weights to show: ", element("b", {}, without.join(", ")), ".")]
      : [];
    if (crowded)
      note.push(
        element("p", { class: "small soft" }, "Maps of the systems in colour; choose others above the figures."),
      );
    maps.replaceChildren(...all.map((map) => map.place), ...note);
    for (const map of all) map.light(null);
  };
  const label = (one) =>
    `${one.index + 1}: ${exhibits.sources ? `${exhibits.sources[one.index]?.slice(0, 48) ?? ""}…` : `${exhibits.lengths[one.index] ?? "?"} source words`}`;
  const controls = [
    choice(
      "Sentence",
      sentences.map((one, i) => [String(i), label(one)]),
      state.sentence,
      (value) => {
        state.sentence = value;
        draw();
      },
    ),
  ];
  if (sentences.some((one) => Object.values(one.systems).some((shown) => shown.forced))) {
    controls.push(
      segments(
        "Target",
        [
          ["hypothesis", "own translation (beam)"],
          ["forced", "reference (forced)"],
        ],
        "hypothesis",
        (value) => {
          state.view = value;
          draw();
        },
      ),
    );
  }
  place.replaceChildren(element("div", { class: "controls" }, ...controls), maps);
  redraws.push(draw);
  let width = 0;
  new ResizeObserver(() => {
    if (maps.clientWidth !== width) {
      width = maps.clientWidth;
      draw();
    }
  }).observe(maps);
}
