// "typing…" and its relatives.

import { store } from "./store.js";

const ACTIONS = {
  typing: "typing",
  upload_photo: "sending a picture",
  upload_document: "sending a file",
  upload_video: "sending a video",
  record_video: "recording a video",
  upload_voice: "sending a voice message",
  record_voice: "recording a voice message",
  choose_sticker: "choosing a sticker",
  find_location: "looking for a place",
};

/** What is going on in a chat right now, or "". */
export function typingText(chat) {
  const now = store.typing.get(chat.id);
  if (!now) return "";
  const doing = `${ACTIONS[now.action] ?? "typing"}…`;
  return chat.type === "private" ? doing : `${now.name} is ${doing}`;
}
