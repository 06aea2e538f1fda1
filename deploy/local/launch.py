"""Become another program that dies with its parent, if need be in its own user namespace. Refuses to outlive it.

Run as a script, never imported by the fleet: `python launch.py PARENT SIGNAL USER -- COMMAND...`, where USER is
`same`, `mapped` (an ordinary user inside a new user namespace, still the caller outside) or `nobody`. Being a program
of its own rather than a hook between fork and exec, it is safe in a parent that has threads.
"""

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
INSIDE = 1000
NOBODY = 65534


def main() -> None:
    """Replace this process by the command."""
    parent, number, user, _, *command = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if user == "mapped":
        uid, gid = os.geteuid(), os.getegid()
        if libc.unshare(CLONE_NEWUSER):
            error = ctypes.get_errno()
            raise SystemExit(f"cannot open a user namespace: {os.strerror(error)}")
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{INSIDE} {uid} 1"),
            ("gid_map", f"{INSIDE} {gid} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123  keeps start-up to a few modules
                file.write(text)
    elif user == "nobody":
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    # After the change of user: the kernel forgets the death signal when credentials change.
    libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != int(parent):
        raise SystemExit("the parent is gone")
    try:
        os.execvp(command[0], command)  # noqa: S606  the command is the fleet's own
    except OSError as error:
        raise SystemExit(f"{command[0]}: {error.strerror}") from None


if __name__ == "__main__":
    main()
