# SPDX-License-Identifier: Apache-2.0
"""User data of a clone: what its base was given, and before it a script that makes the clone somebody else. Pure.

KubeVirt tells each clone another instance id (its firmware's UUID), so cloud-init runs as at a first boot: host name
and SSH host keys are made anew by cloud-init itself. It leaves /etc/machine-id alone, which the copied disk has of the
base. Guests without cloud-init keep both.
"""

from __future__ import annotations

from email import message_from_bytes
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

IDENTITY = """#cloud-boothook
#!/bin/sh
cloud-init-per instance cairn-identity sh -c '
tr -d - < /proc/sys/kernel/random/uuid > /etc/machine-id.new
mv /etc/machine-id.new /etc/machine-id
rm -f /var/lib/dbus/machine-id /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
ln -s /etc/machine-id /var/lib/dbus/machine-id 2>/dev/null || true'
"""
"""Runs early at a clone's first start, before anything of the seller's, and once for each instance."""
KINDS = {
    b"#cloud-config-archive": "cloud-config-archive",
    b"#cloud-config": "cloud-config",
    b"#cloud-boothook": "cloud-boothook",
    b"#include": "x-include-url",
    b"#part-handler": "part-handler",
    b"## template: jinja": "jinja2",
    b"#!": "x-shellscript",
}
"""What cloud-init takes user data for, by how it begins."""


def for_clone(base: bytes) -> bytes:
    """What a clone is given whose base has `base`. What can't be read as user data is left as it is."""
    parts = _parts(base)
    if parts is None:
        return base
    whole = MIMEMultipart(boundary="cairn-userdata")
    for part in (MIMEText(IDENTITY, "cloud-boothook", "utf-8"), *parts):
        whole.attach(part)
    return whole.as_bytes()


def _parts(base: bytes) -> list[Message] | None:
    text = base.lstrip()
    if not text:
        return []
    if text[:13].lower() in (b"content-type:", b"mime-version:"):
        return [part for part in message_from_bytes(text).walk() if not part.is_multipart()]
    for begin, kind in KINDS.items():
        if text.startswith(begin):
            return [MIMEText(base.decode(), kind, "utf-8")] if _is_text(base) else None
    return None


def _is_text(base: bytes) -> bool:
    try:
        base.decode()
    except UnicodeDecodeError:
        return False
    return True
