// What the page knows: people, chats, messages, who I am and which chat is open.
// Views read from here and listen for: people, chats, messages, selection, typing, callback.

import * as api from "./api.js";
import { nameOf } from "./format.js";
import { dropStale, forgetReads, lastRead, markRead } from "./reads.js";

const TYPING_SHOWN_MS = 5500;

class Store extends EventTarget {
  users = new Map(); // people by id, without bots
  bot = null; // the sandbox's bot; private chats are with it
  chats = new Map(); // chat list entries by id
  messages = new Map(); // chat id -> Map(message id -> message), only of chats that were looked at
  loads = 0; // running load() calls
  missed = []; // events that came meanwhile
  pending = new Map(); // chat id -> changes that came while its messages are fetched
  typing = new Map(); // chat id -> {action, name, timer}
  me = null; // user id
  chatId = null;

  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  on(names, listener) {
    for (const name of names.split(" ")) this.addEventListener(name, (event) => listener(event.detail));
  }

  /** Fetch everything anew: at the start, after a reconnect, after a reset. */
  async load() {
    this.loads += 1;
    try {
      await this.fetchAll();
    } finally {
      this.loads -= 1;
      if (!this.loads) for (const event of this.missed.splice(0)) this.apply(event);
    }
  }

  async fetchAll() {
    const [users, all, { bot }] = await Promise.all([api.fetchUsers(), api.fetchChats(), api.fetchBot()]);
    const chats = all.filter((chat) => chat.type !== "private" || chat.bot_id === bot.id);
    this.bot = bot;
    this.users = new Map(users.filter((user) => !user.is_bot).map((user) => [user.id, user]));
    this.chats = new Map(chats.map((chat) => [chat.id, chat]));
    for (const chat of chats) dropStale(chat.id, chat.last?.message_id ?? 0);
    for (const id of this.messages.keys()) if (!this.chats.has(id)) this.messages.delete(id);
    await Promise.all([...this.messages.keys()].map((id) => this.loadMessages(id, true)));
    this.emit("people");
    this.emit("chats");
  }

  /** Fetch a chat's messages unless they are here (`anew`: even then); later changes come by events. */
  async loadMessages(chatId, anew = false) {
    if (this.pending.has(chatId) || (this.messages.has(chatId) && !anew)) return;
    const missed = [];
    this.pending.set(chatId, missed);
    try {
      const fetched = await api.fetchMessages(chatId);
      const shown = new Map(fetched.map((message) => [message.message_id, message]));
      for (const change of missed) change(shown);
      this.messages.set(chatId, shown);
    } finally {
      this.pending.delete(chatId);
    }
    this.emit("messages", chatId);
    this.emit("chats");
  }

  /** Change a chat's messages, and once more those of a fetch that is on its way. */
  change(chatId, change) {
    const shown = this.messages.get(chatId);
    if (shown) change(shown);
    this.pending.get(chatId)?.push(change);
  }

  /** Become `me` and open `chatId` (null: only the list). */
  select(me, chatId) {
    this.me = me;
    this.chatId = chatId;
    if (chatId !== null) this.loadMessages(chatId).catch((error) => this.emit("problem", error));
    for (const chat of this.chatsOf(me)) {
      if (this.hasUnread(me, chat)) this.loadMessages(chat.id).catch(() => {});
    }
    this.emit("selection");
  }

  /** The chats that a person sees, newest first. */
  chatsOf(userId) {
    const seen = [...this.chats.values()].filter((chat) => this.memberOf(chat, userId));
    return seen.sort(
      (a, b) =>
        (b.last?.date ?? 0) - (a.last?.date ?? 0) || (b.last?.message_id ?? 0) - (a.last?.message_id ?? 0),
    );
  }

  /** The id that gives a chat's avatar its colour. */
  faceOf(chat) {
    return chat.type === "private" ? this.bot.id : chat.id;
  }

  /** A person's membership {user, status}, or undefined for one who is not (any more) in the chat. */
  memberOf(chat, userId) {
    if (chat.type === "private")
      return chat.id === userId ? { user: this.users.get(userId), status: "member" } : undefined;
    return this.inside(chat).find((member) => member.user.id === userId);
  }

