// The menu of a message: reply, copy, edit, delete, JSON.

import * as api from "./api.js";
import { openDialog } from "./dialog.js";
import { h, icon } from "./dom.js";
import { store } from "./store.js";
import { complain, copy } from "./toast.js";

const MARGIN_PX = 8;

/** Open the menu of `message` beside `anchor`, or at the pointer of `event`. `actions`: {reply, edit}. */
export function messageMenu(message, anchor, event, actions) {
  document.querySelector(".menu")?.remove();
  const menu = h("div", {
    class: "menu",
    role: "menu",
    "aria-label": "Message actions",
    dataset: { testid: "menu" },
  });
  const back = document.activeElement;
  const close = () => {
    menu.remove();
    removeEventListener("pointerdown", outside, true);
    removeEventListener("resize", close);
  };
  const outside = (pointer) => menu.contains(pointer.target) || close();
  for (const entry of entriesFor(message, actions)) {
    const run = () => {
      close();
      entry.run();
    };
    menu.append(
      h(
        "button",
        { type: "button", role: "menuitem", class: entry.danger ? "danger" : "", onclick: run },
        icon(entry.icon),
        entry.caption,
      ),
    );
  }
  menu.addEventListener("keydown", (key) =>
    walk(key, menu, () => {
      close();
      back?.focus();
    }),
  );
  document.body.append(menu);
  place(menu, anchor, event);
  addEventListener("pointerdown", outside, true);
  addEventListener("resize", close);
  menu.firstChild.focus();
}

function entriesFor(message, actions) {
  const words = message.text ?? message.caption;
  const mine = message.from?.id === store.me;
  const chat = store.chats.get(message.chat.id);
  const deletable = mine || chat?.type === "private" || (chat && store.isAdmin(chat, store.me));
  return [
    { icon: "reply", caption: "Reply", run: () => actions.reply(message) },
    words && { icon: "copy", caption: "Copy text", run: () => copy(words) },
    mine &&
      words &&
      !message.forward_origin && { icon: "edit", caption: "Edit", run: () => actions.edit(message) },
    { icon: "code", caption: "Show JSON", run: () => showJson(message) },
    deletable && { icon: "delete", caption: "Delete", danger: true, run: () => remove(message) },
  ].filter(Boolean);
}

async function remove(message) {
  const body = h("p", {}, "It disappears for everybody in this chat. Bots are not told, as in Telegram.");
  if (!(await openDialog({ title: "Delete this message?", body, confirm: "Delete", danger: true }))) return;
  await api.deleteMessage(message.chat.id, message.message_id, store.me).catch(complain);
}

function showJson(message) {
  const body = h("pre", { class: "json", tabindex: 0 }, JSON.stringify(message, null, 2));
  return openDialog({ title: `Message ${message.message_id}`, body, confirm: "Close", cancel: null });
}

function place(menu, anchor, event) {
  const box = anchor.getBoundingClientRect();
  const at = event?.clientX ? { x: event.clientX, y: event.clientY } : { x: box.left, y: box.bottom };
  const { offsetWidth: width, offsetHeight: height } = menu;
  menu.style.left = `${Math.max(MARGIN_PX, Math.min(at.x, innerWidth - width - MARGIN_PX))}px`;
  menu.style.top = `${Math.max(MARGIN_PX, Math.min(at.y, innerHeight - height - MARGIN_PX))}px`;
}

function walk(event, menu, leave) {
  const entries = [...menu.children];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) entries.at((entries.indexOf(document.activeElement) + step) % entries.length).focus();
  else if (event.key === "Escape" || event.key === "Tab") leave();
  else return;
  event.preventDefault();
}
