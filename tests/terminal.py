#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""terminal.py ROWSxCOLUMNS COMMAND [ARG...]: plays the steps on its standard input.

Runs COMMAND on a terminal of this size, as a person at it would:

    send TEXT           types it, with escapes as of Python
    expect REGEX        waits until what has come since the last match matches
    silent REGEX        nothing of all that has come must match
    resize ROWSxCOLUMNS changes the size of the terminal
    end STATUS          waits until COMMAND has ended like that

All that has come is in the file that $TRANSCRIPT names. Ends with 1 where a step does
not come true within $PATIENCE seconds, and says which.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time


class Terminal:
    def __init__(self, size, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            self.fd = 0
            self.resize(size)
            os.execvp(command[0], command)
        self.resize(size)
        self.deadline = time.monotonic() + float(os.environ.get("PATIENCE", "120"))
        self.transcript = open(os.environ.get("TRANSCRIPT", os.devnull), "wb", buffering=0)
        self.all = self.new = ""

    def read(self):
        """Waits for more output. Returns false at its end."""
        left = self.deadline - time.monotonic()
        if left <= 0 or not select.select([self.fd], [], [], left)[0]:
            raise TimeoutError
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # nobody has the terminal open any more
            data = b""
        self.transcript.write(data)
        self.all += data.decode(errors="replace")
        self.new += data.decode(errors="replace")
        return bool(data)

    def send(self, text):
        data = text.encode().decode("unicode_escape").encode()
        while data:
            data = data[os.write(self.fd, data):]

    def expect(self, pattern):
        while not (found := re.search(pattern, self.new, re.MULTILINE)):
            if not self.read():
                raise EOFError
        self.new = self.new[found.end():]

    def silent(self, pattern):
        if re.search(pattern, self.all, re.MULTILINE):
            raise ValueError

    def resize(self, size):
        rows, columns = map(int, size.split("x"))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def end(self, status):
        while self.read():
            pass
        ended = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        if ended != int(status):
            raise ValueError(ended)


def main():
    terminal = Terminal(sys.argv[1], sys.argv[2:])
    steps = {name: getattr(terminal, name) for name in
             ("send", "expect", "silent", "resize", "end")}
    for line in sys.stdin.read().splitlines():
        if not line.strip():
            continue
        step, _, argument = line.strip().partition(" ")
        try:
            steps[step](argument)
        except (TimeoutError, EOFError, ValueError) as error:
            print(f"{line.strip()}: {type(error).__name__} {error}")
            if terminal.pid:
                os.kill(terminal.pid, signal.SIGTERM)
            sys.exit(1)


main()
