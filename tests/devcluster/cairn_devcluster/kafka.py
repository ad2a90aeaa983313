# SPDX-License-Identifier: Apache-2.0
"""A Kafka broker from Maven's artifacts: a directory of jars, each with the hash that the tree names."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from . import base, host

_SOURCE = base.HERE / "kafka"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"


def java() -> str:
    """The Java command."""
    host.require_packages("to run a Kafka broker", {"java": "default-jre-headless"})
    return str(shutil.which("java"))


def jars() -> Path:
    """The directory, filled if the cache lacks it."""
    hashes = (_SOURCE / "jars.sha256").read_bytes()
    out = base.cache() / "kafka" / hashlib.sha256(hashes).hexdigest()[:12]
    with base.locked(base.cache() / "kafka.lock"):
        if not out.exists():
            with base.step("Kafka's jars"):
                _fetch(out, dict(line.split()[::-1] for line in hashes.decode().splitlines()))
    return out


def _fetch(out: Path, wanted: dict[str, str]) -> None:
    """wanted: SHA-256 by name of the file."""
    java()
    host.require_packages("to fetch Kafka", {"mvn": "maven"})
    scratch = out.with_name(out.name + ".tmp")
    shutil.rmtree(scratch, ignore_errors=True)
    base.call(
        [
            "mvn", "--batch-mode", "--no-transfer-progress", "--file", _SOURCE / "pom.xml",
            f"{_PLUGIN}:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={scratch}",
        ],
        log=base.cache() / "log" / "kafka.log",
    )  # fmt: skip
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in scratch.glob("*.jar")}
    if found != wanted:
        other = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
        raise base.StepError(f"Kafka's jars are not those of {_SOURCE / 'jars.sha256'}: {', '.join(other)}")
    scratch.rename(out)
