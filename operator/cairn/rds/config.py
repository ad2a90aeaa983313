# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's configuration, computed from the size, and the script that starts it. Pure text."""

from __future__ import annotations

from importlib.resources import files

PORT = 5432
ADMIN = "cairn_admin"
UID = 999
"""User and group of the server: that of the official image, and known to `passwd` in any other."""

DATA = "/var/lib/cairn/data"
PGDATA = f"{DATA}/pgdata"
ETC = "/etc/cairn/postgresql"
TLS = "/etc/cairn/tls"
ADMIN_PASSWORD = "/etc/cairn/admin"
SOCKETS = "/run/postgresql"

RESERVED = 3
"""Connections kept back for the operator, beyond those that the plan grants to clients."""

MIB = 1 << 20
PASSWD = f"root:x:0:0:root:/:/bin/sh\ncairn:x:{UID}:{UID}:cairn:{DATA}:/bin/sh\n"
"""initdb and peer authentication look the user up by name; an image need not know it."""
HBA = f"local all {ADMIN} peer map=pod\nhostssl all all all scram-sha-256\n"
"""Over the network only with TLS and a password; within the pod its own user is the admin."""
IDENT = f"pod cairn {ADMIN}\n"


AT_START = ("max_connections", "shared_buffers")
"""Of the sized parameters, those that the server only reads when it starts; the others it takes over in a reload."""


def sized(memory_bytes: int, storage_bytes: int, connections: int) -> dict[str, str]:
    """Parameters that follow the size."""
    memory = max(memory_bytes // MIB, 64)
    storage = storage_bytes // MIB
    clients = max(connections, 1)
    return {
        "effective_cache_size": _mb(memory * 5 // 8),
        "maintenance_work_mem": _mb(_between(16, memory // 16, 2048)),
        "max_connections": str(clients + RESERVED),
        "max_wal_size": _mb(_between(128, storage // 10, 16384)),
        "shared_buffers": _mb(memory // 4),
        "work_mem": _mb(_between(1, memory // 4 // clients, 64)),
    }


def same(one: str, other: str) -> bool:
    """Whether two spellings of a parameter mean the same; the server says 1GB where 1024MB was written."""
    return kilobytes(one) == kilobytes(other)


def kilobytes(text: str) -> int | str:
    """A size as a number; any other value as it is."""
    for unit, factor in (("kB", 1), ("MB", 1 << 10), ("GB", 1 << 20), ("TB", 1 << 30)):
        number = text.removesuffix(unit)
        if number != text and number.isdigit():
            return int(number) * factor
    return text


def postgresql_conf(parameters: dict[str, str]) -> str:
    """The whole of postgresql.conf. Durability is never traded: a commit that was answered is on disk."""
    fixed = {
        "listen_addresses": "'*'",
        "port": str(PORT),
        "unix_socket_directories": f"'{SOCKETS}'",
        "hba_file": f"'{ETC}/pg_hba.conf'",
        "ident_file": f"'{ETC}/pg_ident.conf'",
        "ssl": "on",
        "ssl_ca_file": f"'{TLS}/ca.crt'",
        "ssl_cert_file": f"'{TLS}/tls.crt'",
        "ssl_key_file": f"'{TLS}/tls.key'",
        "ssl_min_protocol_version": "'TLSv1.2'",
        "password_encryption": "'scram-sha-256'",
        "superuser_reserved_connections": str(RESERVED),
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "autovacuum_vacuum_scale_factor": "0.02",
        "tcp_keepalives_idle": "60",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "log_line_prefix": "'%m [%p] %q%u@%d '",
    }
    lines = [f"{key} = {value}" for key, value in (fixed | parameters).items()]
    return "# Written by Cairn from the size; changes by hand are undone.\n" + "\n".join(lines) + "\n"


def data(parameters: dict[str, str]) -> dict[str, str]:
    """The ConfigMap's files."""
    return {
        "postgresql.conf": postgresql_conf(parameters),
        "pg_hba.conf": HBA,
        "pg_ident.conf": IDENT,
        "passwd": PASSWD,
        "start.sh": (files(__package__) / "start.sh").read_text("utf-8"),
    }


def _mb(number: int) -> str:
    return f"{number}MB"


def _between(low: int, number: int, high: int) -> int:
    return max(low, min(number, high))
