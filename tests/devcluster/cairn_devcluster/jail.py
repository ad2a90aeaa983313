# SPDX-License-Identifier: Apache-2.0
"""Run as a program: a command with another root, as nobody in particular, that ends with whoever started it.

    python3 jail.py ROOT HOME COMMAND…

HOME is seen as /srv. Mounts are the command's own and go with it. Needs root.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

UID = 65532
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_CLONE_NEWNS = 0x00020000
_PR_SET_PDEATHSIG = 1


def main(root: str, home: str, *command: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getppid()

    def call(done: int) -> None:
        if done:
            raise OSError(ctypes.get_errno(), f"jail: {os.strerror(ctypes.get_errno())}")

    def mount(source: str, target: str, flags: int) -> None:
        call(libc.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None))

    call(libc.unshare(_CLONE_NEWNS))
    mount("none", "/", _MS_REC | _MS_PRIVATE)
    for source, target in (("/dev", "dev"), ("/proc", "proc"), (home, "srv")):
        mount(source, f"{root}/{target}", _MS_BIND | _MS_REC)
    os.chroot(root)
    os.chdir("/srv")
    os.setgroups([])
    os.setgid(UID)
    os.setuid(UID)
    call(libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))  # after setuid, which takes it back
    if os.getppid() != parent:
        sys.exit(1)
    environment = {"PATH": "/usr/sbin:/usr/bin", "LANG": "C.UTF-8", "HOME": "/srv", "TMPDIR": "/srv"}
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    main(*sys.argv[1:])
