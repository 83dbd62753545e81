// The messages of the open chat: days, runs of one sender, "Unread messages", scrolling, and walking by keyboard.

import { messageNode } from "./bubble.js";
import { repliedTo } from "./content.js";
import { coalesce, h, iconButton, keyed } from "./dom.js";
import { dayKey, dayName, serviceText, senderOf } from "./format.js";
import { lastRead } from "./reads.js";
import { store } from "./store.js";

const RUN_GAP_S = 300;
const NEAR_BOTTOM_PX = 60;

/** The scrolling part of the conversation. `actions` are the ones of messageNode but jump. */
export class Timeline {
  pinned = true; // the bottom is in view and stays in view
  opened = null; // "person/chat" that is drawn
  unreadFrom = 0; // the first message after the "Unread messages" line; 0: no line
  newest = 0;

  constructor(parent, actions) {
    this.actions = { ...actions, jump: (messageId) => this.jump(messageId) };
    this.days = h("div", { class: "days" });
    this.log = h(
      "div",
      {
        class: "timeline",
        role: "log",
        "aria-label": "Messages",
        tabindex: 0,
        dataset: { testid: "messages" },
      },
      this.days,
    );
    this.badge = h("span", { class: "badge" });
    this.down = iconButton("down", "Go to the newest message", () => this.toBottom("smooth"), {
      class: "to-bottom",
      hidden: true,
    });
    this.down.append(this.badge);
    parent.append(this.log, this.down);
    this.listen();
  }

  listen() {
    const redraw = coalesce(() => this.draw());
    store.on("people selection", redraw);
    store.on("messages", (chatId) => chatId === store.chatId && redraw());
    document.addEventListener("visibilitychange", () => this.settle());
    this.log.addEventListener("keydown", (event) => walk(event, this.log, this.actions));
    this.log.addEventListener(
      "scroll",
      () => {
        this.pinned = isNearBottom(this.log);
        this.settle();
      },
      { passive: true },
    );
    const keepBottom = new ResizeObserver(() => this.pinned && this.toBottom());
    keepBottom.observe(this.log);
    keepBottom.observe(this.days);
  }

  /** Show what the open chat holds now. */
  draw() {
    const chat = store.chats.get(store.chatId);
    if (!chat || !store.isLoaded(chat.id)) {
      this.opened = null;
      return this.days.replaceChildren();
    }
    const messages = store.list(chat.id);
    const opening = this.opened !== `${store.me}/${chat.id}`;
    if (opening) this.open(chat, messages);
    keyed(this.days, daysOf(messages, chat, this.unreadFrom), {
      key: (day) => day.key,
      make: (day) => this.fillDay(h("section", { class: "day" }), day),
      update: (node, day) => this.fillDay(node, day),
    });
    this.scrollAfterDrawing(messages.at(-1), opening);
    return this.settle();
  }

  open(chat, messages) {
    this.opened = `${store.me}/${chat.id}`;
    this.unreadFrom = firstUnread(messages, chat);
    this.days.replaceChildren();
  }

  fillDay(node, day) {
    keyed(node, day.items, {
      key: (item) => item.key,
      same: sameItem,
      make: (item) => (item.message ? messageNode(item.message, item.look, this.actions) : line(item)),
    });
    return node;
  }

  /** A chat opens at its unread messages or its end; later it follows the end if that was in view, or if I wrote. */
  scrollAfterDrawing(last, opening) {
    const iWrote = last && last.message_id > this.newest && last.from?.id === store.me;
    this.newest = last?.message_id ?? 0;
    if (opening || this.pinned || iWrote) this.toBottom();
    const unread = opening && this.log.querySelector(".unread-line");
    if (!unread || this.log.scrollHeight <= this.log.clientHeight) return;
    unread.scrollIntoView({ block: "start" });
    this.pinned = isNearBottom(this.log);
  }

  /** Take note of what was read, and offer the way down when there is one. */
  settle() {
    const chat = store.chats.get(store.chatId);
    if (!chat || !store.isLoaded(chat.id)) return;
    if (document.visibilityState === "visible") store.markRead(this.lastInView());
    const unread = store.unreadCount(store.me, chat);
    this.down.hidden = this.pinned;
    this.badge.textContent = unread || "";
    this.badge.hidden = !unread;
  }

  /** The id of the lowest message that can be seen; 0: none. */
  lastInView() {
    const { bottom } = this.log.getBoundingClientRect();
    const node = [...this.log.querySelectorAll("article")].findLast(
      (article) => article.getBoundingClientRect().top < bottom,
    );
    return node?.__item.message.message_id ?? 0;
  }

  toBottom(behavior = "instant") {
    this.pinned = true;
    this.log.scrollTo({ top: this.log.scrollHeight, behavior });
  }

  /** Scroll to a message and make it flash. */
  jump(messageId) {
    const node = this.log.querySelector(`[data-testid="message-${messageId}"]`);
    if (!node) return;
    node.scrollIntoView({ block: "center", behavior: "smooth" });
    node.classList.remove("flash");
    requestAnimationFrame(() => node.classList.add("flash"));
    node.focus({ preventScroll: true });
  }
}

const isNearBottom = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_BOTTOM_PX;

function firstUnread(messages, chat) {
  const mark = lastRead(store.me, chat.id);
  if (!mark) return 0; // never opened before: everything is new, a line would say nothing
  return (
    messages.find((message) => message.message_id > mark && message.from?.id !== store.me)?.message_id ?? 0
  );
}

/** [{key, items}] by day; an item is a date line, the unread line or a message with how it looks. */
function daysOf(messages, chat, unreadFrom) {
  const days = [];
  messages.forEach((message, index) => {
    const key = dayKey(message.date);
    if (days.at(-1)?.key !== key)
      days.push({ key, items: [{ key: "date", words: dayName(message.date), kind: "date-line" }] });
    const { items } = days.at(-1);
    if (message.message_id === unreadFrom)
      items.push({ key: "unread", words: "Unread messages", kind: "unread-line" });
    const look = {
      mine: message.from?.id === store.me,
      group: chat.type !== "private",
      first: !sameRun(messages[index - 1], message),
      last: !sameRun(message, messages[index + 1]),
    };
    items.push({ key: message.message_id, message, look, original: repliedTo(message) });
  });
  return days;
}

function sameRun(above, below) {
  return (
    Boolean(above && below) &&
    !serviceText(above) &&
    !serviceText(below) &&
    senderOf(above).id === senderOf(below).id &&
    dayKey(above.date) === dayKey(below.date) &&
    below.date - above.date < RUN_GAP_S &&
    !above.reply_markup?.inline_keyboard
  );
}

function sameItem(old, now) {
  return (
    old.message === now.message &&
    old.words === now.words &&
    old.original === now.original &&
    JSON.stringify(old.look) === JSON.stringify(now.look)
  );
}

const line = ({ words, kind }) => h("div", { class: kind }, h("span", {}, words));

/** Arrow keys move between messages, Enter opens the menu of one, Escape goes back to writing. */
function walk(event, log, actions) {
  const here = document.activeElement;
  if (here !== log && !here.matches("article")) return;
  const all = [...log.querySelectorAll("article")];
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  const at = all.indexOf(here);
  if (step && (at >= 0 || step < 0))
    all[at < 0 ? all.length - 1 : Math.max(0, Math.min(at + step, all.length - 1))]?.focus();
  else if (event.key === "Enter" && at >= 0)
    here.dispatchEvent(new MouseEvent("contextmenu", { bubbles: false, cancelable: true }));
  else if (event.key === "Escape") actions.write();
  else return;
  event.preventDefault();
}
