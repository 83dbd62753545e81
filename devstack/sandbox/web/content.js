// What a bubble can hold besides text: pictures, files, contacts, places, the quote of a reply.

import { avatar, h, icon, tone } from "./dom.js";
import { FILE_KINDS, nameOf, senderOf, sizeOf, summaryOf } from "./format.js";
import { store } from "./store.js";
import { enlarge } from "./viewer.js";

const PICTURE_PX = 400;

/** The message that `message` replies to, as it is now (null: not a reply). */
export function repliedTo(message) {
  const replied = message.reply_to_message;
  if (!replied || replied.forum_topic_created) return null;
  return store.find(message.chat.id, replied.message_id) ?? replied;
}

/** The quoted line above a reply; a click jumps to the original. */
export function quoteOf(message, jump) {
  const original = repliedTo(message);
  if (!original) return null;
  const gone = store.isLoaded(message.chat.id) && !store.find(message.chat.id, original.message_id);
  const sender = senderOf(original);
  const words = gone ? "Deleted message" : (message.quote?.text ?? summaryOf(original));
  return h(
    "button",
    {
      type: "button",
      class: `quote tone-${tone(sender.id)}`,
      "aria-label": `Reply to ${sender.name}: ${words}`,
      dataset: { testid: "quote" },
      onclick: () => jump(original.message_id),
    },
    h("b", {}, sender.name),
    h("span", {}, words),
  );
}

/** "Forwarded from ..." or null. */
export function forwardOf(message) {
  const origin = message.forward_origin;
  if (!origin) return null;
  const name = origin.sender_user
    ? nameOf(origin.sender_user)
    : (origin.sender_user_name ?? origin.sender_chat?.title ?? origin.chat?.title);
  return h("div", { class: "forward" }, "Forwarded from ", h("b", {}, name ?? "somebody"));
}

/** The attachments of a message, in a list. */
export function attachmentsOf(message) {
  const files = Object.keys(FILE_KINDS).filter(
    (kind) => message[kind] && !(kind === "document" && message.animation),
  );
  return [
    message.photo && picture(message),
    ...files.map((kind) => file(message, kind)),
    message.contact && contact(message.contact),
    message.location && place(message.location),
  ].filter(Boolean);
}

function picture(message) {
  const largest = message.photo.at(-1);
  const scale = Math.min(1, PICTURE_PX / largest.width, PICTURE_PX / largest.height);
  const address = message.sandbox?.file_urls?.photo;
  const image = h("img", {
    src: address,
    alt: message.caption ? `Picture: ${message.caption}` : "Picture",
    draggable: "false",
    width: Math.round(largest.width * scale),
    height: Math.round(largest.height * scale),
  });
  return h(
    "button",
    {
      type: "button",
      class: "picture",
      "aria-label": "Enlarge the picture",
      dataset: { testid: "picture" },
      onclick: () => enlarge(address, message.caption ?? ""),
    },
    image,
  );
}

function file(message, kind) {
  const { file_name: name = FILE_KINDS[kind], file_size: size, mime_type: type = "" } = message[kind];
  const address = message.sandbox?.file_urls?.[kind];
  const ending = /\.([a-z0-9]{1,5})$/i.exec(name)?.[1] ?? "";
  const badge =
    type.startsWith("image/") && address
      ? h("img", { class: "file-badge", src: address, alt: "" })
      : h(
          "span",
          {
            class: `file-badge tone-${tone(ending.length + (ending.charCodeAt(0) || 0))}`,
            "aria-hidden": "true",
          },
          h("span", { class: "file-ending" }, ending || icon("file")),
          icon("download"),
        );
  return h(
    "a",
    {
      class: "file",
      href: address,
      download: name,
      title: `Download ${name}`,
      dataset: { testid: "file" },
    },
    badge,
    h(
      "span",
      { class: "file-text" },
      h("b", { class: "file-name", dir: "auto" }, name),
      h("small", {}, sizeOf(size)),
    ),
  );
}

function contact(person) {
  const name = nameOf(person);
  return h(
    "div",
    { class: "file" },
    avatar(person.user_id ?? 0, name),
    h("span", { class: "file-text" }, h("b", {}, name), h("small", {}, person.phone_number)),
  );
}

function place({ latitude, longitude }) {
  return h(
    "div",
    { class: "file" },
    h("span", { class: "file-badge tone-3" }, icon("place")),
    h("span", { class: "file-text" }, h("b", {}, "Location"), h("small", {}, `${latitude}, ${longitude}`)),
  );
}
