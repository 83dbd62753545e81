// Entry point: builds the three panes, loads the sandbox's state and follows its events.

import { showConversation } from "./conversation.js";
import { showPeople } from "./people.js";
import { follow, startRouter } from "./router.js";
import { showSidebar } from "./sidebar.js";
import { listen } from "./socket.js";
import { store } from "./store.js";
import { followAnswers } from "./taps.js";
import { complain } from "./toast.js";

const byId = (id) => document.getElementById(id);

showPeople(byId("people"));
showSidebar(byId("sidebar"));
showConversation(byId("chat"));
followAnswers();

const reportProblem = (error) => complain(error);
store.on("problem", reportProblem);
store.on("selection", () => {
  byId("app").dataset.view = store.chatId === null ? "list" : "chat";
});

let started = false;

// The first person has come, or the one I was has gone with a reset.
store.on("people", () => {
  if (started && !store.users.has(store.me) && (store.me !== null || store.users.size)) follow();
});

async function refresh() {
  await store.load();
  if (started) return follow();
  started = true;
  return startRouter();
}

listen({
  onevent: (event) => store.apply(event),
  onopen: () => {
    byId("connection").hidden = true;
    refresh().catch(reportProblem);
  },
  onclose: () => {
    byId("connection").hidden = false;
  },
});
