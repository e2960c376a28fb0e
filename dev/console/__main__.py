"""`python -m dev.console`: the console with sample data, for work on its pages."""

import signal

from dev.console import instance
from dev.console.tokens import make_token
from dev.terminal import echo


def main() -> None:
    """Serve until interrupted."""
    with instance.running() as origin:
        echo(f"{origin}, until Ctrl-C; tokens of a user and of an administrator:")
        echo(make_token("alice", "demo-users", "research"))
        echo(make_token("ada", "roadstead-admins"))
        signal.sigwait([signal.SIGINT, signal.SIGTERM])


if __name__ == "__main__":
    main()
