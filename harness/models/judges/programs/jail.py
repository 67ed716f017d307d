"""A script, never imported: gives up the network and all writing outside one folder, then becomes the server.

    python jail.py FOLDER SERVER [arguments…]

What the kernel offers is taken and inherited for good: a network namespace without any interface, a Landlock ruleset
that lets only FOLDER be written (Linux 5.13), no new privileges. Each is optional: the server's own limits stand
without them. A line of JSON on stderr says which were had. Only the standard library, and Linux only.
"""

import ctypes
import json
import os
import struct
import sys

CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000
PR_SET_NO_NEW_PRIVS = 38
# system call numbers are the same on every architecture for calls as recent as these
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
WRITING = sum(1 << bit for bit in (1, 4, 5, 6, 7, 8, 9, 10, 11, 12))  # Landlock ABI 1, all rights that change files
EXECUTE = 1
ABI_REFER, ABI_TRUNCATE, ABI_NETWORK, ABI_SCOPE = 2, 3, 4, 6


def no_network(libc: ctypes.CDLL) -> bool:
    """A network namespace of its own: not even the loopback interface is up in it."""
    flags = CLONE_NEWNET | CLONE_NEWIPC
    return bool(libc.unshare(flags) == 0 or libc.unshare(CLONE_NEWUSER | flags) == 0)


def read_only(libc: ctypes.CDLL, folder: str) -> bool:
    """Nothing outside `folder` may be written, made, removed, renamed or truncated; no TCP, no signals to others."""
    abi = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if abi < 1:
        return False
    files = WRITING | (1 << 13 if abi >= ABI_REFER else 0) | (1 << 14 if abi >= ABI_TRUNCATE else 0)
    attributes = struct.pack("=Q", files)
    if abi >= ABI_NETWORK:
        attributes += struct.pack("=Q", 3)
    if abi >= ABI_SCOPE:
        attributes += struct.pack("=Q", 3)
    ruleset = libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    opened = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    rule = struct.pack("=Qi", files, opened)
    null = os.open("/dev/null", os.O_PATH | os.O_CLOEXEC)
    allowed = libc.syscall(ADD_RULE, ruleset, 1, rule, 0) == 0
    allowed &= libc.syscall(ADD_RULE, ruleset, 1, struct.pack("=Qi", 1 << 1, null), 0) == 0
    done = allowed and libc.syscall(RESTRICT_SELF, ruleset, 0) == 0
    for descriptor in (opened, null, ruleset):
        os.close(descriptor)
    return bool(done)


def main() -> None:
    folder, server, *rest = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    network = no_network(libc)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    sys.stderr.write(json.dumps({"network_namespace": network, "landlock": read_only(libc, folder)}) + "\n")
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-s", "-S", "-P", "-B", server, folder, *rest])


if __name__ == "__main__":
    main()
