# SPDX-License-Identifier: Apache-2.0
"""A clone's user data: the base's, behind a script that makes it somebody else."""

from __future__ import annotations

import subprocess
from email import message_from_bytes
from pathlib import Path

import pytest

from cairn.vm.userdata import IDENTITY, for_clone


def parts(data: bytes) -> list[tuple[str, bytes]]:
    whole = message_from_bytes(data)
    found = [part for part in whole.walk() if not part.is_multipart()]
    return [(part.get_content_type(), bytes(part.get_payload(decode=True))) for part in found]


@pytest.mark.parametrize(
    ("base", "kind"),
    [
        pytest.param(b"#cloud-config\npackages: [nginx]\n", "text/cloud-config", id="cloud-config"),
        pytest.param(b"\n#cloud-config\nhostname: ladle\n", "text/cloud-config", id="after an empty line"),
        pytest.param(b"#!/bin/sh\necho \xc3\xa9\n", "text/x-shellscript", id="script"),
        pytest.param(b"#cloud-config-archive\n- content: x\n", "text/cloud-config-archive", id="archive"),
        pytest.param(b"## template: jinja\n#cloud-config\n", "text/jinja2", id="template"),
    ],
)
def test_for_clone_puts_identity_before_what_the_base_has(base: bytes, kind: str) -> None:
    assert parts(for_clone(base)) == [("text/cloud-boothook", IDENTITY.encode()), (kind, base)]


def test_for_clone_takes_parts_of_a_multipart() -> None:
    base = for_clone(b"#cloud-config\n")

    assert parts(for_clone(base)) == [("text/cloud-boothook", IDENTITY.encode()), *parts(base)]


@pytest.mark.parametrize("base", [b"\x1f\x8b\x08compressed", b"what is this", b"#!\xff"])
def test_for_clone_leaves_what_it_cannot_read(base: bytes) -> None:
    assert for_clone(base) == base


def test_for_clone_of_nothing_is_identity_alone() -> None:
    assert parts(for_clone(b" \n")) == [("text/cloud-boothook", IDENTITY.encode())]


def test_identity_makes_machine_id_and_host_keys_anew(tmp_path: Path) -> None:
    """The script itself, in a root of its own, with a stand-in for cloud-init's program that runs it."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "cloud-init-per"
    program.write_text('#!/bin/sh\n[ "$1 $2" = "instance cairn-identity" ] && shift 2 && exec "$@"\n')
    program.chmod(0o755)
    for folder in ("etc/ssh", "var/lib/dbus"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    (tmp_path / "var/lib/dbus/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    for kind in ("rsa", "ed25519"):
        (tmp_path / f"etc/ssh/ssh_host_{kind}_key").write_text("key of the base")
        (tmp_path / f"etc/ssh/ssh_host_{kind}_key.pub").write_text("key of the base")
    (tmp_path / "etc/ssh/sshd_config").write_text("Port 22\n")
    script = IDENTITY.replace(" /etc/", f" {tmp_path}/etc/").replace(" /var/", f" {tmp_path}/var/")

    subprocess.run(
        ["sh", "-ec", script], check=True, env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}, capture_output=True
    )

    made = (tmp_path / "etc/machine-id").read_text().strip()
    assert len(made) == 32
    assert made != "0123456789abcdef0123456789abcdef"
    assert (tmp_path / "var/lib/dbus/machine-id").read_text().strip() == made
    assert [path.name for path in (tmp_path / "etc/ssh").iterdir()] == ["sshd_config"]
