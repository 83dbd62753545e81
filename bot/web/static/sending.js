// One file on its way to the bucket: in parts, several at once, again and again until each is there.

import { Away } from "./api.js";

const AT_ONCE = 3;
const BATCH = 50;
const LONGEST_PAUSE_MS = 20_000;
const SILENCE_MS = 60_000;
const URL_AGE_MS = 600_000; // signed for 900 s

/** Wait, with some chance in it; shorter if the connection comes back meanwhile. */
function rest(failures) {
  const pause = Math.min(LONGEST_PAUSE_MS, 500 * 2 ** failures) * (0.75 + Math.random() / 2);
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, pause);
    addEventListener("online", () => (clearTimeout(timer), setTimeout(resolve, 200)), { once: true });
  });
}

/** Sends the missing parts of a file. `changed()` is called when there is something to show. */
export class Sending {
  constructor(ask, begun, file, changed) {
    this.ask = ask;
    this.number = begun.file;
    this.file = file;
    this.changed = changed;
    this.partBytes = begun.part_bytes;
    this.count = Math.ceil(file.size / begun.part_bytes);
    this.present = new Set(begun.present);
    this.urls = new Map();
    this.loaded = new Map(); // part -> bytes of it that are on their way
    this.requests = new Set();
    this.state = "sending"; // paused, stopped
    this.offline = false;
  }

  /** How many bytes are there, those on their way included. */
  get doneBytes() {
    const whole = [...this.present].reduce((sum, part) => sum + this.#sizeOf(part), 0);
    return Math.min(this.file.size, whole + [...this.loaded.values()].reduce((sum, some) => sum + some, 0));
  }

  #sizeOf(part) {
    return Math.min(this.partBytes, this.file.size - (part - 1) * this.partBytes);
  }

  /** Send until everything is there (true), or until it is stopped (false). */
  async run() {
    for (;;) {
      await this.#sendMissing();
      if (this.state === "stopped") return false;
      const { missing } = await this.#patiently(() => this.ask("finish", { file: this.number }));
      if (!missing?.length) return this.state !== "stopped";
      for (const part of missing) this.present.delete(part);
    }
  }

  pause() {
    this.state = "paused";
    for (const request of this.requests) request.abort();
    this.changed();
  }

  resume() {
    this.state = "sending";
    this.wake?.();
    this.changed();
  }

  stop() {
    this.state = "stopped";
    for (const request of this.requests) request.abort();
    this.wake?.();
  }

  async #sendMissing() {
    const waiting = [];
    for (let part = 1; part <= this.count; part += 1) if (!this.present.has(part)) waiting.push(part);
    const hands = Array.from({ length: AT_ONCE }, () => this.#work(waiting));
    await Promise.all(hands);
  }

  async #work(waiting) {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      await this.#sendPart(part, waiting);
      if (this.state === "stopped") return;
    }
  }

  async #sendPart(part, waiting) {
    const start = (part - 1) * this.partBytes;
    await this.#patiently(async () => {
      const address = await this.#address(part, waiting);
      await this.#put(part, address, this.file.slice(start, start + this.#sizeOf(part)));
      this.present.add(part);
    });
  }

  /** Do something until it works; rest between tries, and as long as the person has paused. */
  async #patiently(act) {
    for (let failures = 0; ; ) {
      await this.#whilePaused();
      if (this.state === "stopped") return {};
      try {
        const result = await act();
        this.offline = false;
        return result;
      } catch (error) {
        if (!(error instanceof Away)) throw error;
      }
      if (this.state !== "sending") continue;
      failures += 1;
      this.offline = failures > 1 || !navigator.onLine;
      this.changed();
      await rest(failures);
    }
  }

  async #whilePaused() {
    while (this.state === "paused") await new Promise((resolve) => (this.wake = resolve));
  }

  async #address(part, waiting) {
    const known = this.urls.get(part);
    if (known && Date.now() - known.at < URL_AGE_MS) return known.url;
    const numbers = [part, ...waiting.slice(0, BATCH - 1)];
    const { urls } = await this.ask("parts", { file: this.number, numbers });
    for (const [number, url] of Object.entries(urls)) {
      this.urls.set(Number(number), { url, at: Date.now() });
    }
    return this.urls.get(part).url;
  }

  /** PUT one part. Only XMLHttpRequest tells how much of it has gone. */
  #put(part, address, blob) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      let silence;
      const listen = () => {
        clearTimeout(silence);
        silence = setTimeout(() => request.abort(), SILENCE_MS);
      };
      const end = (settle, value) => {
        clearTimeout(silence);
        this.requests.delete(request);
        this.loaded.delete(part);
        settle(value);
        this.changed();
      };
      const fail = () => {
        this.urls.delete(part); // it may have expired; a fresh one costs little
        end(reject, new Away(`part ${part}`));
      };
      request.upload.onprogress = (event) => {
        listen();
        this.loaded.set(part, Math.min(event.loaded, blob.size));
        this.changed();
      };
      request.onload = () => (request.status >= 200 && request.status < 300 ? end(resolve) : fail());
      request.onerror = fail;
      request.onabort = fail;
      request.open("PUT", address);
      this.requests.add(request);
      listen();
      request.send(blob);
    });
  }
}
