# SPDX-License-Identifier: Apache-2.0
"""Who holds what, by whose clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cairn.api.resources import Obj
from cairn.pool import leases
from cairn.pool.assign import Claim
from cairn.pool.leases import Sightings

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOTES = leases.wishes("digest", Claim(100, 200), wanted=True)


def lease(holder: str = "", at: datetime = NOW) -> Obj:
    made = leases.subscription("cairn-push", "seller-2088--orders", NOTES)
    return leases.held(made, holder, at, {}) if holder else made


def test_slot_says_what_was_wished_and_what_its_holder_tells() -> None:
    found = leases.slot(leases.held(lease(), "a", NOW, {leases.READY: "true", leases.RESTARTS: "3"}))
    assert (found.wanted, found.config, found.claim) == (True, "digest", Claim(100, 200))
    assert (found.holder, found.ready, found.restarts) == ("a", True, 3)
    given_up = leases.slot(leases.given_up(lease("a")))
    assert (given_up.holder, given_up.ready, given_up.config) == ("", False, "digest")


def test_renewal_keeps_since_when_and_a_taking_counts() -> None:
    taken = lease("a")
    later = NOW + timedelta(seconds=10)
    renewed, lost = leases.held(taken, "a", later, {})["spec"], leases.held(taken, "b", later, {})["spec"]
    assert renewed["acquireTime"] == taken["spec"]["acquireTime"] != lost["acquireTime"]
    assert (renewed["leaseTransitions"], lost["leaseTransitions"]) == (1, 2)


def test_lease_is_free_when_given_up_or_long_unrenewed() -> None:
    assert leases.free(lease(), NOW)
    assert leases.free(leases.given_up(lease("a")), NOW)
    assert not leases.free(lease("a"), NOW + timedelta(seconds=39))
    assert leases.free(lease("a"), NOW + timedelta(seconds=41))


def test_holder_is_alive_while_it_renews_whatever_its_clock_says() -> None:
    seen = Sightings()
    past = NOW - timedelta(days=1)
    assert seen.look([lease("a", past)], 0) == {"seller-2088--orders"}
    assert seen.look([lease("a", past)], 29) == {"seller-2088--orders"}
    assert seen.look([lease("a", past)], 31) == set()
    assert seen.look([lease("a", past + timedelta(seconds=1))], 32) == {"seller-2088--orders"}
    assert seen.look([lease()], 33) == set()


def test_members_lease_goes_with_its_pod() -> None:
    made = leases.member("cairn-push", "pool-1", Claim(1000, 2000), "pool-1", "uid")
    assert made["metadata"]["ownerReferences"] == [{"apiVersion": "v1", "kind": "Pod", "name": "pool-1", "uid": "uid"}]
    assert leases.claim(made["metadata"]["annotations"]) == Claim(1000, 2000)
    assert leases.is_a(leases.MEMBER, made)
    assert not leases.is_a(leases.SUBSCRIPTION, made)
