// Taps on inline buttons: the spinner while the bot has not answered, and its answer as a toast or an alert.

import * as api from "./api.js";
import { store } from "./store.js";
import { alertBox, complain, copy, toast } from "./toast.js";

const LONGEST_SPIN_MS = 15_000;

const spinning = new Map(); // callback query id -> the button that waits
const answered = new Set(); // answers that overtook the response of their own tap

/** Do what an inline button does. `button` is Bot API JSON, `node` its element. */
export async function tap(button, node, message) {
  const address = button.url ?? button.web_app?.url ?? button.login_url?.url;
  if (address) open(address, "_blank", "noopener,noreferrer");
  else if (button.copy_text) await copy(button.copy_text.text);
  else if (button.callback_data !== undefined) await callBack(button, node, message);
  else toast("The sandbox knows no such button.");
}

async function callBack(button, node, message) {
  node.setAttribute("aria-busy", "true");
  try {
    const { callback_query_id: id } = await api.pressButton(
      message.chat.id,
      message.message_id,
      store.me,
      button.callback_data,
    );
    if (answered.delete(id)) return stop(node);
    spinning.set(id, node);
    setTimeout(() => finish(id), LONGEST_SPIN_MS);
  } catch (error) {
    stop(node);
    complain(error);
  }
}

const stop = (node) => node?.removeAttribute("aria-busy");

function finish(id) {
  const node = spinning.get(id);
  spinning.delete(id);
  stop(node);
  return Boolean(node);
}

/** Show the answers of callback queries from now on. */
export function followAnswers() {
  store.on("callback", (event) => {
    if (!finish(event.callback_query_id)) answered.add(event.callback_query_id);
    if (event.user_id !== store.me || !event.text) return;
    const chat = store.chats.get(event.chat_id);
    if (event.show_alert) alertBox(chat ? store.titleOf(chat) : "Bot", event.text);
    else toast(event.text);
  });
}
