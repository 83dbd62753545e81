// About a chat: who is in a group and as what (change it here), or the bot of a private chat (block it here).

import * as api from "./api.js";
import { openDialog } from "./dialog.js";
import { avatar, h } from "./dom.js";
import { nameOf } from "./format.js";
import { store } from "./store.js";
import { complain, toast } from "./toast.js";

const STATUSES = {
  left: "not in the group",
  member: "member",
  administrator: "administrator",
  creator: "owner",
  kicked: "banned",
};

/** Open the window about a chat. */
export function showInfo(chatId) {
  const chat = store.chats.get(chatId);
  return chat.type === "private" ? botInfo(chat) : groupInfo(chat);
}

async function botInfo(chat) {
  const facts = `@${store.bot.username} · id ${store.bot.id}`;
  const block = chat.blocked_bot ? "Unblock the bot" : "Block the bot";
  const body = h(
    "p",
    {},
    facts,
    h("br"),
    chat.blocked_bot
      ? "You have blocked this bot: it cannot write to you."
      : "A blocked bot cannot write to you.",
  );
  const wanted = await openDialog({
    title: store.titleOf(chat),
    body,
    confirm: block,
    cancel: "Close",
    danger: !chat.blocked_bot,
  });
  if (!wanted) return;
  await api
    .setBlocked(store.me, !chat.blocked_bot)
    .then(() => store.load())
    .catch(complain);
}

function groupInfo(chat) {
  const everybody = new Map(
    [store.bot, ...store.bots(chat), ...store.users.values()].map((user) => [user.id, user]),
  );
  const rows = [...everybody.values()].map((user) => memberRow(chat, user));
  const facts = h(
    "p",
    { class: "hint" },
    `${chat.type} · id ${chat.id}`,
    chat.privacy === false ? " · privacy mode off" : "",
  );
  return openDialog({
    title: chat.title,
    body: [facts, h("div", { class: "members" }, rows)],
    confirm: "Close",
    cancel: null,
    testid: "chat-info-dialog",
  });
}

function memberRow(chat, user) {
  const member = chat.members.find((each) => each.user.id === user.id);
  const status = member?.status ?? "left";
  const name = nameOf(user);
  const options = Object.entries(STATUSES).map(([value, words]) =>
    h("option", { value, selected: value === status }, words),
  );
  const select = h("select", { "aria-label": `${name} is` }, options);
  const anonymous = h("input", {
    type: "checkbox",
    "aria-label": `${name} writes anonymously`,
    checked: member?.is_anonymous,
  });
  const change = () => save(chat, user, { status: select.value, is_anonymous: anonymous.checked });
  select.addEventListener("change", change);
  anonymous.addEventListener("change", change);
  return h(
    "div",
    { class: "member" },
    avatar(user.id, name, { bot: user.is_bot }),
    h("span", { class: "member-name" }, name),
    select,
    !user.is_bot &&
      h(
        "label",
        { class: "check", title: "This administrator writes in the name of the group" },
        anonymous,
        "anonymous",
      ),
  );
}

async function save(chat, user, change) {
  try {
    await api.setStatus(chat.id, user.id, change);
    await store.load();
    toast(`${nameOf(user)}: ${STATUSES[change.status]}`);
  } catch (error) {
    complain(error);
  }
}
