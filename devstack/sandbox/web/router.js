// The address says who I am and which chat is open: #PERSON or #PERSON/CHAT. Two tabs can be two people.

import { store } from "./store.js";

const LAST = "sandbox.address";

function parse() {
  const [me, chat] = location.hash.slice(1).split("/").map(Number);
  return { me: Number.isInteger(me) && me ? me : null, chat: Number.isInteger(chat) && chat ? chat : null };
}

/** Go to a person's chat list, or to one chat of theirs. */
export function go(me, chatId = null) {
  const hash = chatId === null ? `#${me}` : `#${me}/${chatId}`;
  if (location.hash === hash) follow();
  else location.hash = hash;
}

/** Become another person: in the same group where they are in it too, else in their chat with the bot. */
export function become(userId) {
  const chat = store.chats.get(store.chatId);
  if (chat && chat.type !== "private" && store.memberOf(chat, userId)) return go(userId, chat.id);
  return go(userId, store.chats.has(userId) && !isNarrow() ? userId : null);
}

/** True where list and chat do not fit side by side. */
export const isNarrow = () => matchMedia("(max-width: 720px)").matches;

/** Bring the store to what the address says; an address of nobody goes to the last one used, or the first person. */
export function follow() {
  const wanted = parse();
  const me = store.users.has(wanted.me) ? wanted.me : fallbackPerson();
  const chat = store.chats.get(wanted.chat);
  const chatId = me !== null && chat && store.memberOf(chat, me) ? chat.id : null;
  if (me !== null) localStorage.setItem(LAST, String(me));
  store.select(me, chatId);
}

function fallbackPerson() {
  const last = Number(localStorage.getItem(LAST));
  if (store.users.has(last)) return last;
  return store.users.keys().next().value ?? null;
}

/** Follow the address from now on. */
export function startRouter() {
  addEventListener("hashchange", follow);
  follow();
}
