// Makes and fills elements. All text goes in as text: names of pools may hold anything.

export const $ = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function svg(tag, attributes = {}, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// Sets a text only if it is another, so that who listens or selects is not disturbed.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Fills an element anew only if what is shown in it is something else.
const shown = new WeakMap();
export function fill(element, of, make) {
  const key = JSON.stringify(of);
  if (shown.get(element) === key) return;
  shown.set(element, key);
  element.replaceChildren(...make(of));
}

export function pairs(element, entries, format) {
  fill(element, entries, () =>
    entries.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, format(value))]),
  );
}
