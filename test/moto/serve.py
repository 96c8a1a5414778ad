"""Serves moto until standard input ends: with the test process, however that ended."""

import json
import os
import sys
import tempfile
import threading

from moto.server import main
from moto.utilities.utils import load_resource


def end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_stdin, daemon=True).start()

# By itself moto knows 1,200 images of ECS more, and for each a snapshot, which every
# list of snapshots then shows. It reads the file when the module is imported.
with tempfile.NamedTemporaryFile("w", suffix=".json") as images:
    json.dump(
        load_resource("ec2/resources/amis.json")
        + load_resource("ec2/resources/latest_amis/us-east-1.json"),
        images,
    )
    images.flush()
    os.environ["MOTO_AMIS_PATH"] = images.name
    import moto.ec2.models  # noqa: F401

main(["--host", "127.0.0.1", "--port", "0"])  # a free port, which it prints