  /** Who is in a group now. */
  inside(chat) {
    return chat.members.filter((member) => !["left", "kicked"].includes(member.status));
  }

  isAdmin(chat, userId) {
    return ["creator", "administrator"].includes(this.memberOf(chat, userId)?.status);
  }

  bots(chat) {
    return chat.type === "private"
      ? [this.bot]
      : this.inside(chat)
          .map((member) => member.user)
          .filter((user) => user.is_bot);
  }

  titleOf(chat) {
    return chat.type === "private" ? nameOf(this.bot) : chat.title;
  }

  /** True once a chat's messages are here. */
  isLoaded(chatId) {
    return this.messages.has(chatId);
  }

  /** A chat's messages in order; empty while they are on their way. */
  list(chatId) {
    return [...(this.messages.get(chatId)?.values() ?? [])].sort((a, b) => a.message_id - b.message_id);
  }

  find(chatId, messageId) {
    return this.messages.get(chatId)?.get(messageId);
  }

  hasUnread(userId, chat) {
    return (
      Boolean(chat.last) && chat.last.from?.id !== userId && chat.last.message_id > lastRead(userId, chat.id)
    );
  }

  unreadCount(userId, chat) {
    if (!this.hasUnread(userId, chat)) return 0;
    const mark = lastRead(userId, chat.id);
    const unread = this.list(chat.id).filter(
      (message) => message.message_id > mark && message.from?.id !== userId,
    );
    return unread.length || 1;
  }

  /** Note that I have seen the open chat up to a message. */
  markRead(messageId) {
    if (markRead(this.me, this.chatId, messageId)) this.emit("chats");
  }

  /** Take in one event of the WebSocket; what comes while everything is fetched waits, lest it be overwritten. */
  apply(event) {
    if (this.loads) return void this.missed.push(event);
    const take = {
      message: () => this.put(event.chat_id, event.message),
      edit: () => this.put(event.chat_id, event.message),
      delete: () => this.remove(event.chat_id, event.message_id),
      typing: () => this.showTyping(event),
      callback_answer: () => this.emit("callback", event),
      chat: () => this.putChat(event.chat),
      user: () => this.putUser(event.user),
      reset: () => this.forget(),
    }[event.event];
    take?.();
  }

  put(chatId, message) {
    const fresh = !this.find(chatId, message.message_id);
    this.change(chatId, (shown) => shown.set(message.message_id, message));
    const chat = this.chats.get(chatId);
    if (chat && message.message_id >= (chat.last?.message_id ?? 0)) chat.last = message;
    if (fresh && message.from?.is_bot) this.stopTyping(chatId);
    if (chat && this.me && this.memberOf(chat, this.me)) this.loadMessages(chatId).catch(() => {});
    this.emit("messages", chatId);
    this.emit("chats");
  }

  remove(chatId, messageId) {
    this.change(chatId, (shown) => shown.delete(messageId));
    const chat = this.chats.get(chatId);
    if (chat?.last?.message_id === messageId) chat.last = this.list(chatId).at(-1) ?? null;
    this.emit("messages", chatId);
    this.emit("chats");
  }

  putChat(chat) {
    if (chat.type === "private" && chat.bot_id !== this.bot?.id) return;
    this.chats.set(chat.id, { ...chat, last: chat.last ?? this.list(chat.id).at(-1) ?? null });
    this.emit("chats");
  }

  putUser(user) {
    if (user.is_bot) return;
    this.users.set(user.id, user);
    this.emit("people");
  }

  showTyping({ chat_id: chatId, action, user }) {
    this.stopTyping(chatId);
    const name = nameOf(user ?? this.bot);
    const timer = setTimeout(() => this.stopTyping(chatId), TYPING_SHOWN_MS);
    this.typing.set(chatId, { action, name, timer });
    this.emit("typing", chatId);
  }

  stopTyping(chatId) {
    clearTimeout(this.typing.get(chatId)?.timer);
    if (this.typing.delete(chatId)) this.emit("typing", chatId);
  }

  forget() {
    forgetReads();
    this.messages.clear();
    this.load().catch((error) => this.emit("problem", error));
  }
}

/** The one store of the page. */
export const store = new Store();
