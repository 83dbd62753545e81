// What a person shares when a key of the bot's keyboard asks for it: a group, a person, a phone number, a place.

import { choose, field, openDialog } from "./dialog.js";
import { avatar } from "./dom.js";
import { nameOf } from "./format.js";
import { store } from "./store.js";

/** The message fields that a key sends: its text, or what it asks for (null: the person thought better of it). */
export function messageOf(key) {
  if (key.request_chat) return shareGroup(key.request_chat);
  if (key.request_users) return sharePerson(key.request_users);
  if (key.request_contact) return shareContact();
  if (key.request_location) return shareLocation();
  return { text: key.text };
}

async function shareGroup(request) {
  const groups = [...store.chats.values()].filter((chat) => fits(chat, request));
  const entries = groups.map((chat) => ({
    value: chat.id,
    title: chat.title,
    note: `${chat.members?.length ?? 0} members`,
    picture: avatar(chat.id, chat.title),
  }));
  const chosen = await choose(
    "Choose a group",
    entries,
    "You are in no group that fits. Make one with “New group”.",
  );
  const shared = {
    request_id: request.request_id,
    chat_id: Number(chosen),
    add_bot: Boolean(request.bot_is_member),
  };
  return chosen && { chat_shared: shared };
}

function fits(chat, request) {
  if (chat.type === "private" || !store.memberOf(chat, store.me) || request.chat_is_channel) return false;
  if (request.user_administrator_rights && !store.isAdmin(chat, store.me)) return false;
  return !request.chat_is_created || store.memberOf(chat, store.me).status === "creator";
}

async function sharePerson(request) {
  const people = [...store.users.values()].filter((user) => user.id !== store.me);
  const entries = people.map((user) => ({
    value: user.id,
    title: nameOf(user),
    picture: avatar(user.id, nameOf(user)),
  }));
  const chosen = await choose("Choose a person", entries, "There is nobody else yet.");
  return chosen && { users_shared: { request_id: request.request_id, user_ids: [Number(chosen)] } };
}

function shareContact() {
  const me = store.users.get(store.me);
  const body = field("Your phone number", "phone", { type: "tel", required: true, value: "+15550100" });
  const result = (form) => ({
    contact: {
      phone_number: new FormData(form).get("phone"),
      first_name: me.first_name,
      last_name: me.last_name,
      user_id: me.id,
    },
  });
  return openDialog({ title: "Share your phone number?", body, confirm: "Share", result });
}

function shareLocation() {
  const body = [
    field("Latitude", "latitude", {
      type: "number",
      step: "any",
      min: -90,
      max: 90,
      required: true,
      value: "51.4779",
    }),
    field("Longitude", "longitude", {
      type: "number",
      step: "any",
      min: -180,
      max: 180,
      required: true,
      value: "-0.0015",
    }),
  ];
  const result = (form) => {
    const data = new FormData(form);
    return { location: { latitude: Number(data.get("latitude")), longitude: Number(data.get("longitude")) } };
  };
  return openDialog({ title: "Share a location?", body, confirm: "Share", result });
}
