"""Captures what a pod receives, at the network devices of the node, which is this machine."""

import ctypes
import socket
import struct
import threading
from types import TracebackType
from typing import Final

SO_ATTACH_FILTER: Final = 26
"""asm-generic/socket.h; Python's socket module has no name for it."""
ETH_P_IP = 0x0800
ETH_P_ALL = 0x0003
"""A socket for IP alone is called after the bridge, which has consumed the pods' packets."""
SLICE_SECONDS = 0.1


class Overheard:
    """Captures TCP payloads to `address:port` while the block runs.

    A segment passes several devices of the node, so it is captured more than once.
    """

    def __init__(self, address: str, port: int) -> None:
        self._to = (socket.inet_aton(address), port)
        self._payloads: list[bytes] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self._socket.settimeout(SLICE_SECONDS)
        attach_filter(self._socket, destination_filter(address))

    def __enter__(self) -> "Overheard":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    @property
    def data(self) -> bytes:
        """All captured bytes so far."""
        return b"".join(list(self._payloads))

    def headers(self, marker: str) -> list[tuple[str, str]]:
        """Names (lower case) and values of the headers of the request with `marker` in its path."""
        for block in self.data.split(b"\r\n\r\n"):
            head, _, rest = block.decode("latin-1").partition("\r\n")
            if marker in head and head.endswith("HTTP/1.1"):
                pairs = (line.partition(":") for line in rest.split("\r\n"))
                return [(name.lower(), value.strip()) for name, _, value in pairs]
        raise AssertionError(f"no request with {marker} was captured")

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                packet, (_, protocol, *_) = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            if protocol == ETH_P_IP and (payload := payload_of(packet, self._to)):
                self._payloads.append(payload)


def destination_filter(address: str) -> bytes:
    """Classic BPF (networking/filter.txt of Linux) that accepts only IPv4 packets to `address`.

    Without it, the socket would drop packets, since it can't read all of a busy node's in time.
    """
    (wanted,) = struct.unpack("!I", socket.inet_aton(address))
    load_destination, equal, accept = (0x20, 0, 0, 16), (0x15, 0, 1, wanted), (0x06, 0, 0, 0x40000)
    drop = (0x06, 0, 0, 0)
    return b"".join(struct.pack("HBBI", *each) for each in (load_destination, equal, accept, drop))


def attach_filter(listener: socket.socket, program: bytes) -> None:
    """Make the kernel drop packets that the program doesn't accept."""
    kept = ctypes.create_string_buffer(program)
    count = len(program) // 8
    listener.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", count, ctypes.addressof(kept))
    )


def payload_of(packet: bytes, to: tuple[bytes, int]) -> bytes:
    """The payload of an IPv4 packet (RFC 791) to that TCP (RFC 9293) port; empty for any other."""
    header = (packet[0] & 15) * 4
    length = int.from_bytes(packet[2:4])
    segment = packet[header:length]
    if packet[9] != socket.IPPROTO_TCP or packet[16:20] != to[0]:
        return b""
    if int.from_bytes(segment[2:4]) != to[1]:
        return b""
    return segment[(segment[12] >> 4) * 4 :]
