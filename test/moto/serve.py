"""Serves moto until standard input ends: with the test process, however that ended."""

import os
import sys
import threading

from moto.server import main


def end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_stdin, daemon=True).start()
main(["--host", "127.0.0.1", "--port", "0"])  # a free port, which it prints
