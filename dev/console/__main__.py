"""`python -m dev.console`: the console over a ledger of samples, to work on its pages."""

import signal

from dev.console import instance
from dev.console.tokens import make_token
from dev.terminal import say


def main() -> None:
    """Serve until interrupted."""
    with instance.running() as origin:
        say(f"{origin}, until Ctrl-C; tokens of a user and of an administrator:")
        say(make_token("alice", "demo-users", "research"))
        say(make_token("ada", "roadstead-admins"))
        signal.sigwait([signal.SIGINT, signal.SIGTERM])


if __name__ == "__main__":
    main()
