"""The process that becomes Chromium opens no netlink socket, and any other."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import socket
from dev.console import chromium_process

chromium_process.refuse_netlink()
socket.socket(socket.AF_INET).close()
try:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
except OSError as error:
    print(error.strerror)
"""


def test_chromium_hears_nothing_of_network_interfaces() -> None:
    command = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    assert ended.stdout == "Address family not supported by protocol\n"
