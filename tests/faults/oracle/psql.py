# SPDX-License-Identifier: Apache-2.0
"""Reads the database by one psql that stays open: what a reader of the seller's would get."""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass, field

END = "-- that is all --"


class LostError(Exception):
    """psql ended, or the answer is not whole: nothing is known."""


@dataclass
class Psql:
    """place: a connection string. A session that was lost is opened anew by the next question."""

    place: str
    password: str
    _process: subprocess.Popen[str] | None = field(default=None, init=False)

    def rows(self, query: str) -> list[list[str]]:
        """LostError when the session is lost meanwhile. NULL is \\N."""
        process = self._open()
        assert process.stdin is not None
        assert process.stdout is not None
        lines: list[str] = []
        try:
            process.stdin.write(f"COPY ({query}) TO STDOUT;\n\\echo {END}\n")
            process.stdin.flush()
        except OSError as error:
            self.close()
            raise LostError("psql has ended") from error
        while True:
            line = process.stdout.readline()
            if not line:
                self.close()
                raise LostError("psql has ended")
            if line.rstrip("\n") == END:
                return [line.split("\t") for line in lines]
            lines.append(line.rstrip("\n"))

    def _open(self) -> subprocess.Popen[str]:
        if self._process is None:
            command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", f"{self.place} connect_timeout=10"]
            pipe = subprocess.PIPE
            environment = os.environ | {"PGPASSWORD": self.password, "PGOPTIONS": "-c statement_timeout=20s"}
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=environment
            )
        return self._process

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(OSError):
                process.communicate()
