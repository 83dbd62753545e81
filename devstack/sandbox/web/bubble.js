// One message as an element.

import { attachmentsOf, forwardOf, quoteOf } from "./content.js";
import { avatar, h, icon, iconButton, tone } from "./dom.js";
import { formatted } from "./entities.js";
import { fullTimeOf, senderOf, serviceText, summaryOf, timeOf } from "./format.js";
import { tap } from "./taps.js";

/**
 * The element of a message. `look` says {mine, group, first, last}: whose it is, whether names are shown, and
 * its place in a run of messages of one sender. `actions`: {command, mention, jump, menu, reply}.
 */
export function messageNode(message, look, actions) {
  const note = serviceText(message);
  const shared = { tabindex: -1, dataset: { testid: `message-${message.message_id}`, mine: look.mine } };
  if (note) return h("article", { ...shared, class: "service" }, h("span", {}, note));

  const sender = senderOf(message);
  const classes = ["message", look.mine && "mine", look.first && "first", look.last && "last"]
    .filter(Boolean)
    .join(" ");
  const label = `${look.mine ? "You" : sender.name}, ${timeOf(message.date)}: ${summaryOf(message)}`;
  const node = h(
    "article",
    { ...shared, class: classes, "aria-label": label },
    look.group &&
      !look.mine &&
      (look.last ? avatar(sender.id, sender.name, sender) : h("span", { class: "avatar-space" })),
    h("div", { class: "column" }, bubble(message, look, sender, actions), inlineKeyboard(message)),
    iconButton("more", "Message actions", (event) => actions.menu(message, event.currentTarget), {
      class: "message-more",
      tabindex: -1,
    }),
  );
  node.addEventListener("contextmenu", (event) => {
    if (event.target.closest("a") || !getSelection().isCollapsed) return;
    event.preventDefault();
    actions.menu(message, node, event);
  });
  node.addEventListener(
    "dblclick",
    (event) => event.target.closest("button, a, img") || actions.reply(message),
  );
  return node;
}

function bubble(message, look, sender, actions) {
  const words = message.text ?? message.caption;
  const media = attachmentsOf(message);
  const classes = ["bubble", message.photo && "with-picture", message.photo && !words && "bare"]
    .filter(Boolean)
    .join(" ");
  const named = look.group && !look.mine && look.first;
  return h(
    "div",
    { class: classes },
    named &&
      h("div", { class: `sender tone-${tone(sender.id)}` }, sender.name, sender.bot && h("small", {}, "bot")),
    forwardOf(message),
    quoteOf(message, actions.jump),
    media,
    words !== undefined || !media.length
      ? h("div", { class: "text", dir: "auto", dataset: { testid: "text" } }, textOf(message, words, actions))
      : null,
    meta(message, look),
    reactions(message),
  );
}

function textOf(message, words, actions) {
  if (words === undefined) return h("i", {}, "A message that this page cannot show");
  return formatted(words, message.entities ?? message.caption_entities ?? [], actions);
}

function meta(message, look) {
  return h(
    "span",
    { class: "meta" },
    message.sandbox?.edited && h("span", { class: "edited", dataset: { testid: "edited" } }, "edited"),
    h(
      "time",
      { title: fullTimeOf(message.date), datetime: new Date(message.date * 1000).toISOString() },
      timeOf(message.date),
    ),
    look.mine && icon("done"),
  );
}

/** Small chips with what people and bots reacted with. */
function reactions(message) {
  const given = Object.values(message.sandbox?.reactions ?? {})
    .flat()
    .map((reaction) => reaction.emoji ?? "★");
  if (!given.length) return null;
  const chips = [...new Set(given)].map((emoji) => {
    const count = given.filter((each) => each === emoji).length;
    return h("span", { class: "reaction" }, count > 1 ? `${emoji} ${count}` : emoji);
  });
  return h("div", { class: "reactions", "aria-label": "Reactions" }, chips);
}

function inlineKeyboard(message) {
  const rows = message.reply_markup?.inline_keyboard;
  if (!rows?.length) return null;
  return h(
    "div",
    { class: "inline-keyboard", role: "group", "aria-label": "Buttons" },
    rows.map((row) =>
      h(
        "div",
        { class: "inline-row" },
        row.map((button) => inlineButton(button, message)),
      ),
    ),
  );
}

function inlineButton(button, message) {
  const leaves = button.url ?? button.web_app ?? button.login_url;
  const node = h(
    "button",
    {
      type: "button",
      class: button.style ? `inline-button ${button.style}` : "inline-button",
      onclick: () => tap(button, node, message),
    },
    h("span", { dir: "auto" }, button.text),
    leaves && icon("link"),
    button.copy_text && icon("copy"),
  );
  return node;
}
