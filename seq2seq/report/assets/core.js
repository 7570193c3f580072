"use strict";
const page = JSON.parse(document.getElementById("report-data").textContent);
const report = page.report;
const systemNames = Object.keys(report.systems);
const ownColour = (name) => `var(--system-${systemNames.indexOf(name)})`;
const marker = (name) => page.markers[systemNames.indexOf(name)];

/** Make an element; attributes beginning with "on" are listeners, children are nodes or text (never markup). */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  fill(made, attributes, children);
  return made;
}

function shape(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(made, attributes, children);
  return made;
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
}

function format(value, digits = 1) {
  if (!known(value) || Number.isNaN(value)) return "–";
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
}

function compact(value) {
  const size = Math.abs(value);
  for (const [unit, letter] of [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ]) {
    if (size >= unit) return `${+(value / unit).toPrecision(3)}${letter}`;
  }
  return String(+value.toPrecision(3)).replace("-", "−");
}

const known = (value) => value !== null && value !== undefined;
const words = (bucket) =>
  bucket.max === null ? `${bucket.min}+` : bucket.min === bucket.max ? `${bucket.min}` : `${bucket.min}–${bucket.max}`;

let identifiers = 0;
/** A labelled select; options are [value, text]. */
function choice(label, options, chosen, changed) {
  const id = `choice-${++identifiers}`;
  const select = element("select", { id, onchange: () => changed(select.value) });
  for (const [value, text] of options) select.append(element("option", { value, selected: value === chosen }, text));
  return element("div", {}, element("label", { for: id }, label), select);
}

/** A labelled row of radio buttons that looks like one switch. */
function segments(label, options, chosen, changed) {
  const name = `segments-${++identifiers}`;
  const row = element("div", { class: "segments" });
  for (const [value, text] of options) {
    const input = element("input", {
      type: "radio",
      name,
      value,
      checked: value === chosen,
      onchange: () => changed(value),
    });
    row.append(element("label", {}, input, text));
  }
  return element("fieldset", {}, element("legend", {}, label), row);
}

/** Of a crowd of systems only some are switched on at first; the others are drawn in grey until they are. */
const crowded = page.focus.length < systemNames.length;
/** Systems that are switched off in every figure, and who wants to know. */
const hidden = new Set(systemNames.filter((name) => !page.focus.includes(name)));
const redraws = [];
function toggle(name) {
  if (!hidden.delete(name)) hidden.add(name);
  for (const redraw of redraws) redraw();
}

function startTheme() {
  const button = document.getElementById("theme");
  const order = ["system", "light", "dark"];
  let theme = "system";
  try {
    theme = localStorage.getItem("theme") ?? "system";
  } catch {
    /* a page from a disk may have no storage */
  }
  const apply = () => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  if (!order.includes(theme)) theme = "system";
  button.hidden = false;
  button.addEventListener("click", () => {
    theme = order[(order.indexOf(theme) + 1) % order.length];
    try {
      localStorage.setItem("theme", theme);
    } catch {
      /* see above */
    }
    apply();
  });
  apply();
}
