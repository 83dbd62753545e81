// The windows that make people and groups.

import * as api from "./api.js";
import { check, field, openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { nameOf } from "./format.js";
import { go, isNarrow } from "./router.js";
import { store } from "./store.js";

/** Ask for a person, make them and become them. */
export async function newPerson() {
  const body = [
    field("First name", "first_name", { required: true, maxlength: 64 }),
    field("Last name (optional)", "last_name", { maxlength: 64 }),
    field("Username (optional)", "username", {
      pattern: "@?[A-Za-z][A-Za-z0-9_]{3,31}",
      title: "5 to 32 letters, digits or _",
    }),
    field("Language (optional)", "language_code", { placeholder: "en", maxlength: 8 }),
  ];
  const result = (form) => api.createUser(filled(form));
  const answer = await openDialog({
    title: "New person",
    body,
    confirm: "Create",
    testid: "new-person",
    result,
  });
  if (!answer) return;
  await store.load();
  const user = answer.user ?? answer;
  go(user.id, isNarrow() ? null : user.id);
}

function filled(form) {
  const values = [...new FormData(form)]
    .map(([name, value]) => [name, value.trim()])
    .filter(([, value]) => value);
  const person = Object.fromEntries(values);
  if (person.username) person.username = person.username.replace(/^@/, "");
  return person;
}

/** Ask for a group of mine, make it and open it. */
export async function newGroup() {
  const others = [...store.users.values()].filter((user) => user.id !== store.me);
  const body = [
    field("Name", "title", { required: true, maxlength: 128 }),
    h(
      "fieldset",
      {},
      h("legend", {}, "Members besides you"),
      others.map(memberChoice),
      others.length ? null : h("p", { class: "hint" }, "There is nobody else yet."),
    ),
    h(
      "fieldset",
      {},
      h("legend", {}, "Bot"),
      check("The bot is in the group", "with_bot", { checked: true }),
      check("… as an administrator", "bot_is_admin"),
      check("Privacy mode (it sees only what is meant for it)", "privacy", { checked: true }),
    ),
    check("Supergroup", "supergroup", { checked: true }),
  ];
  const answer = await openDialog({
    title: "New group",
    body,
    confirm: "Create",
    testid: "new-group",
    result: createGroup,
  });
  if (!answer) return;
  await store.load();
  go(store.me, answer.chat.id);
}

function memberChoice(user) {
  return h(
    "div",
    { class: "member-choice" },
    check(nameOf(user), "members", { value: user.id }),
    check("administrator", "admins", { value: user.id }),
  );
}

function createGroup(form) {
  const data = new FormData(form);
  const admins = data.getAll("admins").map(Number);
  const members = [...new Set([store.me, ...data.getAll("members").map(Number), ...admins])];
  const flag = (name) => data.has(name);
  return api.createChat({
    type: flag("supergroup") ? "supergroup" : "group",
    title: data.get("title").trim(),
    members,
    admins,
    creator: store.me,
    with_bot: flag("with_bot"),
    bot_is_admin: flag("bot_is_admin"),
    privacy: flag("privacy"),
  });
}
