# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the worker at every moment that matters, under load."""

from __future__ import annotations

import signal

import pytest

from faults.run import Run


@pytest.mark.parametrize("moment", ["after-fetch", "after-stage", "before-commit", "after-commit", "mid-ack"])
async def test_worker_killed_at(run: Run, moment: str) -> None:
    dying = run.worker(("-m", "chaos.dying_worker", moment, "3"))
    dying.start()
    process = dying.process
    assert process is not None
    run.start_load(seed=1)
    await run.until("the worker is dead", lambda: process.poll() is not None)
    assert process.returncode == -signal.SIGKILL
    dying.process = None
    run.worker().start()
    await run.accepted(300)
    await run.judge()
