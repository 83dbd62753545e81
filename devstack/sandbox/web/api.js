// The sandbox's control API. Every function returns the parsed answer or throws an Error with the server's words.

async function call(method, path, body) {
  const options = { method, headers: { accept: "application/json" } };
  if (body instanceof FormData) options.body = body;
  else if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetch(`/sandbox/${path}`, options);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The sandbox answered ${response.status}`);
  return answer;
}

export const fetchUsers = async () => (await call("GET", "users")).users;
export const fetchChats = async () => (await call("GET", "chats")).chats;
export const fetchMessages = async (chatId) => (await call("GET", `chats/${chatId}/messages`)).messages;

/** The bot and what it told setMyCommands: {bot, commands: [{scope, language_code, commands}]}. */
export const fetchBot = () => call("GET", "commands");

export const createUser = (user) => call("POST", "users", user);
export const createChat = (chat) => call("POST", "chats", chat);
export const setBlocked = (userId, blocked) => call("PATCH", `users/${userId}`, { blocked_bot: blocked });
export const setStatus = (chatId, userId, change) =>
  call("PATCH", `chats/${chatId}/members/${userId}`, change);

/** Send (or, with `edit`, change) a message: see the control API for the fields. */
export const sendMessage = (chatId, message) => call("POST", `chats/${chatId}/messages`, message);

/** Send one file as `kind` "document" or "photo" with the other fields of the message. */
export function sendFile(chatId, message, kind, file) {
  const form = new FormData();
  form.set("json", JSON.stringify(message));
  form.set(kind, file, file.name);
  return call("POST", `chats/${chatId}/messages`, form);
}

/** Send two to ten files as one album; a caption goes with the first. */
export async function sendAlbum(chatId, { caption, ...message }, kind, files) {
  const album = await Promise.all(
    files.map(async (file, index) => ({
      [kind]: { name: file.name, mime_type: file.type || undefined, content_base64: await base64Of(file) },
      caption: index === 0 ? caption : undefined,
    })),
  );
  return sendMessage(chatId, { ...message, album });
}

export const deleteMessage = (chatId, messageId, userId) =>
  call("DELETE", `chats/${chatId}/messages/${messageId}`, { from: userId });

/** Tap an inline button; resolves to {callback_query_id}. */
export const pressButton = (chatId, messageId, userId, data) =>
  call("POST", `chats/${chatId}/messages/${messageId}/press`, { from: userId, data });

function base64Of(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
