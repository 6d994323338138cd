"""Runs a command in a network of its own that leads nowhere, and records what the command wanted from outside.

`python -m tests.network.recorder REPORT COMMAND...`, as root of new network and mount namespaces: see isolated.py.
"""

import fcntl
import json
import os
import selectors
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Final

DEVICE: Final = "outside"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h
SET_UP: Final = f"""
link set lo up
link set {DEVICE} addrgenmode none
link set {DEVICE} up
address add 192.0.2.1/24 dev {DEVICE}
address add 2001:db8::1/64 dev {DEVICE} nodad
route add 0.0.0.0/0 dev {DEVICE}
route add ::/0 dev {DEVICE}
"""
RESOLVER: Final = ("127.0.0.1", 53)
ANSWER: Final = "198.51.100.1"  # of every name: an address for documentation (RFC 5737), so that the caller goes on
PROTOCOLS: Final = {6: "tcp", 17: "udp"}
TYPE_A: Final = 1


def main() -> None:
    """Run the command, write the report, and exit with the command's status."""
    report, *command = sys.argv[1:]
    packets, queries = open_device(), open_resolver(Path(report).with_suffix(".resolv.conf"))
    process = subprocess.Popen(command)
    names: set[str] = set()
    destinations: set[str] = set()

    def read_waiting() -> None:
        while packet := _read(packets):
            destinations.add(destination_of(packet))
        while query := _receive(queries):
            names.add(_answer(queries, *query))

    with selectors.DefaultSelector() as selector:
        ended = os.pidfd_open(process.pid)
        for source in (packets, queries.fileno(), ended):
            selector.register(source, selectors.EVENT_READ)
        running = True
        while running:
            running = ended not in {key.fd for key, _ in selector.select()}
            read_waiting()
    status = process.wait()
    Path(report).write_text(json.dumps({"names": sorted(names), "destinations": sorted(destinations)}))
    sys.exit(status if status >= 0 else 128 - status)


def open_device() -> int:
    """Create a network device that has the default routes, and return the file that gets every packet sent to it."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "-batch", "-"], input=SET_UP.strip(), text=True, check=True)
    return device


def open_resolver(configuration: Path) -> socket.socket:
    """Open the socket of the only name server, and make every process here use it."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(RESOLVER)
    server.setblocking(False)
    configuration.write_text(f"nameserver {RESOLVER[0]}\n")
    subprocess.run(["mount", "--bind", str(configuration), "/etc/resolv.conf"], check=True)
    return server


def destination_of(packet: bytes) -> str:
    """Return protocol, address and port of an IP packet, such as `tcp 198.51.100.1:443`."""
    version = packet[0] >> 4
    if version == 4:
        address, protocol, header = socket.inet_ntop(socket.AF_INET, packet[16:20]), packet[9], 4 * (packet[0] & 15)
    else:
        address, protocol, header = f"[{socket.inet_ntop(socket.AF_INET6, packet[24:40])}]", packet[6], 40
    if protocol not in PROTOCOLS:
        return f"protocol {protocol} {address}"
    return f"{PROTOCOLS[protocol]} {address}:{int.from_bytes(packet[header + 2 : header + 4])}"


def _read(device: int) -> bytes:
    try:
        return os.read(device, 65536)
    except BlockingIOError:
        return b""


def _receive(server: socket.socket) -> tuple[bytes, tuple[str, int]] | None:
    try:
        return server.recvfrom(4096)
    except BlockingIOError:
        return None


def _answer(server: socket.socket, query: bytes, sender: tuple[str, int]) -> str:
    """Answer a DNS query (RFC 1035, section 4), and return its name."""
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    question = query[12 : at + 5]
    found = int.from_bytes(query[at + 1 : at + 3]) == TYPE_A
    record = b"\xc0\x0c" + struct.pack("!HHIH", TYPE_A, 1, 1, 4) + socket.inet_aton(ANSWER) if found else b""
    server.sendto(query[:2] + struct.pack("!HHHHH", 0x8180, 1, found, 0, 0) + question + record, sender)
    return ".".join(labels)


if __name__ == "__main__":
    main()
