"""Free ports of the loopback address."""

import random
import socket
from collections.abc import Collection

HOST = "127.0.0.1"

# Below the range from which systems take the ports of outgoing connections: a part that was stopped for a
# while gets its port back, and a client that knocks on it meanwhile is never connected to itself.
_CHOICE = range(20_000, 30_000)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on that port now."""
    with socket.socket() as probe:
        # As servers do it: a port whose last connections are still winding down counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose(taken: Collection[int] = ()) -> int:
    """Give a free port that is not in `taken`."""
    for port in random.sample(_CHOICE, len(_CHOICE)):
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port between {_CHOICE.start} and {_CHOICE.stop}")
