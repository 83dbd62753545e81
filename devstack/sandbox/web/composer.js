// Writing: text field, reply and edit bar, attach, command list, the bot's keyboard.

import * as api from "./api.js";
import { attach, watchFiles } from "./attach.js";
import { Commands } from "./commands.js";
import { h, iconButton } from "./dom.js";
import { nameOf, senderOf, summaryOf } from "./format.js";
import { forcedReply, replyKeyboard } from "./markups.js";
import { BotKeyboard } from "./replykeyboard.js";
import { store } from "./store.js";
import { complain } from "./toast.js";

const LONGEST_TEXT = 4096; // a longer one is cut in pieces, as Telegram's apps do
const TALLEST_PX = 220;

/** The foot of the conversation, for all chats; what is half written is kept per person and chat. */
export class Composer {
  drafts = new Map(); // "person/chat" -> {text, replyTo, editing}
  dismissed = new Set(); // forced replies that were closed, as "chat/message"
  address = null;
  replyTo = null;
  editing = null;

  constructor(parent) {
    this.bar = h("div", { class: "composer-bar", hidden: true, dataset: { testid: "reply-bar" } });
    this.text = h("textarea", {
      rows: 1,
      "aria-label": "Write a message",
      enterkeyhint: "send",
      dataset: { testid: "composer" },
    });
    this.sendButton = iconButton("send", "Send", () => this.submit(), {
      class: "send",
      disabled: true,
      dataset: { testid: "send" },
    });
    this.files = h("input", {
      type: "file",
      multiple: true,
      hidden: true,
      "aria-label": "Files",
      dataset: { testid: "file-input" },
    });
    this.commands = new Commands(this.text, (command) => this.send({ text: command }));
    this.keyboard = new BotKeyboard((message) => this.send(message));
    const pick = iconButton("attach", "Attach files", () => this.files.click(), {
      dataset: { testid: "attach" },
    });
    this.node = h(
      "footer",
      { class: "composer" },
      this.commands.node,
      h(
        "div",
        { class: "composer-box" },
        this.bar,
        h(
          "div",
          { class: "composer-row" },
          this.commands.button,
          pick,
          this.text,
          this.keyboard.button,
          this.sendButton,
        ),
      ),
      this.files,
      this.keyboard.node,
    );
    parent.append(this.node);
    this.listen(parent);
  }

  listen(parent) {
    this.text.addEventListener("input", () => this.resize());
    this.text.addEventListener("keydown", (event) => this.onKey(event));
    watchFiles(parent, this.text, this.files, (files) => this.attach(files));
    store.on("selection", () => this.switchChat());
    store.on("messages people", () => this.refresh());
  }

  /** Put the draft of the old chat away and take out the one of the chat that is open now. */
  switchChat() {
    this.node.hidden = store.chatId === null;
    const address = store.chatId === null ? null : `${store.me}/${store.chatId}`;
    if (address === this.address) return this.refresh();
    const { replyTo, editing } = this;
    if (this.address) this.drafts.set(this.address, { text: this.text.value, replyTo, editing });
    const draft = this.drafts.get(address) ?? { text: "", replyTo: null, editing: null };
    Object.assign(this, { address, replyTo: draft.replyTo, editing: draft.editing });
    this.text.value = draft.text;
    this.resize();
    this.commands.load();
    this.refresh();
    return this.focus();
  }

  /** Follow what the chat shows now: forced replies, keyboards, messages that went away. */
  refresh() {
    const me = store.users.get(store.me);
    const messages = store.list(store.chatId);
    if (!me || store.chatId === null) return;
    for (const name of ["replyTo", "editing"]) {
      if (this[name] && store.isLoaded(store.chatId) && !store.find(store.chatId, this[name].message_id))
        this[name] = null;
    }
    if (!this.replyTo && !this.editing) this.replyTo = this.askedFor(messages, me);
    this.keyboard.show(replyKeyboard(messages, me));
    const markup = this.replyTo?.sandbox?.force_reply ?? this.keyboard.shown?.markup;
    this.text.placeholder = markup?.input_field_placeholder ?? `Write as ${me.first_name}`;
    this.showBar();
  }

