// Formatted text: Bot API entities (offsets and lengths in UTF-16 units, as JavaScript counts) to DOM nodes.

import { h } from "./dom.js";
import { copy } from "./toast.js";

const SAFE_LINK = /^(https?|tg|mailto|tel):/i;

const TAGS = {
  bold: "strong",
  italic: "em",
  underline: "u",
  strikethrough: "s",
  code: "code",
  blockquote: "blockquote",
};

/**
 * A fragment that shows `text` with its `entities`; nested entities nest.
 * `actions.command(text)` and `actions.mention(text)` are called on clicks.
 */
export function formatted(text, entities = [], actions = {}) {
  const sorted = [...entities].sort((a, b) => a.offset - b.offset || b.length - a.length);
  const fragment = document.createDocumentFragment();
  fill(fragment, text, 0, text.length, sorted, actions);
  return fragment;
}

const BLOCKS = new Set(["pre", "blockquote", "expandable_blockquote"]);

/**
 * Append text[start:end] to `parent`, taking from `queue` (sorted) the entities that lie in it.
 * The line break that separates a block from the text around it is the block's own edge and is not shown again.
 */
function fill(parent, text, start, end, queue, actions) {
  let at = start;
  while (queue.length && queue[0].offset < end) {
    const entity = queue.shift();
    const from = Math.max(entity.offset, at);
    const to = Math.min(entity.offset + entity.length, end);
    if (from >= to) continue;
    const block = BLOCKS.has(entity.type);
    parent.append(text.slice(at, block && text[from - 1] === "\n" && from > at ? from - 1 : from));
    const node = nodeFor(entity, text.slice(from, to), actions);
    fill(node.querySelector(".inside") ?? node, text, from, to, queue, actions);
    parent.append(node);
    at = block && to < end && text[to] === "\n" ? to + 1 : to;
  }
  if (at < end) parent.append(text.slice(at, end));
}

function nodeFor(entity, words, actions) {
  switch (entity.type) {
    case "url":
      return link(/^[a-z]+:\/\//i.test(words) ? words : `https://${words}`);
    case "text_link":
      return link(entity.url);
    case "email":
      return link(`mailto:${words}`);
    case "phone_number":
      return link(`tel:${words.replace(/[^+\d]/g, "")}`);
    case "bot_command":
      return action(words, actions.command);
    case "mention":
      return action(words, actions.mention);
    case "text_mention":
      return h("span", { class: "mention" });
    case "spoiler":
      return spoiler();
    case "pre":
      return pre(entity.language, words);
    case "expandable_blockquote":
      return quote();
    default:
      return h(TAGS[entity.type] ?? "span", { class: `entity-${entity.type}` });
  }
}

function link(address) {
  if (!SAFE_LINK.test(address)) return h("span", { title: `Not opened: ${address}` });
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer", title: address });
}

function action(words, onaction) {
  return h("button", { type: "button", class: "link", onclick: () => onaction?.(words) });
}

function spoiler() {
  const node = h("span", { class: "spoiler", role: "button", tabindex: 0, "aria-label": "Spoiler: show it" });
  const show = (event) => {
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    if (!node.classList.contains("shown")) event.preventDefault();
    node.classList.add("shown");
    for (const name of ["role", "tabindex", "aria-label"]) node.removeAttribute(name);
  };
  node.addEventListener("click", show);
  node.addEventListener("keydown", show);
  return node;
}

function pre(language, words) {
  const button = h("button", { type: "button", class: "link", onclick: () => copy(words) }, "copy");
  const bar = h("span", { class: "pre-bar" }, language || "code", button);
  return h("pre", {}, bar, h("code", { class: "inside" }));
}

function quote() {
  const node = h("blockquote", { class: "folded" });
  node.addEventListener("click", () => node.classList.toggle("folded"));
  return node;
}
