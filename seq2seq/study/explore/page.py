"""The page itself: one file, no network but its own server. Texts are put in as text, never as markup."""

import html
from collections.abc import Sequence

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --heat: 20, 90, 200; }
@media (prefers-color-scheme: dark) { :root { --heat: 110, 170, 255; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1rem; }
form { display: flex; gap: .5rem; flex-wrap: wrap; }
textarea { flex: 1 1 20rem; font: inherit; padding: .4rem; min-height: 2.6rem; }
button { font: inherit; padding: .4rem 1rem; }
section { border-top: 1px solid var(--line); padding: .5rem 0 1rem; }
h2 { font-size: 1rem; margin: .3rem 0; }
.map { overflow-x: auto; }
table { border-collapse: collapse; font-size: .8rem; }
th { font-weight: normal; white-space: pre; padding: 0 .3rem; }
thead th { writing-mode: vertical-rl; text-align: left; }
tbody th { text-align: right; }
td { width: 1.3rem; min-width: 1.3rem; height: 1.3rem; border: 1px solid var(--line); }
td.strong { outline: 2px solid currentColor; }
.note { opacity: .75; font-size: .85rem; }
"""

_SCRIPT = """
const make = (tag, text) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  return node;
};
const answers = document.getElementById("answers"), status = document.getElementById("status");

function heatMap(answer) {
  const table = make("table"), head = table.createTHead().insertRow(), body = table.createTBody();
  head.append(make("td"));
  for (const subword of answer.source) { const cell = make("th", subword); cell.scope = "col"; head.append(cell); }
  answer.weights.forEach((weights, row) => {
    const line = body.insertRow(), label = make("th", answer.target[row]);
    label.scope = "row";
    line.append(label);
    const most = Math.max(...weights);
    weights.forEach((weight, column) => {
      const cell = line.insertCell();
      cell.title = `${answer.target[row]} \\u2190 ${answer.source[column]}: ${weight.toFixed(3)}`;
      cell.style.backgroundColor = `rgba(var(--heat), ${Math.min(1, weight)})`;
      if (weight === most && most > 0) cell.className = "strong";
    });
  });
  const box = make("div");
  box.className = "map";
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", `Attention of ${answer.system}`);
  box.append(table);
  return box;
}

function show(answer) {
  const section = make("section");
  section.append(make("h2", answer.system));
  if (answer.error !== undefined) { section.append(make("p", answer.error)); return section; }
  section.append(make("p", answer.text));
  const cut = answer.truncated ? "; cut at the length limit" : "";
  const blind = answer.weights ? "" : "; fixed vector: no weights";
  const notes = make("p", `log-probability over length penalty ${answer.score}${cut}${blind}`);
  notes.className = "note";
  section.append(notes);
  if (answer.weights) section.append(heatMap(answer));
  return section;
}

document.getElementById("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  status.textContent = "translating";
  try {
    const body = JSON.stringify({ text: document.getElementById("text").value });
    const response = await fetch("/translate", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const found = await response.json();
    answers.replaceChildren(...(found.answers ?? []).map(show));
    status.textContent = found.error ?? "";
  } catch (error) { status.textContent = `the server does not answer (${error.message})`; }
});
"""


def page(systems: Sequence[str], nonce: str) -> str:
    """Return the page.

    Args:
        systems: names that are shown before anything is typed.
        nonce: what the content security policy knows the page's own script and style by.
    """
    names = ", ".join(html.escape(name) for name in systems)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Explore</title>
<style nonce="{nonce}">{_STYLE}</style>
</head>
<body>
<main>
<h1>Explore</h1>
<p>{names}</p>
<form id="ask">
<label for="text">Sentence</label>
<textarea id="text" required></textarea>
<button>Translate</button>
</form>
<p id="status" role="status"></p>
<div id="answers"></div>
<p class="note">Rows are target pieces while they were predicted, columns source pieces; the outlined cell is the heaviest of
its row. Heads are averaged, and of several layers the last is shown.</p>
</main>
<script nonce="{nonce}">{_SCRIPT}</script>
</body>
</html>
"""
