"""An HTTP server of the standard library that runs in a thread of the test."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import HTTPServer


@contextlib.contextmanager
def in_a_thread(server: HTTPServer) -> Iterator[None]:
    """Have it answer until the end of the block, then close it."""
    # The default of half a second is what each end of a server would wait.
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.05))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
