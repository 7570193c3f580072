"use strict";
/** Make an element; attributes beginning with "on" are listeners, children are nodes or text (never markup). */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** What the page keeps packed: JSON, compressed, in letters. */
async function unpack(id) {
  const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

let identifiers = 0;
/** A labelled select; options are [value, text], the first one is chosen. */
function choice(label, options, changed) {
  const id = `choice-${++identifiers}`;
  const select = element("select", { id, onchange: () => changed(select.value) });
  for (const [value, text] of options) select.append(element("option", { value }, text));
  return element("div", {}, element("label", { for: id }, label), select);
}

const ownColour = (name) => `var(--system-${page.systems.indexOf(name)})`;

/** Sentences and maps show these systems; of a crowd a reader chooses. */
let page;
const shownSystems = new Set();
const redraws = [];
function chooseSystems() {
  const boxes = page.systems.map((name) => {
    const box = element("input", { type: "checkbox", checked: shownSystems.has(name) });
    box.addEventListener("change", () => {
      if (box.checked) shownSystems.add(name);
      else shownSystems.delete(name);
      for (const redraw of redraws) redraw();
    });
    return element("label", {}, box, ` ${name}`);
  });
  return element("details", { class: "systems" }, element("summary", {}, "Choose systems"), element("div", {}, ...boxes));
}

/** The theme that a reader chose, kept if one is given; none where a page from a disk has no storage. */
function storedTheme(theme) {
  try {
    if (theme) localStorage.setItem("theme", theme);
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}

/** Light, dark, or as the system has it; `changed` is called when what is seen changes. */
function startTheme(changed) {
  const button = document.getElementById("theme"),
    order = ["system", "light", "dark"],
    root = document.documentElement.dataset,
    media = matchMedia("(prefers-color-scheme: dark)");
  const apply = (theme) => {
    if (theme === "system") delete root.theme;
    else root.theme = theme;
    button.textContent = `Theme: ${theme}`;
    changed();
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    const next = order[(order.indexOf(root.theme ?? "system") + 1) % order.length];
    storedTheme(next);
    apply(next);
  });
  media.addEventListener("change", changed);
  if (order.includes(storedTheme())) apply(storedTheme());
  return () => (root.theme ?? (media.matches ? "dark" : "light")) === "dark";
}
