// One kind of modal window (the browser's own <dialog>: focus trap, Escape and backdrop included).

import { h } from "./dom.js";

/**
 * Open a window; resolves to what `result(form)` gives when confirmed, or null when left.
 * `body` is a node or a list of nodes; `confirm`/`cancel` are captions (null: no such button);
 * an Error thrown by `result` (it may be async) is shown and keeps the window open.
 */
export function openDialog({
  title,
  body,
  confirm = "OK",
  cancel = "Cancel",
  testid,
  result = () => true,
  danger = false,
}) {
  return new Promise((resolve) => {
    const problem = h("p", { class: "dialog-problem", role: "alert" });
    const accept =
      confirm && h("button", { type: "submit", class: danger ? "button danger" : "button" }, confirm);
    const leave =
      cancel && h("button", { type: "button", class: "button quiet", onclick: () => dialog.close() }, cancel);
    const form = h(
      "form",
      { method: "dialog" },
      h("h2", {}, title),
      h("div", { class: "dialog-body" }, body),
      problem,
      h("div", { class: "dialog-buttons" }, leave, accept),
    );
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-label": title, dataset: { testid: testid ?? "dialog" } },
      form,
    );
    let outcome = null;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (accept) accept.disabled = true;
      try {
        outcome = await result(form);
        dialog.close();
      } catch (error) {
        problem.textContent = error.message;
        if (accept) accept.disabled = false;
      }
    });
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(outcome);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A labelled input for a dialog. */
export function field(label, name, props = {}) {
  return h(
    "label",
    { class: "field" },
    h("span", {}, label),
    h("input", { name, autocomplete: "off", ...props }),
  );
}

/** A labelled check box for a dialog. */
export function check(label, name, props = {}) {
  return h(
    "label",
    { class: "check" },
    h("input", { type: "checkbox", name, ...props }),
    h("span", {}, label),
  );
}

/** A list to choose one of: resolves to the chosen entry's value, or null. Entries: {value, title, note, picture}. */
export async function choose(title, entries, empty) {
  const rows = entries.map(({ value, title: caption, note, picture }, index) =>
    h(
      "label",
      { class: "choice" },
      h("input", { type: "radio", name: "choice", value, required: true, checked: index === 0 }),
      picture,
      h("span", { class: "choice-text" }, h("b", {}, caption), note && h("small", {}, note)),
    ),
  );
  if (!rows.length) {
    await openDialog({ title, body: h("p", {}, empty), cancel: null });
    return null;
  }
  const result = (form) => new FormData(form).get("choice");
  return openDialog({ title, body: h("div", { class: "choices" }, rows), confirm: "Choose", result });
}