  /** The message that wants a reply from me which I have neither given nor refused. */
  askedFor(messages, me) {
    const forced = forcedReply(messages, me);
    return forced && !this.dismissed.has(`${store.chatId}/${forced.message_id}`) ? forced : null;
  }

  showBar() {
    const about = this.editing ?? this.replyTo;
    this.bar.hidden = !about;
    this.sendButton.setAttribute("aria-label", this.editing ? "Save" : "Send");
    if (!about) return;
    const title = this.editing ? "Edit message" : `Reply to ${senderOf(about).name}`;
    this.bar.replaceChildren(
      h("div", { class: "composer-about" }, h("b", {}, title), h("span", {}, summaryOf(about))),
      iconButton("close", "Cancel", () => this.cancel()),
    );
  }

  /** Leave reply or edit. */
  cancel() {
    if (this.editing) this.text.value = "";
    this.editing = null;
    this.dropReply();
    this.resize();
    this.refresh();
    this.focus();
  }

  /** Reply to nothing any more; a forced reply that was given or refused does not come back. */
  dropReply() {
    if (this.replyTo?.sandbox?.force_reply) this.dismissed.add(`${store.chatId}/${this.replyTo.message_id}`);
    this.replyTo = null;
  }

  reply(message) {
    Object.assign(this, { replyTo: message, editing: null });
    this.refresh();
    this.text.focus();
  }

  edit(message) {
    Object.assign(this, { editing: message, replyTo: null });
    this.text.value = message.text ?? message.caption;
    this.resize();
    this.refresh();
    this.text.focus();
  }

  insert(words) {
    this.text.setRangeText(words, this.text.selectionStart, this.text.selectionEnd, "end");
    this.resize();
    this.text.focus();
  }

  /** Focus the text field, but do not make a touch screen's keyboard jump up. */
  focus() {
    if (store.chatId !== null && !matchMedia("(pointer: coarse)").matches) this.text.focus();
  }

  resize() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, TALLEST_PX)}px`;
    this.sendButton.disabled = !this.text.value.trim();
    this.commands.suggest();
  }

  onKey(event) {
    if (event.isComposing || this.commands.onKey(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !matchMedia("(pointer: coarse)").matches) this.submit();
    else if (event.key === "Escape" && (this.editing || this.replyTo)) this.cancel();
    else if (event.key === "ArrowUp" && !this.text.value && !this.editing) this.editLast();
    else return;
    event.preventDefault();
  }

  editLast() {
    const mine = store
      .list(store.chatId)
      .findLast((message) => message.from?.id === store.me && message.text);
    if (mine) this.edit(mine);
  }

  /** Send, or save, what is written; on failure it comes back into the field. */
  async submit() {
    const text = this.text.value.trim();
    const { editing } = this;
    if (!text) return;
    this.text.value = "";
    this.resize();
    const sent = editing ? await this.save(editing, text) : await this.sendPieces(text);
    if (!sent && !this.text.value) this.text.value = text;
    this.resize();
  }

  async save(message, text) {
    this.editing = null;
    const changed = message.text === undefined ? { caption: text } : { text };
    return this.send({ edit: message.message_id, ...changed });
  }

  async sendPieces(text) {
    for (let at = 0; at < text.length; at += LONGEST_TEXT) {
      if (!(await this.send({ text: text.slice(at, at + LONGEST_TEXT) }))) return false;
    }
    return true;
  }

  /** Send a message's fields as me, as the reply that the bar shows; false when the sandbox refused. */
  async send(fields) {
    const message = this.addressed(fields);
    const { replyTo } = this;
    this.dropReply();
    try {
      await api.sendMessage(store.chatId, message);
      this.refresh();
      return true;
    } catch (error) {
      this.replyTo = replyTo;
      this.refresh();
      complain(error);
      return false;
    }
  }

  addressed(fields) {
    const reply = this.replyTo && fields.edit === undefined ? { reply_to: this.replyTo.message_id } : {};
    return { from: store.me, ...reply, ...fields };
  }

  /** Offer files for sending; the text written so far becomes their caption. */
  async attach(files) {
    const message = this.addressed({});
    const me = store.users.get(store.me);
    const sent = await attach(store.chatId, message, files, { caption: this.text.value, as: nameOf(me) });
    if (!sent) return;
    this.text.value = "";
    this.dropReply();
    this.resize();
    this.refresh();
  }
}
