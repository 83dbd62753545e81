// What each person has read: the last message id by person and chat, kept over reloads.

const KEY = "sandbox.read";
const marks = new Map(Object.entries(stored()));

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

const save = () => localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(marks)));

/** The last message id that `me` has read in the chat; 0 where nothing was read. */
export function lastRead(me, chatId) {
  return marks.get(`${me}/${chatId}`) ?? 0;
}

/** Note that `me` has read up to `messageId`; true when that is news. */
export function markRead(me, chatId, messageId) {
  if (messageId <= lastRead(me, chatId)) return false;
  marks.set(`${me}/${chatId}`, messageId);
  save();
  return true;
}

/** A mark beyond a chat's newest message belongs to an earlier sandbox: forget it. */
export function dropStale(chatId, newestId) {
  for (const [key, mark] of marks) {
    if (key.endsWith(`/${chatId}`) && mark > newestId) marks.delete(key);
  }
  save();
}

/** Forget everything. */
export function forgetReads() {
  marks.clear();
  save();
}
