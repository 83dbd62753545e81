// The rail of people: who I am, who has something unread, and "New person".

import { avatar, h, icon, keyed } from "./dom.js";
import { nameOf } from "./format.js";
import { newPerson } from "./forms.js";
import { become } from "./router.js";
import { store } from "./store.js";

/** Fill `parent` with the people and keep it up to date. */
export function showPeople(parent) {
  const list = h("div", { class: "people-list" });
  const add = h(
    "button",
    { type: "button", class: "person new", title: "New person", onclick: newPerson },
    h("span", { class: "avatar add", "aria-hidden": "true" }, icon("plus")),
    h("span", { class: "person-name" }, "New person"),
  );
  parent.append(list, add);
  const draw = () =>
    keyed(list, [...store.users.values()].map(entryOf), {
      key: (entry) => entry.user.id,
      make: person,
      same,
    });
  store.on("people chats selection", draw);
}

function entryOf(user) {
  const unread =
    user.id !== store.me && store.chatsOf(user.id).some((chat) => store.hasUnread(user.id, chat));
  return { user, current: user.id === store.me, unread };
}

const same = (old, now) => old.user === now.user && old.current === now.current && old.unread === now.unread;

function person({ user, current, unread }) {
  const name = nameOf(user);
  const handle = user.username ? ` @${user.username}` : "";
  return h(
    "button",
    {
      type: "button",
      class: "person",
      title: `${name}${handle} (${user.id})`,
      "aria-current": current ? "true" : null,
      "aria-label": `${name}${current ? ", that is you" : ""}${unread ? ", unread messages" : ""}`,
      dataset: { testid: `person-${user.id}` },
      onclick: () => become(user.id),
    },
    avatar(user.id, name),
    unread && h("span", { class: "dot" }),
    h("span", { class: "person-name" }, user.first_name),
  );
}
