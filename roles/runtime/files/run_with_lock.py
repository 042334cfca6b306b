"""Wait for a lock, and run a command that holds it from its start.

usage: run_with_lock.py SECONDS PATH COMMAND [ARGUMENT]...

dpkg and apt do not wait for each lock, and report a held lock only in a message. They lock their
files with POSIX locks. A process keeps these across exec, so the command can lock the file again.
"""

import fcntl
import os
import signal
import sys

seconds, path, *command = sys.argv[1:]


def stop(_signal, _frame):
    sys.exit(f"{path}: locked: Another process held it for {seconds} seconds. Run again afterwards")


os.makedirs(os.path.dirname(path), exist_ok=True)
lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
signal.signal(signal.SIGALRM, stop)
signal.alarm(int(seconds))
fcntl.lockf(lock, fcntl.LOCK_EX)
signal.alarm(0)
# If exec closed the file, the lock would end.
os.set_inheritable(lock, True)
os.execvp(command[0], command)
