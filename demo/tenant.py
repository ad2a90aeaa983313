# SPDX-License-Identifier: Apache-2.0
"""`make demo-tenant`: a seller's data, two vendors' apps, and what each sees: before and after a request that
grows, a consent, and a revoke while the app reads. On a dev cluster of its own; apps are pods with psql and a Secret.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from demo.install import REPOSITORY, SYSTEM, bus_secrets, chart, tree_tag, unready
from demo.parties import Vendor, as_seller, ended, push, records
from demo.steps import DemoError, awaited, say, step
from demo.target import TREE, DevCluster, MissingError, Obj, StepError, Target

BUILD, EXAMPLE = TREE / "build" / "demo", TREE / "examples" / "tenant"
NAMESPACE, TENANT = "seller-2088", "main"
ERP_TRADES = "SELECT tid, nick, item_title, payment FROM :s.trades ORDER BY tid"
VIEWS = {
    "crm-acme": {
        "members": "SELECT nick, memo, vip_level FROM :s.members ORDER BY vip_level",
        "trades": "SELECT tid, nick, item_title, payment FROM :s.trades ORDER BY tid",
        "parcels": "SELECT tid, shipped FROM :s.parcels ORDER BY tid",
    },
    "erp-bolt": {
        "trades": ERP_TRADES,
        "reviews": "SELECT tid, review_status FROM :s.reviews ORDER BY tid",
    },
}
ALL = "SELECT * FROM :s.trades ORDER BY tid LIMIT 1"


class TenantCluster(DevCluster):
    """The demo's own dev cluster."""

    name = "demo-tenant"


def example(*files: str) -> str:
    """Manifests of the example, with consents that last for half a year from today."""
    end = f"{datetime.now(UTC) + timedelta(days=180):%Y-%m-%d}"
    return "---\n".join((EXAMPLE / file).read_text().replace("2027-05-31", end) for file in files)


def install(target: Target) -> None:
    tag = tree_tag()
    with step("cluster"):
        target.up()
    with step("operator image from this tree"):
        target.load(f"{REPOSITORY}:{tag}")
    with step("Cairn"):
        bus_secrets(target)
        chart(target, tag)
    with step("a seller with a database, and what is pushed into it"):
        made = example("platform.yaml")
        target.kubectl("apply", "-f", "-", stdin=made, check=False)
        awaited("the Seller", lambda: unready(target, "sellers"), seconds=120)
        target.kubectl("apply", "-f", "-", stdin=made)
        awaited("all of it", lambda: unready(target, "sellerrdses", "pushsubscriptions"), seconds=300)
        key = target.secret(SYSTEM, "cairn-gateway")["hmac.key"].split()[0].encode()
        push(target, key, records(datetime.now(UTC).replace(microsecond=0, tzinfo=None)))
    with step("its tenant, and the apps' requests"):
        target.kubectl("apply", "-f", "-", stdin=example("tenant.yaml"))
        awaited("the apps' namespaces", lambda: _homes(target), seconds=120)
        requests = ("contracts-crm.yaml", "contracts-erp.yaml", "app-crm.yaml", "app-erp.yaml")
        target.kubectl("apply", "-f", "-", stdin=example(*requests))
        awaited("the apps", lambda: unready(target, "integrationtenants", "integrationapps"), seconds=180)
        awaited("verified rights", lambda: unverified(target), seconds=60)


def _homes(target: Target) -> str:
    there = [app for app in VIEWS if target.get("namespace", f"cairn-2088-{app}")]
    return "" if len(there) == len(VIEWS) else f"only {', '.join(there) or 'none'}"


def tenant(target: Target) -> Obj:
    return target.get("integrationtenant", "-n", NAMESPACE, TENANT) or {}


def condition(obj: Obj, kind: str) -> Obj:
    found = (one for one in obj.get("status", {}).get("conditions", ()) if one["type"] == kind)
    return next(found, {})


def app(target: Target, name: str) -> Obj:
    return next((one for one in tenant(target).get("status", {}).get("apps", ()) if one["name"] == name), {})


