// The sandbox's event stream: a WebSocket that comes back by itself.

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4000;

/** Call `onevent(event)` for each event, `onopen()` after every (re)connect and `onclose()` after every loss. */
export function listen({ onevent, onopen, onclose }) {
  const address = new URL("/sandbox/ws", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  let pause_ms = FIRST_PAUSE_MS;

  const connect = () => {
    const socket = new WebSocket(address);
    socket.onopen = () => {
      pause_ms = FIRST_PAUSE_MS;
      onopen();
    };
    socket.onmessage = (message) => onevent(JSON.parse(message.data));
    socket.onclose = () => {
      onclose();
      setTimeout(connect, pause_ms);
      pause_ms = Math.min(pause_ms * 2, LONGEST_PAUSE_MS);
    };
  };
  connect();
}
