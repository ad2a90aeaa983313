# SPDX-License-Identifier: Apache-2.0
"""Worlds in which something is missing, for property tests of plans."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from cairn.api.resources import Obj
from cairn.engine.kind import Observed


@st.composite
def partly_there(draw: st.DrawFn, there: Observed, facts: st.SearchStrategy[Any]) -> Observed:
    """Some of `there` is missing, and some of what is left is incomplete or of another owner."""
    children, refs = {}, {}
    for ref, obj in there.children.items():
        if draw(st.integers(0, 3)):
            children[ref] = _worn(draw, obj)
    for ref, known in there.refs.items():
        if known is not None and draw(st.integers(0, 9)):
            refs[ref] = known if ref.resource.kind in ("Namespace", "Seller") else _worn(draw, known)
    return Observed(children, refs, draw(facts))


def _worn(draw: st.DrawFn, obj: Obj) -> Obj:
    worn = copy.deepcopy(obj)
    choice = draw(st.integers(0, 5))
    if choice == 0:
        worn.pop("status", None)
    elif choice == 1:
        worn.pop("spec", None)
        worn.pop("data", None)
    elif choice == 2:
        worn["metadata"].setdefault("labels", {})["cairn.dev/owner-uid"] = "uid-0"
    return worn