def unverified(target: Target) -> str:
    found = tenant(target)
    said = condition(found, "AclVerified")
    current = said.get("observedGeneration") == found["metadata"]["generation"]
    return "" if current and said.get("status") == "True" else f"AclVerified: {said.get('message', 'not yet')}"


def change(target: Target, edit: Callable[[list[Obj]], list[Obj]]) -> None:
    """The seller edits the consents."""
    body = {"spec": {"grants": edit(tenant(target)["spec"]["grants"])}}
    target.kubectl("patch", "integrationtenant", "-n", NAMESPACE, TENANT, "--type=merge", "-p", json.dumps(body))


def wider(target: Target) -> str:
    """Bolt's next version asks for telephone numbers as they are. Returns the new contract's hash."""
    documents = {one["metadata"]["name"]: one for one in yaml.safe_load_all(example("contracts-erp.yaml"))}
    contract = documents["trade-v3"]
    text = contract["data"]["contract.yaml"].replace("version: 1.0.0", "version: 2.0.0").replace("partial", "plain")
    contract["data"]["contract.yaml"] = text
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    request = yaml.safe_load(example("app-erp.yaml"))
    request["spec"]["requests"][0]["contract"]["sha256"] = sha256
    target.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([contract, request]))
    return sha256


def play(target: Target) -> tuple[Obj, dict[str, bool]]:
    vendors = {name: Vendor(target, name, target.postgresql_image.format(version="17")) for name in VIEWS}
    crm, erp = vendors["crm-acme"], vendors["erp-bolt"]
    checks: dict[str, bool] = {}
    with step("the vendors' pods write what they publish"):
        for vendor in vendors.values():
            vendor.start()
        crm.does(
            "INSERT INTO :p.reviews (tid, agent, review_status) VALUES"
            " (1000, 'Wang Fang', 'answered'), (1001, 'Li Na', 'open'), (4711, 'nobody', 'of no order')"
            " ON CONFLICT DO NOTHING;"
        )
        erp.does(
            "INSERT INTO :p.parcels (tid, warehouse, shipped, cost) VALUES"
            " (1000, 'Hangzhou', true, 6.50), (1002, 'Hangzhou', false, 7.10) ON CONFLICT DO NOTHING;"
        )
    with step("what each party sees"):
        seen: Obj = {
            name: {view: vendors[name].sees(sql) for view, sql in views.items()} for name, views in VIEWS.items()
        }
        seller = {
            "members": as_seller(target, "SELECT nick, memo, grade AS vip_level FROM platform.members ORDER BY grade"),
            "trades": as_seller(
                target, "SELECT tid, buyer_nick AS nick, title AS item_title, payment FROM platform.trades ORDER BY tid"
            ),
        }
        checks |= judged(seller, seen)
        checks["erp_reads_no_base_table"] = bool(erp.refused("SELECT * FROM platform.trades;"))
        checks["erp_reads_no_other_share"] = bool(erp.refused(f"SELECT * FROM {_schema(target, 'crm-acme')}.members;"))
    with step("the ERP's vendor asks for more"):
        before, columns = app(target, "erp-bolt")["effectiveHash"], list(erp.sees(ALL)[0])
        sha256 = wider(target)
        awaited("the tenant to notice", lambda: _unnoticed(target, sha256), seconds=90)
        pending = condition(tenant(target), "PendingConsent")
        checks["widening_waits"] = app(target, "erp-bolt")["effectiveHash"] == before
        checks["widening_shows_nothing"] = list(erp.sees(ALL)[0]) == columns
    with step("the seller consents, to masked numbers"):
        began = time.monotonic()
        change(target, lambda grants: [_consented(one, sha256) for one in grants])
        awaited("the consent to be effective", lambda: _unchanged(target, before), seconds=90, every=0.2)
        consent_seconds = time.monotonic() - began
        consented = erp.sees(ALL)
        checks["consent_shows_the_masked_column"] = "****" in str(consented[0].get("mobile"))
    with step("the seller revokes while the ERP reads"):
        cursor = erp.cursor("SELECT tid FROM :s.trades")
        began = time.monotonic()
        change(target, lambda grants: [one for one in grants if one["name"] != "bolt-fulfilment"])
        said = ended(cursor, 30)
        revoke_seconds = time.monotonic() - began
        awaited("verified rights", lambda: unverified(target), seconds=60)
        checks["cursor_ended_within_30_s"] = revoke_seconds < 30
        refused = erp.refused("SELECT * FROM :s.trades;")
        checks["reconnect_sees_nothing"] = bool(refused)
        checks["crm_sees_what_it_saw"] = crm.sees(VIEWS["crm-acme"]["trades"]) == seen["crm-acme"]["trades"]
    report = {
        "checks": checks,
        "sees": {"seller": seller, **seen},
        "pending": pending,
        "consent": {"seconds": round(consent_seconds, 2), "row": consented[0]},
        "revoke": {"seconds": round(revoke_seconds, 2), "cursor": said, "afterwards": refused},
    }
    return report, checks


