// The chat list of the person I am.

import { avatar, h, iconButton, keyed } from "./dom.js";
import { nameOf, senderOf, serviceText, shortTimeOf, summaryOf } from "./format.js";
import { newGroup } from "./forms.js";
import { go } from "./router.js";
import { store } from "./store.js";
import { typingText } from "./typing.js";

/** Fill `parent` with the chat list and keep it up to date. */
export function showSidebar(parent) {
  const name = h("h1", {});
  const handle = h("p", {});
  const search = h("input", {
    type: "search",
    class: "search",
    placeholder: "Search",
    "aria-label": "Search chats",
  });
  const list = h("div", { class: "chat-list" });
  const none = h("p", { class: "list-empty" });
  parent.append(
    h(
      "header",
      { class: "bar" },
      h("div", { class: "bar-text" }, name, handle),
      iconButton("group", "New group", newGroup),
    ),
    h("div", { class: "search-row" }, search),
    list,
    none,
  );

  const draw = () => {
    const me = store.users.get(store.me);
    name.textContent = me ? nameOf(me) : "Telegram sandbox";
    handle.textContent = me
      ? [me.username && `@${me.username}`, `id ${me.id}`].filter(Boolean).join(" · ")
      : "";
    const wanted = search.value.trim().toLowerCase();
    const entries = store
      .chatsOf(store.me)
      .map(entryOf)
      .filter((entry) => entry.title.toLowerCase().includes(wanted));
    keyed(list, entries, { key: (entry) => entry.id, make: row, same });
    none.textContent = entries.length ? "" : emptyText(me, wanted);
    document.title = titleWith(store.chatsOf(store.me));
  };
  search.addEventListener("input", draw);
  store.on("people chats selection typing", draw);
}

function emptyText(me, wanted) {
  if (!me) return "Nobody is here yet. Make a person with the plus button.";
  return wanted ? "No chat of that name." : "No chats yet.";
}

function titleWith(chats) {
  const unread = chats.reduce((sum, chat) => sum + store.unreadCount(store.me, chat), 0);
  return unread ? `(${unread}) Telegram sandbox` : "Telegram sandbox";
}

function entryOf(chat) {
  const last = chat.last;
  const typing = typingText(chat);
  return {
    id: chat.id,
    face: store.faceOf(chat),
    private: chat.type === "private",
    title: store.titleOf(chat),
    open: chat.id === store.chatId,
    typing,
    unread: store.unreadCount(store.me, chat),
    time: last ? shortTimeOf(last.date) : "",
    author: last ? authorOf(chat, last) : "",
    summary: last ? summaryOf(last) : "No messages yet",
  };
}

function authorOf(chat, message) {
  if (serviceText(message)) return "";
  if (message.from?.id === store.me) return "You";
  return chat.type === "private" ? "" : senderOf(message).name;
}

const same = (old, now) => JSON.stringify(old) === JSON.stringify(now);

function row(entry) {
  const badge =
    entry.unread > 0 && h("span", { class: "badge", "aria-hidden": "true" }, String(entry.unread));
  const line = entry.typing
    ? h("span", { class: "row-line typing-line" }, entry.typing)
    : h("span", { class: "row-line" }, entry.author && h("b", {}, `${entry.author}: `), entry.summary);
  const unread = entry.unread > 0 ? `, ${entry.unread} unread` : "";
  return h(
    "button",
    {
      type: "button",
      class: "row",
      "aria-current": entry.open ? "true" : null,
      "aria-label": `${entry.title}${unread}`,
      dataset: { testid: `chat-${entry.id}`, unread: entry.unread },
      onclick: () => go(store.me, entry.id),
    },
    avatar(entry.face, entry.title, { bot: entry.private }),
    h(
      "span",
      { class: "row-top" },
      h("span", { class: "row-title", dir: "auto" }, entry.title),
      h("time", {}, entry.time),
    ),
    h("span", { class: "row-bottom" }, line, badge),
  );
}
