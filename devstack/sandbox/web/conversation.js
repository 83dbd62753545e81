// The open chat: header, timeline, composer, and what stands there while no chat is open.

import { Composer } from "./composer.js";
import { avatar, h, icon, iconButton, keyed } from "./dom.js";
import { nameOf } from "./format.js";
import { showInfo } from "./info.js";
import { messageMenu } from "./menu.js";
import { go } from "./router.js";
import { store } from "./store.js";
import { Timeline } from "./timeline.js";
import { typingText } from "./typing.js";

/** Fill `parent` with the conversation and keep it up to date. */
export function showConversation(parent) {
  const header = h("header", { class: "bar" });
  const welcome = h("div", { class: "welcome" });
  const body = h("div", { class: "conversation-body" });
  parent.append(header, body);
  const composer = new Composer(parent);
  new Timeline(body, {
    reply: (message) => composer.reply(message),
    command: (text) => composer.send({ text }),
    mention: (text) => composer.insert(`${text} `),
    menu: (message, anchor, event) => messageMenu(message, anchor, event, composer),
    write: () => composer.text.focus(),
  });
  body.append(welcome);

  const draw = () => {
    const chat = store.chats.get(store.chatId);
    header.hidden = !chat;
    if (chat) keyed(header, headerOf(chat), parts);
    const invitation = chat ? startInvitation(chat) : choiceInvitation();
    keyed(welcome, invitation, { ...parts, make: (part) => invite(part, composer) });
    welcome.hidden = !invitation.length;
  };
  store.on("people chats selection typing messages", draw);
  draw();
}

// Parts are drawn anew only when their words change, so that a click never meets a node that was just replaced.
const parts = {
  key: (part) => part.key,
  same: (old, now) => old.words === now.words,
  make: (part) => part.make(),
};

function headerOf(chat) {
  const me = store.users.get(store.me);
  const back = {
    key: "back",
    make: () => iconButton("back", "Back to the chats", () => go(store.me), { class: "back" }),
  };
  const title = store.titleOf(chat);
  const typing = typingText(chat);
  const status = typing || membersOf(chat);
  const about = {
    key: `about ${chat.id}`,
    words: `${title}\n${status}`,
    make: () => aboutButton(chat, title, status, typing),
  };
  const as = {
    key: "as",
    words: me && nameOf(me),
    make: () =>
      h("span", { class: "writing-as" }, "as ", h("b", {}, me.first_name), avatar(me.id, nameOf(me))),
  };
  return me ? [back, about, as] : [back, about];
}

function aboutButton(chat, title, status, typing) {
  return h(
    "button",
    {
      type: "button",
      class: "bar-about",
      "aria-label": `About ${title}`,
      dataset: { testid: "chat-info" },
      onclick: () => showInfo(chat.id),
    },
    avatar(store.faceOf(chat), title, { bot: chat.type === "private" }),
    h(
      "span",
      { class: "bar-text" },
      h("span", { class: "bar-title", dir: "auto", dataset: { testid: "chat-title" } }, title),
      h(
        "span",
        {
          class: typing ? "bar-status typing-line" : "bar-status",
          "aria-live": "polite",
          dataset: { testid: "chat-status" },
        },
        status,
      ),
    ),
  );
}

function membersOf(chat) {
  if (chat.type === "private") return chat.blocked_bot ? "bot, blocked by you" : "bot";
  const inside = store.inside(chat).length;
  return `${inside} ${inside === 1 ? "member" : "members"}`;
}

/** An empty chat: in private the invitation to start the bot, as Telegram has it. */
function startInvitation(chat) {
  if (!store.isLoaded(chat.id) || store.list(chat.id).length) return [];
  return [{ key: chat.id, title: store.titleOf(chat), start: chat.type === "private", words: "" }];
}

function choiceInvitation() {
  if (store.users.size) return [{ key: "choose", words: "Choose a chat to write in" }];
  return [{ key: "nobody", words: "Make a person with the plus button, then talk to the bot as them" }];
}

function invite({ title, start, words }, composer) {
  if (!title) return h("div", { class: "card" }, icon("person"), h("p", {}, words));
  if (!start) return h("div", { class: "card" }, h("b", {}, title), h("p", {}, "No messages here yet."));
  const button = h(
    "button",
    {
      type: "button",
      class: "button",
      dataset: { testid: "start" },
      onclick: () => composer.send({ text: "/start" }),
    },
    "Start",
  );
  return h(
    "div",
    { class: "card" },
    avatar(store.bot.id, title, { bot: true }),
    h("b", {}, title),
    h("p", {}, "No messages here yet. A bot may write to you only after you have started it."),
    button,
  );
}
