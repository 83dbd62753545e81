// What the page asks its own server: small JSON words, each with what this browser is known by.

/** The server's answer was no: `message` is a sentence for the person, `status` is HTTP's. */
export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/** No answer came, or not now: worth another try. */
export class Away extends Error {}

/** What Telegram's clients append to the address of a Web App. */
const initData = new URLSearchParams(location.hash.slice(1)).get("tgWebAppData") ?? "";

/** The secret that this browser is known by. It is made here: an answer that is lost loses nothing. */
export function sessionOf(key) {
  const made = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
  try {
    const kept = localStorage.getItem(key);
    if (kept) return kept;
    localStorage.setItem(key, made);
  } catch {
    // A frame or a private window may have no storage: then a reload is another browser.
  }
  return made;
}

/** Give `ask(word, body)`, which resolves to the server's answer, or throws Refused or Away. */
export function asker(session) {
  return async (word, body = {}) => {
    const headers = { "Content-Type": "application/json", "X-Upload-Session": session };
    if (initData) headers["X-Telegram-Init-Data"] = initData;
    let response;
    let answer;
    try {
      response = await fetch(`${location.pathname.replace(/\/+$/, "")}/${word}`, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(60_000),
      });
      answer = await response.json();
    } catch {
      throw new Away(word);
    }
    if (response.ok) return answer;
    if (response.status >= 500 || response.status === 429) throw new Away(answer.sentence);
    throw new Refused(response.status, answer.sentence);
  };
}
