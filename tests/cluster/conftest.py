# SPDX-License-Identifier: Apache-2.0
"""The API servers of this folder's tests, one start each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.charted import OPERATOR_SUBJECT, OTHER, ROLES, Charted, binding, charted_cluster


@pytest.fixture(scope="session")
def charted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Charted]:
    """A control plane with charts/cairn installed."""
    with charted_cluster(tmp_path_factory.mktemp("charted")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def other(charted: Charted) -> str:
    """A namespace that is no Seller's, where the operator nevertheless has write rights: a stolen binding."""
    charted.make_namespace(OTHER)
    body = binding("stolen", "cairn-seller-namespace", OPERATOR_SUBJECT)
    assert charted.admin.create(f"{ROLES}/namespaces/{OTHER}/rolebindings", body).ok
    return OTHER
