#!/bin/sh
# Makes the driver in a folder: the script, and the messages of the protocol as protoc
# (Debian's protobuf-compiler) writes them. python3-grpcio must be there where it runs.
set -eu
here=$(dirname "$0")
proto=$here/../../../proto/driver/v1
mkdir -p "$1"
protoc -I "$proto" -I "$here" --python_out="$1" driver.proto status.proto
cp "$here/mcic-driver-jar" "$1"
