// Short notices at the bottom of the page, and the alert a bot may answer a tap with.

import { h } from "./dom.js";
import { openDialog } from "./dialog.js";

const SHOWN_MS = 4000;

/** Show one line for a few seconds. */
export function toast(text, { problem = false } = {}) {
  const node = h("div", { class: problem ? "toast problem" : "toast", dataset: { testid: "toast" } }, text);
  const place = document.querySelector("#toasts");
  place.append(node);
  if (place.matches(":popover-open")) place.hidePopover();
  place.showPopover(); // shown anew, so that it lies above a window that was opened later
  setTimeout(() => node.remove(), SHOWN_MS);
}

/** Show that something failed. */
export const complain = (error) => toast(error.message ?? String(error), { problem: true });

/** Copy to the clipboard, and say so. Browsers allow it on HTTPS and localhost only. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    complain(new Error("The browser does not allow copying here"));
  }
}

/** The window of answerCallbackQuery's show_alert. */
export function alertBox(title, text) {
  return openDialog({
    title,
    testid: "alert",
    body: h("p", { class: "alert-text" }, text),
    confirm: "OK",
    cancel: null,
  });
}
