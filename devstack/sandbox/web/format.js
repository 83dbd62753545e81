// How names, times, sizes and message summaries are written.

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat("en", { weekday: "short" });
const dayMonth = new Intl.DateTimeFormat("en", { day: "numeric", month: "long" });
const dayMonthYear = new Intl.DateTimeFormat("en", { day: "numeric", month: "long", year: "numeric" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "medium" });
const short = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "2-digit", year: "2-digit" });

/** "14:02" of Unix seconds. */
export const timeOf = (unix_s) => clock.format(unix_s * 1000);

/** The long form for tooltips. */
export const fullTimeOf = (unix_s) => full.format(unix_s * 1000);

/** A key that is equal for all times of one local day. */
export const dayKey = (unix_s) => new Date(unix_s * 1000).toDateString();

/** "Today", "Yesterday", "3 March" or "3 March 2024". */
export function dayName(unix_s) {
  const date = new Date(unix_s * 1000);
  const age_days = daysAgo(date);
  if (age_days === 0) return "Today";
  if (age_days === 1) return "Yesterday";
  return (date.getFullYear() === new Date().getFullYear() ? dayMonth : dayMonthYear).format(date);
}

/** For the chat list: time of today, weekday of this week, else a date. */
export function shortTimeOf(unix_s) {
  const date = new Date(unix_s * 1000);
  const age_days = daysAgo(date);
  if (age_days <= 0) return clock.format(date);
  return age_days < 7 ? weekday.format(date) : short.format(date);
}

function daysAgo(date) {
  const midnight = (day) => new Date(day.getFullYear(), day.getMonth(), day.getDate());
  return Math.round((midnight(new Date()) - midnight(date)) / 86_400_000);
}

/** "1.4 MB" of bytes. */
export function sizeOf(bytes) {
  if (bytes === undefined || bytes === null) return "";
  const units = ["B", "KB", "MB", "GB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return `${unit === 0 || bytes >= 100 ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
}

/** "Ada Lovelace". */
export const nameOf = (user) => [user.first_name, user.last_name].filter(Boolean).join(" ");

/** Who a message is shown as: a user, or the chat itself for an anonymous administrator or a channel. */
export function senderOf(message) {
  const chat = message.sender_chat;
  if (chat) return { id: chat.id, name: chat.title ?? chat.username ?? "Channel", bot: false };
  const user = message.from ?? { id: 0, first_name: "Somebody" };
  return { id: user.id, name: nameOf(user), bot: Boolean(user.is_bot) };
}

/** The kinds of attachment that are shown as a file, with the word for one without a name. */
export const FILE_KINDS = {
  document: "File",
  video: "Video",
  animation: "Animation",
  audio: "Audio",
  voice: "Voice message",
  video_note: "Video message",
  sticker: "Sticker",
};

/** One line that stands for a message: in the chat list, in quotes, in screen reader labels. */
export function summaryOf(message) {
  const note = serviceText(message);
  if (note) return note;
  const words = (message.text ?? message.caption ?? "").replace(/\s+/g, " ");
  if (message.photo) return words ? `Picture, ${words}` : "Picture";
  for (const [kind, word] of Object.entries(FILE_KINDS)) {
    if (message[kind]) return [message[kind].file_name ?? word, words].filter(Boolean).join(", ");
  }
  if (message.contact) return `Contact: ${nameOf(message.contact)}`;
  if (message.location) return "Location";
  return words || "Message";
}

/** The text of a service message ("Ada added Bob"), or null for an ordinary message. */
export function serviceText(message) {
  const who = senderOf(message).name;
  const names = (users) => users.map(nameOf).join(", ");
  if (message.new_chat_members) return joined(who, message.from, message.new_chat_members, names);
  if (message.left_chat_member) {
    const gone = message.left_chat_member;
    return gone.id === message.from?.id ? `${who} left the group` : `${who} removed ${nameOf(gone)}`;
  }
  if (message.group_chat_created || message.supergroup_chat_created) return `${who} created the group`;
  if (message.new_chat_title) return `${who} renamed the group to “${message.new_chat_title}”`;
  if (message.pinned_message) return `${who} pinned a message`;
  if (message.migrate_to_chat_id) return "The group became a supergroup";
  if (message.migrate_from_chat_id) return "This supergroup was a group before";
  if (message.chat_shared)
    return `${who} shared a group${message.chat_shared.title ? `: ${message.chat_shared.title}` : ""}`;
  if (message.users_shared || message.user_shared) return `${who} shared a person`;
  if (message.forum_topic_created) return `${who} opened the topic “${message.forum_topic_created.name}”`;
  return null;
}

function joined(who, from, members, names) {
  const alone = members.length === 1 && members[0].id === from?.id;
  return alone ? `${who} joined the group` : `${who} added ${names(members)}`;
}
