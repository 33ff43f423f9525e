"""Reaching out: nothing but the harmless listeners of this machine is tried."""

from __future__ import annotations

from turnwise.envs.sandbox.probes.record import Probe, probe

TOPIC = "network"

PROBES: tuple[Probe, ...] = (
    probe(TOPIC, "connect by TCP", "import socket; socket.create_connection(('127.0.0.1', {tcp_port}), 1)"),
    probe(TOPIC, "listen on TCP", "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()"),
    probe(
        TOPIC,
        "send by UDP",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {udp_port}))",
    ),
    probe(TOPIC, "look up a name", "import socket; socket.getaddrinfo('localhost', 80)"),
    probe(TOPIC, "list network interfaces", "import socket; assert socket.if_nameindex()"),
    probe(TOPIC, "connect to a Unix socket", "import socket; socket.socket(socket.AF_UNIX).connect({unix_socket!r})"),
    probe(
        TOPIC,
        "connect to an abstract socket",
        "import socket; socket.socket(socket.AF_UNIX).connect({abstract_socket!r})",
    ),
    probe(
        TOPIC,
        "fetch by URL",
        "import urllib.request; urllib.request.build_opener(urllib.request.ProxyHandler({{}}))"
        ".open('http://127.0.0.1:{http_port}/', timeout=1)",
    ),
    probe(
        TOPIC, "open a raw socket", "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", root_only=True
    ),
)
