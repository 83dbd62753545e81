// A picture over the whole window.

import { h, icon, iconButton } from "./dom.js";

/** Show the picture at `address` enlarged, with its caption, until Escape or a click. */
export function enlarge(address, caption) {
  const image = h("img", { src: address, alt: caption || "Picture" });
  const download = h(
    "a",
    { class: "icon-button", href: address, download: "", "aria-label": "Download", title: "Download" },
    icon("download"),
  );
  const dialog = h(
    "dialog",
    { class: "viewer", "aria-label": "Picture", dataset: { testid: "viewer" } },
    h(
      "div",
      { class: "viewer-bar" },
      download,
      iconButton("close", "Close", () => dialog.close()),
    ),
    image,
    caption && h("p", {}, caption),
  );
  dialog.addEventListener("click", (event) => !event.target.closest("a, p") && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
