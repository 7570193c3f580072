const PAGE_SIZE = 5;

/** For each word of a hypothesis the order (0 to 4) of the longest n-gram around it that the reference has too. */
function matches(hypothesis, reference) {
  const orders = hypothesis.map(() => 0);
  for (let order = 1; order <= 4; order++) {
    const grams = new Set();
    for (let i = 0; i + order <= reference.length; i++) grams.add(reference.slice(i, i + order).join(" "));
    for (let i = 0; i + order <= hypothesis.length; i++)
      if (grams.has(hypothesis.slice(i, i + order).join(" "))) orders.fill(order, i, i + order);
  }
  return orders;
}

function markedText(line, reference) {
  if (!line.trim()) return [element("span", { class: "soft" }, "(empty)")];
  if (reference === null) return [line];
  const parts = line.split(/\s+/).filter(Boolean);
  const orders = matches(parts, reference.split(/\s+/).filter(Boolean));
  const nodes = [];
  for (let i = 0; i < parts.length; ) {
    let end = i;
    while (end < parts.length && orders[end] === orders[i]) end++;
    const text = parts.slice(i, end).join(" ");
    nodes.push(orders[i] ? element("mark", { class: `n${orders[i]}` }, text) : text, " ");
    i = end;
  }
  return nodes;
}

class Translations {
  constructor(place, exhibits) {
    this.exhibits = exhibits;
    this.state = { search: "", bucket: "all", order: "difference", seed: "0", shown: PAGE_SIZE };
    this.status = element("p", { class: "small soft", role: "status" });
    this.list = element("div");
    const grow = () => {
      this.state.shown += 4 * PAGE_SIZE;
      this.draw();
    };
    this.more = element("button", { type: "button", class: "more", onclick: grow }, "Show more");
    const crowded = page.focus.length < page.systems.length ? [chooseSystems()] : [];
    const controls = element("div", { class: "controls" }, ...this.controls());
    place.replaceChildren(controls, ...crowded, this.status, this.list, this.more);
    redraws.push(() => this.draw());
    this.draw();
  }

  change(key) {
    return (value) => {
      this.state[key] = value;
      this.state.shown = PAGE_SIZE;
      this.draw();
    };
  }

  controls() {
    const search = element("input", { type: "search", id: "search", autocomplete: "off" });
    search.addEventListener("input", () => this.change("search")(search.value));
    const words = ({ min, max }) => `${max === null ? `${min}+` : `${min}–${max}`} ${page.unit}`;
    const buckets = page.buckets.map((bucket, index) => [String(index), words(bucket)]);
    const orders = [["difference", "largest difference first"], ["corpus", "as in the corpus"], ["long", "longest first"]];
    for (const name of page.systems)
      if (page.baseline && name !== page.baseline)
        for (const way of ["ahead of", "behind"]) orders.push([`${way}:${name}`, `${name} furthest ${way} ${page.baseline}`]);
    const counts = page.systems.map((name) => this.exhibits.outputs.filter((output) => output.system === name).length);
    const seeds = Array.from({ length: Math.max(...counts) }, (_, i) => [String(i), i ? `seed no. ${i + 1}` : "first seed"]);
    return [
      element("div", {}, element("label", { for: "search" }, "Search"), search),
      choice("Source length", [["all", "all"], ...buckets], this.change("bucket")),
      choice("Order", orders, this.change("order")),
      ...(seeds.length > 1 ? [choice("Seed", seeds, this.change("seed"))] : []),
    ];
  }

  /** The outputs to show: each system's chosen seed, or its first where it has no such seed. */
  outputs() {
    return page.systems
      .filter((name) => shownSystems.has(name))
      .flatMap((name) => {
        const own = this.exhibits.outputs.filter((output) => output.system === name);
        return own.length ? [own[Number(this.state.seed)] ?? own[0]] : [];
      });
  }

  chosen(outputs) {
    const { lengths, sources, references } = this.exhibits;
    const needle = this.state.search.trim().toLocaleLowerCase();
    const bucket = page.buckets[this.state.bucket] ?? { min: 0, max: null };
    const found = lengths.flatMap((length, i) => {
      if (length < bucket.min || (bucket.max !== null && length > bucket.max)) return [];
      const texts = [sources?.[i], references?.[i], ...outputs.map((output) => output.lines[i])];
      return !needle || texts.some((text) => text?.toLocaleLowerCase().includes(needle)) ? [i] : [];
    });
    const rank = this.rank(outputs);
    return rank ? found.sort((a, b) => rank(b) - rank(a) || a - b) : found;
  }

  rank(outputs) {
    const [order, name] = this.state.order.split(/:(.*)/s);
    const score = (system, i) => this.exhibits.outputs.find((output) => output.system === system)?.scores[i] ?? 0;
    const scores = (i) => outputs.map((output) => output.scores[i]);
    return {
      corpus: null,
      long: (i) => this.exhibits.lengths[i],
      difference: (i) => Math.max(...scores(i)) - Math.min(...scores(i)),
      "ahead of": (i) => score(name, i) - score(page.baseline, i),
      behind: (i) => score(page.baseline, i) - score(name, i),
    }[order];
  }

  draw() {
    const outputs = this.outputs(),
      found = this.chosen(outputs);
    const shown = found.slice(0, this.state.shown);
    const counts = `${found.length.toLocaleString("en")} of ${this.exhibits.lengths.length.toLocaleString("en")} sentences`;
    const metric = this.exhibits.metric === "chrf" ? "chrF" : "BLEU";
    this.status.textContent = `${counts}, ${shown.length} shown. Scores are sentence ${metric}.`;
    this.list.replaceChildren(...shown.map((index) => this.card(index, outputs)));
    this.more.hidden = shown.length >= found.length;
  }

  card(index, outputs) {
    const { sources, references, lengths } = this.exhibits;
    const rows = element("dl");
    const add = (term, ...text) => rows.append(element("dt", {}, ...term), element("dd", {}, ...text));
    if (sources) add(["source"], sources[index]);
    if (references) add(["reference"], references[index]);
    for (const output of outputs) {
      const name = element("b", { style: `--own:${ownColour(output.system)}` }, output.system);
      const seed = page.single.includes(output.system) ? null : `, seed ${output.seed}`;
      add([name, ` ${output.scores[index]}`, seed], ...markedText(output.lines[index], references ? references[index] : null));
    }
    const title = element("h3", {}, `Sentence ${index + 1} · ${lengths[index]} source ${page.unit}`);
    return element("article", { class: "card" }, title, rows);
  }
}
