// Sending files: from the button, by drag and drop, from the clipboard; a look at them before they go.

import * as api from "./api.js";
import { check, field, openDialog } from "./dialog.js";
import { h, icon } from "./dom.js";
import { sizeOf } from "./format.js";
import { toast } from "./toast.js";

const PICTURE_TYPES = ["image/jpeg", "image/png", "image/webp"];
const LARGEST_ALBUM = 10;

/** Call `take(files)` for what is chosen in `input`, pasted into `text` or dropped on `area`. */
export function watchFiles(area, text, input, take) {
  const given = (list) => {
    const files = [...(list ?? [])];
    if (files.length) take(files);
    return files.length > 0;
  };
  input.addEventListener("change", () => {
    given(input.files);
    input.value = "";
  });
  text.addEventListener("paste", (event) => given(event.clipboardData?.files) && event.preventDefault());
  watchDrops(area, given);
}

function watchDrops(area, given) {
  const hint = h(
    "div",
    { class: "drop-hint", hidden: true },
    h("div", {}, icon("attach"), "Drop files here to send them"),
  );
  area.append(hint);
  const withFiles = (event) => event.dataTransfer?.types.includes("Files");
  area.addEventListener("dragenter", (event) => {
    if (withFiles(event)) hint.hidden = false;
  });
  hint.addEventListener("dragover", (event) => event.preventDefault());
  hint.addEventListener("dragleave", () => {
    hint.hidden = true;
  });
  hint.addEventListener("drop", (event) => {
    event.preventDefault();
    hint.hidden = true;
    given(event.dataTransfer.files);
  });
}

/** Show `files`, ask for a caption and how to send them, and send; true when sent. */
export async function attach(chatId, message, files, { caption, as }) {
  const pictures = files.every((file) => PICTURE_TYPES.includes(file.type));
  const previews = files.map(preview);
  const body = [
    h(
      "div",
      { class: "previews" },
      previews.map(({ node }) => node),
    ),
    pictures &&
      check(files.length > 1 ? "Send as pictures" : "Send as a picture", "pictures", { checked: true }),
    files.length > 1 && files.length <= LARGEST_ALBUM && check("As one album", "album", { checked: true }),
    field("Caption", "caption", {
      value: caption,
      maxlength: 1024,
      placeholder: "Add a caption",
      autofocus: true,
    }),
  ].filter(Boolean);
  const title = files.length > 1 ? `Send ${files.length} files` : "Send file";
  const result = (form) => send(chatId, message, files, new FormData(form));
  const sent = await openDialog({
    title: `${title} as ${as}`,
    body,
    confirm: "Send",
    testid: "attach-dialog",
    result,
  });
  for (const { address } of previews) if (address) URL.revokeObjectURL(address);
  return Boolean(sent);
}

function preview(file) {
  const address = PICTURE_TYPES.includes(file.type) ? URL.createObjectURL(file) : null;
  const badge = address
    ? h("img", { class: "file-badge", src: address, alt: "" })
    : h("span", { class: "file-badge tone-4" }, icon("file"));
  const text = h(
    "span",
    { class: "file-text" },
    h("b", { class: "file-name" }, file.name),
    h("small", {}, sizeOf(file.size)),
  );
  return { address, node: h("div", { class: "file" }, badge, text) };
}

async function send(chatId, message, files, choices) {
  const kind = choices.has("pictures") ? "photo" : "document";
  const captioned = choices.get("caption").trim()
    ? { ...message, caption: choices.get("caption").trim() }
    : message;
  if (choices.has("album")) await api.sendAlbum(chatId, captioned, kind, files);
  else {
    for (const [index, file] of files.entries())
      await api.sendFile(chatId, index === 0 ? captioned : message, kind, file);
  }
  if (files.length > 1) toast(`${files.length} files sent`);
  return true;
}
