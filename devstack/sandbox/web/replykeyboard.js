// The bot's own keyboard under the text field.

import { h, iconButton } from "./dom.js";
import { messageOf } from "./sharing.js";

/** The keyboard and the button that folds it. `send(message fields)` is called with what a pressed key sends. */
export class BotKeyboard {
  open = true;
  found = null; // what replyKeyboard() of markups.js says
  shown = null;

  constructor(send) {
    this.send = send;
    this.node = h("div", {});
    this.button = iconButton("keyboard", "Bot's keyboard", () => this.toggle(), { hidden: true });
  }

  /** Show the keyboard in force (or null). A new one opens; one for a single use folds once it was used. */
  show(found) {
    if (found?.message.message_id !== this.found?.message.message_id) this.open = true;
    if (found?.used && !this.found?.used) this.open = false;
    this.found = found;
    this.draw();
  }

  toggle() {
    this.open = !this.open;
    this.draw();
  }

  draw() {
    const shown = this.open ? this.found : null;
    this.button.hidden = !this.found;
    this.button.setAttribute("aria-expanded", String(Boolean(shown)));
    if (shown?.message === this.shown?.message) return;
    this.shown = shown;
    this.node.replaceChildren(...(shown ? [this.keys(shown)] : []));
  }

  keys({ rows, markup }) {
    const style = markup.resize_keyboard ? "reply-keyboard" : "reply-keyboard tall";
    const props = {
      class: style,
      role: "group",
      "aria-label": "Bot's keyboard",
      dataset: { testid: "reply-keyboard" },
    };
    const row = (keys) =>
      h(
        "div",
        { class: "reply-row" },
        keys.map((key) => this.key(key)),
      );
    return h("div", props, rows.map(row));
  }

  key(key) {
    const props = { type: "button", class: "reply-key", dir: "auto", onclick: () => this.press(key) };
    return h("button", props, key.text);
  }

  async press(key) {
    const message = await messageOf(key);
    if (message) await this.send(message);
  }
}
