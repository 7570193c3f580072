const PAGE_SIZE = 20;

/** For each word of a hypothesis the order (0 to 4) of the longest n-gram around it that the reference has too. */
function matches(hypothesis, reference) {
  const orders = hypothesis.map(() => 0);
  for (let order = 1; order <= 4; order++) {
    const grams = new Set();
    for (let i = 0; i + order <= reference.length; i++) grams.add(reference.slice(i, i + order).join(" "));
    for (let i = 0; i + order <= hypothesis.length; i++) {
      if (grams.has(hypothesis.slice(i, i + order).join(" "))) orders.fill(order, i, i + order);
    }
  }
  return orders;
}

function markedText(line, reference) {
  if (!line.trim()) return [element("span", { class: "soft" }, "(empty)")];
  if (reference === null) return [line];
  const parts = line.split(/\s+/).filter(Boolean);
  const orders = matches(parts, reference.split(/\s+/).filter(Boolean));
  const nodes = [];
  for (let i = 0; i < parts.length;) {
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
    this.count = exhibits.lengths.length;
    this.state = { search: "", bucket: "all", order: "corpus", seed: "0", shown: PAGE_SIZE };
    this.status = element("p", { class: "small soft", role: "status" });
    this.list = element("div");
    this.more = element(
      "button",
      {
        type: "button",
        class: "more",
        onclick: () => {
          this.state.shown += PAGE_SIZE;
          this.draw();
        },
      },
      "Show more",
    );
    place.replaceChildren(element("div", { class: "controls" }, ...this.controls()), this.status, this.list, this.more);
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
    const search = element("input", {
      type: "search",
      id: "search",
      oninput: () => this.change("search")(search.value),
      autocomplete: "off",
    });
    const buckets = report.systems[systemNames[0]].buckets.map((bucket, index) => [
      String(index),
      `${words(bucket)} words`,
    ]);
    const orders = [
      ["corpus", "as in the corpus"],
      ["difference", "largest difference first"],
      ["long", "longest first"],
    ];
    for (const name of systemNames)
      if (report.baseline && name !== report.baseline)
        orders.push(
          [`ahead:${name}`, `${name} furthest ahead of ${report.baseline}`],
          [`behind:${name}`, `${name} furthest behind ${report.baseline}`],
        );
    const seeds = Math.max(
      ...systemNames.map((name) => this.exhibits.outputs.filter((output) => output.system === name).length),
    );
    const found = [
      element("div", {}, element("label", { for: "search" }, "Search"), search),
      choice("Source length", [["all", "all"], ...buckets], "all", this.change("bucket")),
      choice("Order", orders, "corpus", this.change("order")),
    ];
    if (seeds > 1)
      found.push(
        choice(
          "Seed",
          Array.from({ length: seeds }, (_, i) => [String(i), i ? `seed no. ${i + 1}` : "first seed"]),
          "0",
          this.change("seed"),
        ),
      );
    return found;
  }

  /** The outputs to show: each system's chosen seed, or its first where it has no such seed. */
  outputs() {
    return systemNames
      .filter((name) => !hidden.has(name))
      .flatMap((name) => {
        const own = this.exhibits.outputs.filter((output) => output.system === name);
        return own.length ? [own[Number(this.state.seed)] ?? own[0]] : [];
      });
  }

  chosen(outputs) {
    const { exhibits, state } = this;
    const needle = state.search.trim().toLocaleLowerCase();
    const bucket = state.bucket === "all" ? null : report.systems[systemNames[0]].buckets[Number(state.bucket)];
    const found = [];
    for (let i = 0; i < this.count; i++) {
      const length = exhibits.lengths[i];
      if (bucket && (length < bucket.min || (bucket.max !== null && length > bucket.max))) continue;
      const texts = [exhibits.sources?.[i], exhibits.references?.[i], ...outputs.map((output) => output.lines[i])];
      if (needle && !texts.some((text) => text?.toLocaleLowerCase().includes(needle))) continue;
      found.push(i);
    }
    const rank = this.rank(outputs);
    return rank ? found.sort((a, b) => rank(b) - rank(a) || a - b) : found;
  }

  rank(outputs) {
    const [order, name] = this.state.order.split(/:(.*)/s);
    const score = (system, i) => outputs.find((output) => output.system === system)?.scores[i] ?? 0;
    return {
      corpus: null,
      long: (i) => this.exhibits.lengths[i],
      difference: (i) =>
        Math.max(...outputs.map((output) => output.scores[i])) - Math.min(...outputs.map((output) => output.scores[i])),
      ahead: (i) => score(name, i) - score(report.baseline, i),
      behind: (i) => score(report.baseline, i) - score(name, i),
    }[order];
  }

  draw() {
    const outputs = this.outputs(),
      found = this.chosen(outputs);
    const shown = found.slice(0, this.state.shown);
    this.status.textContent = `${found.length.toLocaleString("en")} of ${this.count.toLocaleString("en")} sentences, ${shown.length} shown. Scores are sentence ${this.exhibits.metric === "chrf" ? "chrF" : "BLEU"}.`;
    this.list.replaceChildren(...shown.map((index) => this.card(index, outputs)));
    this.more.hidden = shown.length >= found.length;
  }

  card(index, outputs) {
    const { sources, references, lengths } = this.exhibits;
    const rows = element("dl");
    if (sources) rows.append(element("dt", {}, "source"), element("dd", {}, sources[index]));
    if (references) rows.append(element("dt", {}, "reference"), element("dd", {}, references[index]));
    for (const output of outputs) {
      const name = element("b", { style: `--own:${ownColour(output.system)}` }, output.system);
      rows.append(
        element(
          "dt",
          {},
          name,
          ` ${output.scores[index]}`,
          report.systems[output.system].single_seed ? null : `, seed ${output.seed}`,
        ),
        element("dd", {}, ...markedText(output.lines[index], references ? references[index] : null)),
      );
    }
    return element(
      "article",
      { class: "card" },
      element("h3", {}, `Sentence ${index + 1} · ${lengths[index]} source words`),
      rows,
    );
  }
}