def judged(seller: Obj, seen: Obj) -> dict[str, bool]:
    """What must be true of what they see."""
    crm, erp = seen["crm-acme"], seen["erp-bolt"]
    nicks = {row["nick"] for row in seller["trades"]}
    text = json.dumps(seen, ensure_ascii=False)
    return {
        "everybody_sees_the_orders": len(crm["trades"]) == len(erp["trades"]) == len(seller["trades"]),
        "no_app_sees_a_nick": not any(nick in text for nick in nicks),
        "crm_joins_orders_and_members": {row["nick"] for row in crm["trades"]}
        == {row["nick"] for row in crm["members"]},
        "pseudonyms_differ_by_app": not {row["nick"] for row in crm["trades"]} & {row["nick"] for row in erp["trades"]},
        "published_rows_join_on_tid": [row["tid"] for row in erp["reviews"]] == [1000, 1001],
        "parcels_without_cost": all(set(row) == {"tid", "shipped"} for row in crm["parcels"]) and bool(crm["parcels"]),
    }


def _schema(target: Target, name: str) -> str:
    return f"s{app(target, name)['id']}"


def _unnoticed(target: Target, sha256: str) -> str:
    said = condition(tenant(target), "PendingConsent")
    return "" if sha256[:12] in said.get("message", "") else "PendingConsent does not name it yet"


def _unchanged(target: Target, before: str) -> str:
    changed = app(target, "erp-bolt").get("effectiveHash") != before
    return unverified(target) if changed else "the old rights are still there"


def _consented(grant: Obj, sha256: str) -> Obj:
    if grant["name"] != "bolt-fulfilment":
        return grant
    (table,) = grant["tables"]
    columns = [*table["columns"], {"name": "mobile", "mask": "partial"}]
    return grant | {"contract": {"name": "trade-v3", "sha256": sha256}, "tables": [table | {"columns": columns}]}


def show(report: Obj) -> None:
    for party, tables in report["sees"].items():
        for name, found in tables.items():
            print(f"\n{party}: {name}")
            for row in found[:3]:
                print("  " + "  ".join(f"{key}={_short(value)}" for key, value in row.items()))
    print(f"\nERP asks for more:  {report['pending'].get('message')}")
    consent = report["consent"]
    print(f"consented:          effective after {consent['seconds']} s: mobile={consent['row']['mobile']}")
    print(f"revoked:            cursor ended after {report['revoke']['seconds']} s: {report['revoke']['cursor']}")
    print(f"                    new connection: {report['revoke']['afterwards']}\n")
    for check, holds in report["checks"].items():
        print(f"{'yes' if holds else 'NO ':3}  {check.replace('_', ' ')}")


def _short(value: object) -> str:
    text = str(value)
    return f"{text[:10]}…" if len(text) > 24 else text


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo-tenant", description=__doc__)
    parser.add_argument("--down", action="store_true", help="take the demo down")
    args = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    file: Path = BUILD / "tenant.json"
    try:
        target = TenantCluster()
        if args.down:
            with step("taking the demo down"):
                target.down()
            return 0
        install(target)
        report, checks = play(target)
    except MissingError as missing:
        say(str(missing))
        return 3
    except (DemoError, StepError) as failed:
        say(f"the demo can't go on: {failed}")
        return 1
    file.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    show(report)
    print(f"\nreport: {file}\ntake it down: make demo-tenant-down")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
