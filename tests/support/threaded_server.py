"""An HTTP server of the standard library, run in a thread of the test."""

import contextlib
import threading
from collections.abc import Iterator
from socketserver import BaseServer


@contextlib.contextmanager
def run_in_thread(server: BaseServer) -> Iterator[None]:
    """Serve until the block ends, then close the server."""
    # With the default of half a second, every shutdown would wait that long.
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.05))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
