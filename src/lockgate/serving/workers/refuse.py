"""Stops a listening socket from taking new connections, without losing those on their way."""

from __future__ import annotations

import ctypes
import socket

__all__ = ["refuse_connections"]

SO_ATTACH_FILTER = 26
"""Linux: a filter for the segments that reach a socket (socket(7))."""


class _Instruction(ctypes.Structure):
    """An instruction of the Berkeley packet filter, as <linux/filter.h> declares it."""

    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jump_true", ctypes.c_uint8),
        ("jump_false", ctypes.c_uint8),
        ("operand", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


DROP_SYN = (
    (0x30, 0, 0, 13),  # load the byte with the flags of the TCP header
    (0x54, 0, 0, 0x12),  # keep SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone asks for a new connection
    (0x06, 0, 0, 0),  # drop the segment
    (0x06, 0, 0, 0xFFFF),  # let it pass
)


def refuse_connections(listening: socket.socket) -> None:
    """Drop requests for new connections, and let those that have begun be established.

    Closing the socket, or shortening its queue, resets clients whose connection is established
    on their side already. A client that is dropped tries again a second later, and is refused
    then. It holds for all processes that share the socket.

    Raises
    ------
    OSError
        If the system has no such filters.

    """
    instructions = (_Instruction * len(DROP_SYN))(*(_Instruction(*fields) for fields in DROP_SYN))
    program = _Program(len(DROP_SYN), instructions)
    listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, bytes(program))
