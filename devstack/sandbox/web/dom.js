// Small helpers that make and update DOM nodes. No other module creates elements by hand.

const SVG = "http://www.w3.org/2000/svg";

/** A new element: `h("button", {class: "x", onclick: f, dataset: {testid: "send"}}, "text", child, null)`. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "dataset") Object.assign(node.dataset, value);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A decorative icon of icons.svg. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** A round button that shows only an icon; `label` is its accessible name and tooltip. */
export function iconButton(name, label, onclick, props = {}) {
  const { class: extra = "", ...rest } = props;
  const attributes = { type: "button", class: `icon-button ${extra}`, "aria-label": label, title: label };
  return h("button", { ...attributes, onclick, ...rest }, icon(name));
}

/** A coloured circle with initials. The colour follows the id, so that a person keeps theirs everywhere. */
export function avatar(id, name, { bot = false } = {}) {
  const words = name.split(/\s+/).filter(Boolean);
  const initials = words.length > 1 ? [words[0], words.at(-1)] : words;
  const letters = initials
    .map((word) => [...word][0])
    .join("")
    .toUpperCase();
  return h(
    "span",
    { class: `avatar tone-${tone(id)}`, "aria-hidden": "true" },
    bot ? icon("bot") : letters || "?",
  );
}

/** One of seven colours for an id. */
export function tone(id) {
  return Math.abs(id) % 7;
}

/**
 * Make `parent`'s children show `items`, one node per key, so that scrolling, focus and running animations survive.
 * A node whose item changed (`same(old, new)` is false) is made anew; or, with `update(node, item)`, kept and updated.
 */
export function keyed(parent, items, { key, make, same, update }) {
  const old = new Map([...parent.children].map((node) => [node.__key, node]));
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let place = parent.firstChild;
  for (const item of items) {
    const id = key(item);
    const kept = old.get(id);
    old.delete(id);
    let node = kept;
    if (kept && update) update(kept, item);
    else if (!kept || !same(kept.__item, item)) {
      node = make(item);
      if (kept === place && kept) place = kept.nextSibling;
      kept?.remove();
    }
    node.__key = id;
    node.__item = item;
    if (node === place) place = node.nextSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of old.values()) node.remove();
  restoreFocus(parent, focused);
}

function restoreFocus(parent, focused) {
  if (!focused || focused === document.activeElement) return;
  const testid = focused.dataset.testid;
  const twin = parent.contains(focused)
    ? focused
    : testid && parent.querySelector(`[data-testid="${CSS.escape(testid)}"]`);
  twin?.focus({ preventScroll: true });
}

/** Run `work` once, soon, however often the returned function is called until then. */
export function coalesce(work) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => {
      waiting = false;
      work();
    });
  };
}
