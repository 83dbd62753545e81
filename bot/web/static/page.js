// The upload page: what the person sees and does. Each file is a line of the list.

import { Away, asker, Refused, sessionOf } from "./api.js";
import { Line } from "./line.js";
import { Sending } from "./sending.js";

const LOOK_MS = 1500;
const ENDED = ["stored", "refused", "failed", "infected", "removing", "removed"];

const $ = (id) => document.getElementById(id);
const page = $("page");
const words = JSON.parse(page.dataset.words);
const accept = page.dataset.accept ? page.dataset.accept.split(",") : [];
const limit = Number(page.dataset.limit);
const most = Number(page.dataset.most);
const ask = asker(sessionOf(page.dataset.key));

const lines = []; // in the order of the list
let again = null; // the interrupted line whose file is being chosen again
let busy = false;
let over = false;

// what is shown

function alert(sentence) {
  $("alert").textContent = sentence;
  $("alert").hidden = !sentence;
}

function news(sentence) {
  $("news").textContent = sentence;
}

/** Nothing more can be done here. */
function end(sentence, isGood) {
  over = true;
  $("drop").hidden = true;
  $("done").hidden = true;
  if (!isGood) return alert(sentence);
  alert("");
  $("end").textContent = sentence;
  $("end").hidden = false;
  news(sentence);
}

function refresh() {
  if (over) return;
  const counting = lines.filter((line) => !line.isBad);
  $("drop").hidden = counting.length >= most;
  $("file").multiple = most > 1 && !again;
  const stored = lines.filter((line) => line.state === "stored");
  $("done").hidden = most === 1 || !stored.length || counting.length > stored.length;
  if (most === 1 && stored.length) end(words.all_done, true);
}

// what the person does

function whyNot(file) {
  const name = file.name.toLowerCase();
  if (accept.length && !accept.some((each) => name.endsWith(each) && name !== each)) return words.wrong_kind;
  if (file.size === 0) return words.empty;
  if (file.size > limit) return words.too_large;
  return "";
}

async function chosen(files) {
  alert("");
  const line = again;
  again = null;
  if (line && files.length) {
    const [file] = files;
    if (file.name !== line.chosenAs && file.name !== line.name) return alert(fill(words.not_the_same, line));
    if (file.size !== line.size) return alert(fill(words.not_the_same, line));
    line.give(file);
  } else {
    for (const file of files) take(file);
  }
  refresh();
  await work();
}

function take(file) {
  const why = whyNot(file);
  if (why) return alert(why);
  const same = lines.find((each) => each.state === "interrupted" && each.isOf(file));
  if (same) return same.give(file);
  if (lines.filter((each) => !each.isBad).length >= most) return alert(words.too_many);
  for (const bad of lines.filter((each) => each.isBad)) forget(bad);
  add(new Line(words, { name: file.name, size: file.size, state: "waiting" })).give(file);
}

const fill = (sentence, line) => sentence.replaceAll("{name}", line.name);

function add(line) {
  lines.push(line);
  $("files").append(line.node);
  line.on = { pause: () => line.sending?.pause(), resume: () => line.sending?.resume(), remove, again: choose };
  return line;
}

function choose(line) {
  again = line;
  $("file").multiple = false;
  $("file").click();
}

async function remove(line) {
  line.sending?.stop();
  forget(line);
  $("file").focus();
  if (line.number !== undefined && !line.isBad) await ask("drop", { file: line.number }).catch(() => {});
}

function forget(line) {
  const at = lines.indexOf(line);
  if (at >= 0) lines.splice(at, 1);
  line.node.remove();
  refresh();
}

// what happens

/** Send what waits, one file after the other. */
async function work() {
  if (busy) return;
  busy = true;
  try {
    for (let line; (line = lines.find((each) => each.state === "waiting" && each.file)); ) await send(line);
  } finally {
    busy = false;
  }
}

async function send(line) {
  line.show("sending");
  try {
    const { file } = line;
    const begun = await untilThere(() => ask("begin", { name: file.name, size: file.size, type: file.type }));
    line.number = begun.file;
    if (!lines.includes(line)) return void ask("drop", { file: begun.file }).catch(() => {});
    line.sending = new Sending(ask, begun, file, () => line.refresh());
    line.refresh();
    if (!(await line.sending.run())) return;
    line.sending = null;
    line.show("checking");
    news(`${line.name}: ${words.checking}`);
    await untilSettled(line);
  } catch (error) {
    line.sending?.stop();
    line.sending = null;
    fail(line, error);
  }
  refresh();
}

function fail(line, error) {
  const sentence = error instanceof Refused ? error.message : words.failed;
  line.show("refused", sentence);
  if (error instanceof Refused && [403, 404, 410].includes(error.status)) end(sentence, false);
}

async function untilThere(act) {
  for (let failures = 1; ; failures += 1) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Away)) throw error;
      await pause(Math.min(20_000, 500 * 2 ** failures));
    }
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Look until it is known what became of a file. */
async function untilSettled(line) {
  for (;;) {
    const { files } = await untilThere(() => ask("status"));
    const told = files.find((each) => each.file === line.number);
    if (!told) return line.show("refused", words.failed);
    if (ENDED.includes(told.state)) return settle(line, told);
    line.show("checking", told.sentence);
    await pause(LOOK_MS);
  }
}

function settle(line, told) {
  line.show(told.state === "stored" ? "stored" : "refused", told.sentence);
  if (told.state === "stored") news(most > 1 ? words.now_done : words.all_done);
}

/** What this browser has begun before. */
async function begin() {
  let told;
  try {
    told = await untilThere(() => ask("status"));
  } catch (error) {
    return end(error.message, false);
  }
  for (const each of told.files) {
    const state = each.state === "sending" ? "interrupted" : "checking";
    const line = add(new Line(words, { ...each, state }));
    if (state === "checking") void untilSettled(line).then(refresh, (error) => fail(line, error));
  }
  refresh();
}

$("file").addEventListener("change", () => {
  const files = [...$("file").files];
  $("file").value = "";
  void chosen(files);
});
$("file").addEventListener("cancel", () => (again = null));
$("done").addEventListener("click", async () => {
  try {
    await ask("done");
    end(words.all_done, true);
  } catch (error) {
    alert(error instanceof Refused ? error.message : words.failed);
  }
});
for (const kind of ["dragover", "drop"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && !$("drop").hidden) void chosen([...event.dataTransfer.files]);
  });
}
addEventListener("dragleave", () => $("drop").classList.remove("over"));
addEventListener("beforeunload", (event) => {
  if (lines.some((line) => line.sending)) event.preventDefault();
});

void begin();
