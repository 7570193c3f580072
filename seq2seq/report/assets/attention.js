/** Attention of the systems on one sentence: one source line, and for each system its target words over a heat map. */
class AttentionFigure {
  constructor(place, exhibits) {
    this.sentences = exhibits.attention;
    this.sources = exhibits.sources;
    this.state = { sentence: 0, view: "hypothesis", unit: "words" };
    this.source = element("p", { class: "source-line" });
    this.readout = element("p", { class: "readout", "aria-live": "polite" });
    this.maps = element("div", { class: "maps" });
    const controls = [this.menu("Sentence", "sentence", this.sentences.map((one, i) => [i, this.label(one)]))];
    if (this.sentences.some((one) => Object.values(one.systems).some((shown) => shown.words?.forced)))
      controls.push(this.menu("Target", "view", [["hypothesis", "own translation (beam)"], ["forced", "reference (forced)"]]));
    controls.push(this.menu("Units", "unit", [["words", "words"], ["subwords", "subwords"]]));
    const line = element("div", { class: "line" }, element("span", { class: "label" }, "source"), this.source);
    place.replaceChildren(element("div", { class: "controls" }, ...controls), line, this.readout, this.maps);
    redraws.push(() => this.draw());
    this.draw();
  }

  menu(label, key, options) {
    return choice(label, options, (value) => {
      this.state[key] = value;
      this.draw();
    });
  }

  label(one) {
    const shown = Object.values(one.systems).find((system) => system.words);
    const text = shown ? shown.words.source.filter((word) => word !== "(end)").join(" ") : "";
    return text.length > 60 ? `${text.slice(0, 59)}…` : text;
  }

  async draw() {
    const { systems, picture } = this.sentences[this.state.sentence];
    const names = page.systems.filter((name) => systems[name] && shownSystems.has(name));
    const attending = names.filter((name) => systems[name][this.state.unit]?.[this.state.view]);
    const fixed = names.filter((name) => !attending.includes(name));
    const first = attending.length ? systems[attending[0]][this.state.unit] : { source: [] };
    this.source.className = picture ? "source-picture" : "source-line";
    this.source.style.backgroundImage = picture ? `url(${picture})` : "";
    this.source.style.setProperty("--cells", Math.sqrt(first.source.length));
    const shown = (word) => (picture ? element("span", { title: word }) : element("span", {}, clean(word)));
    this.source.replaceChildren(...first.source.flatMap((word) => [shown(word), " "]));
    this.readout.textContent = "Point at a word of a translation, or reach it with Tab and the arrow keys.";
    const cards = attending.map((name) => this.card(name, systems[name][this.state.unit]));
    const note = fixed.length ? ["Without weights to show here: ", element("b", {}, fixed.join(", ")), "."] : [];
    this.maps.replaceChildren(...cards.map((card) => card.place), element("p", { class: "small soft" }, ...note));
    for (const card of cards) await this.heat(card);
  }

  card(name, shown) {
    const view = shown[this.state.view];
    const bytes = Uint8Array.from(atob(view.weights), (letter) => letter.charCodeAt(0));
    const weight = (row, column) => (bytes[row * shown.source.length + column] ?? 0) / 255;
    const words = element("div", { class: "target-line", role: "toolbar", "aria-label": `Translation by ${name}` });
    const heat = element("div", { class: "heat", tabindex: 0, role: "img", "aria-label": `Heat map of ${name}: rows are target words` });
    const title = element("h3", { style: `--own:${ownColour(name)}` }, name);
    const card = { name, source: shown.source, target: view.target, weight, words, heat };
    card.place = element("article", { class: "map" }, title, words, heat);
    view.target.forEach((word, row) => {
      const light = () => this.light(card, row);
      const events = { onpointerenter: light, onfocus: light, onclick: light };
      const attributes = { type: "button", tabindex: row ? -1 : 0, "aria-pressed": "false", ...events };
      words.append(element("button", attributes, clean(word)), " ");
    });
    words.addEventListener("keydown", (event) => moveFocus(event, [...words.children]));
    return card;
  }

  /** The heat map of one system, its cells as large as the width allows. */
  async heat(card) {
    const { source, target, weight, heat } = card;
    const spec = themed(page.heatmap);
    const values = { source0: source.map(clean), target0: target.map(clean) };
    for (const param of spec.params) param.value = values[param.name] ?? param.value;
    const letters = Math.min(110, 6.5 * Math.max(...values.target0.map((word) => word.length)));
    const step = Math.max(10, Math.min(19, Math.floor((heat.clientWidth - letters - 60) / source.length)));
    spec.width = spec.height = { step };
    if (card.place !== this.maps.firstChild) spec.layer[0].encoding.color.legend = null;
    spec.datasets = {
      cells0: target.flatMap((_word, t) => source.map((_other, s) => ({ s, t, w: Number(weight(t, s).toFixed(3)) }))),
    };
    const { view } = await embed(heat, spec);
    view.addEventListener("pointermove", (_event, item) => {
      if (item?.datum?.t !== undefined) this.light(card, item.datum.t);
    });
  }

  /** Light up the source words that a target word looks at. */
  light(card, row) {
    for (const button of this.maps.querySelectorAll("[aria-pressed=true]")) button.setAttribute("aria-pressed", "false");
    card.words.children[row].setAttribute("aria-pressed", "true");
    [...this.source.children].forEach((word, column) => {
      const weight = card.weight(row, column);
      word.classList.toggle("lit", weight > 0.02);
      word.style.setProperty("--weight", `${Math.round(12 + 60 * weight)}%`);
    });
    const ranked = card.source.map((word, column) => [card.weight(row, column), clean(word)]).filter(([weight]) => weight >= 0.02);
    ranked.sort((a, b) => b[0] - a[0]);
    const looked = ranked.slice(0, 4).map(([weight, word]) => `${word} ${weight.toFixed(2)}`);
    this.readout.textContent = `${card.name}: “${clean(card.target[row])}” looks at ${looked.join(", ") || "nothing in particular"}.`;
  }
}

/** Arrow keys, Home and End move between the words of a line. */
function moveFocus(event, buttons) {
  const at = buttons.indexOf(document.activeElement);
  const place = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 };
  const target = buttons[place[event.key]];
  if (!target) return;
  event.preventDefault();
  for (const button of buttons) button.tabIndex = -1;
  target.tabIndex = 0;
  target.focus();
}

const clean = (word) => word.replace(/^▁/, "") || "␣";
