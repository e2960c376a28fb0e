#!/usr/bin/env python3
"""Becomes Chromium, which learns nothing of the host's network interfaces.

Chromium gives up whatever it is loading (ERR_NETWORK_CHANGED) when an interface comes or goes, as
that of each pod does on the host of a local cluster. Where it can't open a netlink socket, it takes
the network to be unchanged (Chromium's net/base/address_tracker_linux.cc). So a seccomp filter
refuses netlink sockets, and nothing else, to it and to its children.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
import sys
from typing import Final

PROGRAM: Final = "/usr/bin/chromium"
SYSTEM_CALL_SOCKET: Final = {"x86_64": 41, "aarch64": 198}

# From linux/prctl.h, linux/seccomp.h and linux/bpf_common.h.
PR_SET_NO_NEW_PRIVS: Final = 38
PR_SET_SECCOMP: Final = 22
SECCOMP_MODE_FILTER: Final = 2
SECCOMP_RET_ERRNO: Final = 0x00050000
SECCOMP_RET_ALLOW: Final = 0x7FFF0000
LOAD_WORD: Final = 0x20
JUMP_IF_EQUAL: Final = 0x15
RETURN: Final = 0x06
NUMBER: Final = 0
FIRST_ARGUMENT: Final = 16
"""Offsets in `struct seccomp_data`."""


class Filter(ctypes.Structure):
    """`struct sock_fprog`: how many instructions of 8 bytes, and where they are."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def instructions(number: int) -> bytes:
    """BPF that answers EAFNOSUPPORT to socket(AF_NETLINK), whose system call has this number."""
    steps = (
        (LOAD_WORD, 0, 0, NUMBER),
        (JUMP_IF_EQUAL, 0, 3, number),
        (LOAD_WORD, 0, 0, FIRST_ARGUMENT),
        (JUMP_IF_EQUAL, 0, 1, int(socket.AF_NETLINK)),
        (RETURN, 0, 0, SECCOMP_RET_ERRNO | errno.EAFNOSUPPORT),
        (RETURN, 0, 0, SECCOMP_RET_ALLOW),
    )
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def refuse_netlink() -> None:
    """For this process and all that it starts; OSError where the kernel has no seccomp."""
    code = instructions(SYSTEM_CALL_SOCKET[platform.machine()])
    libc = ctypes.CDLL(None, use_errno=True)
    found = Filter(len(code) // 8, code)
    for arguments in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(found), 0, 0),
    ):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl: no seccomp filter for Chromium")


if __name__ == "__main__":
    refuse_netlink()
    os.execv(PROGRAM, [PROGRAM, *sys.argv[1:]])  # noqa: S606 - no shell is wanted
