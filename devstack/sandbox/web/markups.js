// Which reply keyboard and which forced reply a chat shows to a person.

/** The reply markup of a message that concerns the field to write in: a keyboard, or {remove_keyboard}. */
const keyboardOf = ({ sandbox }) =>
  sandbox?.reply_keyboard ?? (sandbox?.remove_keyboard ? { remove_keyboard: true } : null);

/** A selective markup is for those whom its message mentions or replies to; any other is for everybody. */
function isFor(message, markup, me) {
  if (!markup.selective) return true;
  if (message.reply_to_message?.from?.id === me.id) return true;
  const words = message.text ?? message.caption ?? "";
  return (message.entities ?? message.caption_entities ?? []).some((entity) => {
    if (entity.type === "text_mention") return entity.user.id === me.id;
    const mention = words.slice(entity.offset, entity.offset + entity.length).toLowerCase();
    return entity.type === "mention" && mention === `@${me.username?.toLowerCase()}`;
  });
}

const captionOf = (button) => (typeof button === "string" ? button : button.text);

/**
 * The reply keyboard in force for `me`, as {message, markup, rows, used}, or null.
 * `used`: it was meant for one use, and `me` has written since.
 */
export function replyKeyboard(messages, me) {
  const message = messages.findLast((each) => keyboardOf(each) && isFor(each, keyboardOf(each), me));
  const markup = message && keyboardOf(message);
  if (!markup?.keyboard) return null;
  const rows = markup.keyboard.map((row) =>
    row.map((button) => ({ ...(button.text ? button : {}), text: captionOf(button) })),
  );
  const used = Boolean(markup.one_time_keyboard) && writtenSince(messages, message, me);
  return { message, markup, rows, used };
}

/** The message that asks `me` for a reply (ForceReply) and has none yet, or null. */
export function forcedReply(messages, me) {
  const message = messages.findLast(
    (each) => each.sandbox?.force_reply && isFor(each, each.sandbox.force_reply, me),
  );
  return message && !writtenSince(messages, message, me) ? message : null;
}

const writtenSince = (messages, message, me) =>
  messages.some((each) => each.message_id > message.message_id && each.from?.id === me.id);
