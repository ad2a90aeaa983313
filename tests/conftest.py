# SPDX-License-Identifier: Apache-2.0
"""Property tests: the same examples in every run, so that a red run can be had again; few of them for `make test-unit`.

To look for new ones: `pytest --hypothesis-profile=explore`.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("full", derandomize=True, deadline=None)
settings.register_profile("quick", derandomize=True, deadline=None, max_examples=25)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("full")
