// The bots' commands: a menu button, and suggestions while one writes "/".

import { fetchBot } from "./api.js";
import { h, iconButton } from "./dom.js";
import { store } from "./store.js";

/** `run(text)` is called with the command that was chosen ("/start", in groups "/start@bot"). */
export class Commands {
  all = [];
  open = false; // by the menu button
  active = 0;

  constructor(text, run) {
    this.text = text;
    this.run = run;
    this.node = h("div", {
      class: "commands",
      id: "commands",
      role: "listbox",
      "aria-label": "Commands",
      hidden: true,
      dataset: { testid: "commands" },
    });
    this.button = iconButton("slash", "Commands", () => this.toggle(), {
      hidden: true,
      dataset: { testid: "command-menu" },
    });
    text.setAttribute("aria-controls", "commands");
    document.addEventListener("pointerdown", (event) => {
      if (this.open && !this.node.contains(event.target) && !this.button.contains(event.target))
        this.toggle();
    });
  }

  /** Ask what the open chat offers to me. */
  async load() {
    const { me, chatId } = store;
    this.open = false;
    if (chatId === null) return;
    const { commands } = await fetchBot().catch(() => ({ commands: [] })); // without commands one can still write
    if (store.me !== me || store.chatId !== chatId) return;
    this.all = narrowest(commands, store.chats.get(chatId), store.users.get(me));
    this.button.hidden = !this.all.length;
    this.suggest();
  }

  async toggle() {
    if (!this.open) await this.load();
    this.open = !this.open;
    this.active = 0;
    this.suggest();
    if (this.open) this.text.focus();
  }

  /** The commands that fit what is written; all of them when the menu was opened. */
  matching() {
    const written = /^\/([a-z0-9_]*)$/i.exec(this.text.value);
    if (written) return this.all.filter((each) => each.command.startsWith(written[1].toLowerCase()));
    return this.open && !this.text.value ? this.all : [];
  }

  suggest() {
    this.shown = this.matching();
    this.active = Math.min(this.active, Math.max(0, this.shown.length - 1));
    this.node.hidden = !this.shown.length;
    this.button.setAttribute("aria-expanded", String(!this.node.hidden));
    this.node.replaceChildren(
      ...this.shown.map((each, index) =>
        h(
          "div",
          {
            class: "command",
            role: "option",
            id: `command-${index}`,
            "aria-selected": String(index === this.active),
            onclick: () => this.choose(each),
          },
          h("b", {}, `/${each.command}`),
          h("span", {}, each.description),
        ),
      ),
    );
    if (this.node.hidden) this.text.removeAttribute("aria-activedescendant");
    else this.text.setAttribute("aria-activedescendant", `command-${this.active}`);
  }

  /** Take the keys that belong to an open list; true when it took one. */
  onKey(event) {
    if (this.node.hidden) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.active = (this.active + step + this.shown.length) % this.shown.length;
    else if (event.key === "Enter") this.choose(this.shown[this.active]);
    else if (event.key === "Tab") this.text.value = `/${this.shown[this.active].command} `;
    else if (event.key === "Escape") this.dismiss();
    else return false;
    event.preventDefault();
    this.suggest();
    return true;
  }

  dismiss() {
    this.open = false;
    this.text.value = "";
  }

  choose(chosen) {
    const group = store.chats.get(store.chatId)?.type !== "private";
    this.dismiss();
    this.suggest();
    this.run(group ? `/${chosen.command}@${store.bot.username}` : `/${chosen.command}`);
  }
}

/** Of all command sets the one that Telegram shows to `me` in `chat`: the narrowest scope, then my language before none. */
function narrowest(sets, chat, me) {
  const group = chat.type !== "private";
  const admin = group && store.isAdmin(chat, me.id);
  const scopes = [
    { type: "chat_member", chat_id: chat.id, user_id: me.id },
    admin && { type: "chat_administrators", chat_id: chat.id },
    { type: "chat", chat_id: chat.id },
    admin && { type: "all_chat_administrators" },
    { type: group ? "all_group_chats" : "all_private_chats" },
    { type: "default" },
  ].filter(Boolean);
  const fits = (set, scope, language) =>
    (set.language_code || "") === language &&
    Object.entries(scope).every(([name, value]) => String(set.scope[name]) === String(value));
  for (const scope of scopes) {
    for (const language of [me.language_code || "", ""]) {
      const found = sets.find((set) => fits(set, scope, language));
      if (found?.commands.length) return found.commands;
    }
  }
  return [];
}
