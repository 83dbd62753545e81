// One file of the list: its name, how far it is, and what can be done with it.

const lang = document.documentElement.lang;
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
const SHOWN_EVERY_MS = 250;

/** A size in the person's language, as in the chat: decimal units. */
function sizeOf(bytes) {
  const step = Math.min(UNITS.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const style = { style: "unit", unit: UNITS[step], maximumFractionDigits: step > 1 ? 1 : 0 };
  return new Intl.NumberFormat(lang, style).format(bytes / 1000 ** step);
}

function spanOf(seconds) {
  const [unit, size] = seconds < 90 ? ["second", 5] : seconds < 5400 ? ["minute", 60] : ["hour", 3600];
  const count = unit === "second" ? Math.ceil(seconds / size) * size : Math.round(seconds / size);
  return new Intl.NumberFormat(lang, { style: "unit", unit, unitDisplay: "long" }).format(count);
}

function element(tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

export class Line {
  /** `told`: {name, size, state, file?, present?}; states: waiting, sending, interrupted, checking, stored, refused. */
  constructor(words, told) {
    this.words = words;
    this.name = told.name;
    this.size = told.size;
    this.number = told.file;
    this.present = told.present ?? [];
    this.state = told.state;
    this.sending = null;
    this.file = null;
    this.on = {};
    this.node = element("li", "");
    this.status = element("p", "state");
    this.bar = element("progress", "");
    this.bar.max = 100;
    this.bar.setAttribute("aria-label", words.progress_of.replaceAll("{name}", this.name));
    this.tools = element("div", "tools");
    this.node.append(element("p", "name", this.name), this.status, this.bar, this.tools);
    this.refresh(true);
  }

  get isBad() {
    return this.state === "refused";
  }

  isOf(file) {
    return file.name === this.name && file.size === this.size;
  }

  /** The file itself, which only a person can give to a page. */
  give(file) {
    this.file = file;
    this.show("waiting");
  }

  show(state, sentence = "") {
    this.state = state;
    this.sentence = sentence;
    this.refresh(true);
  }

  refresh(now = false) {
    const changed = this.sending?.state !== this.seen || this.sending?.offline !== this.seenOffline;
    if (!now && !changed && Date.now() - (this.shownAt ?? 0) < SHOWN_EVERY_MS) return;
    this.shownAt = Date.now();
    this.seen = this.sending?.state;
    this.seenOffline = this.sending?.offline;
    const percent = Math.floor(this.#share() * 100);
    this.bar.value = percent;
    this.bar.textContent = `${percent} %`;
    this.bar.hidden = !["sending", "interrupted", "waiting"].includes(this.state);
    this.status.role = this.isBad ? "alert" : null;
    this.status.textContent = this.#words(percent);
    this.node.className = this.isBad ? "bad" : this.state === "stored" ? "good" : "";
    this.#draw(this.#actions());
  }

  #share() {
    if (this.sending) return this.sending.doneBytes / this.size;
    if (!this.present.length) return 0;
    return Math.min(1, this.present.length / Math.max(this.present.at(-1), Math.ceil(this.size / (5 * 2 ** 20))));
  }

  #words(percent) {
    const { words } = this;
    const fill = (text) => text.replaceAll("{percent}", percent).replaceAll("{size}", sizeOf(this.size));
    if (this.sentence) return this.sentence;
    if (this.state === "interrupted") return fill(words.interrupted);
    if (this.state !== "sending") return words[this.state] ?? "";
    if (this.sending?.state === "paused") return fill(words.paused);
    if (this.sending?.offline) return words.offline;
    const left = this.#left();
    return fill(words.sending) + (left ? ` · ${words.left.replaceAll("{span}", left)}` : "");
  }

  /** How long it will take, by the speed since it began or went on. */
  #left() {
    if (!this.sending) return "";
    const { doneBytes } = this.sending;
    this.start ??= { at: Date.now(), bytes: doneBytes };
    const seconds = (Date.now() - this.start.at) / 1000;
    const speed = (doneBytes - this.start.bytes) / seconds;
    return seconds > 3 && speed > 0 ? spanOf((this.size - doneBytes) / speed) : "";
  }

  #actions() {
    if (this.state === "interrupted") return ["again", "remove"];
    if (this.state === "waiting") return ["remove"];
    if (this.state !== "sending" || !this.sending) return [];
    return [this.sending.state === "paused" ? "resume" : "pause", "remove"];
  }

  /** Buttons are replaced only when they change, so that none loses the focus. */
  #draw(actions) {
    const shown = [...this.tools.children].map((button) => button.dataset.action);
    if (shown.join() === actions.join()) return;
    const focused = this.tools.contains(document.activeElement);
    this.tools.replaceChildren(
      ...actions.map((action) => {
        const button = element("button", "small", this.words[action]);
        button.type = "button";
        button.dataset.action = action;
        button.setAttribute("aria-label", this.words[`${action}_of`].replaceAll("{name}", this.name));
        button.addEventListener("click", () => this.on[action]?.(this));
        return button;
      }),
    );
    this.start = null;
    if (focused) this.tools.firstElementChild?.focus();
  }
}
