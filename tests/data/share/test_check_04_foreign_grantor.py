# SPDX-License-Identifier: Apache-2.0
"""Rights that somebody gave by hand, whoever it was: gone after one pass, each with its record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cairn.sql.share.names import group, logins, own_role, published, shares, work
from data.share.designs import design
from data.share.seller import Seller

KINDS: dict[str, list[str]] = {
    "owner": ["SET ROLE {own}; GRANT SELECT ON {s}.trade TO {mallory}; RESET ROLE"],
    "superuser": ["GRANT SELECT ON map.key TO {erp}"],
    "superuser, all of it": ["GRANT ALL ON map.key TO {erp}"],
    "grant option": ["GRANT SELECT ON {s}.trade TO {crm} WITH GRANT OPTION"],
    "grant option, used": [
        "GRANT SELECT ON {s}.trade TO {crm} WITH GRANT OPTION",
        "SET ROLE {crm}; GRANT SELECT ON {s}.trade TO {erp}; RESET ROLE",
    ],
    "intermediate role": [
        "GRANT USAGE ON SCHEMA platform TO {mallory}",
        "GRANT SELECT ON platform.trades TO {mallory} WITH GRANT OPTION",
        "SET ROLE {mallory}; GRANT SELECT ON platform.trades TO {crm}; RESET ROLE",
    ],
    "intermediate role, elsewhere": [
        "CREATE SCHEMA other; CREATE TABLE other.t (); GRANT USAGE ON SCHEMA other TO {mallory}",
        "GRANT SELECT ON other.t TO {mallory} WITH GRANT OPTION",
        "SET ROLE {mallory}; GRANT SELECT ON other.t TO {crm}; RESET ROLE",
    ],
    "column": ["GRANT SELECT (receiver_mobile) ON platform.trades TO {crm}"],
    "column of a share": ["GRANT UPDATE (tid) ON {s}.trade TO PUBLIC"],
    "schema": ["GRANT USAGE ON SCHEMA {s} TO {erp}"],
    "create": ["GRANT CREATE ON SCHEMA {s} TO {crm}"],
    "public schema": ["GRANT USAGE ON SCHEMA public TO PUBLIC"],
    "database": ["GRANT CREATE ON DATABASE {database} TO {crm}"],
    "temporary tables": ["GRANT TEMPORARY ON DATABASE {database} TO PUBLIC"],
    "another database": ["GRANT CONNECT ON DATABASE postgres TO {crm}"],
    "member": ["GRANT {crm} TO {mallory}"],
    "member with admin option": ["GRANT {crm} TO {login} WITH ADMIN OPTION"],
    "member of another app": ["GRANT {erp} TO {crm}"],
    "predefined role": ["GRANT pg_read_all_data TO {crm}"],
    "owner role": ["GRANT {own} TO {login}"],
    "function": ["GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO {crm}"],
    "function of Cairn's": ["GRANT EXECUTE ON FUNCTION audit.chain() TO {crm}"],
    "type": ["CREATE TYPE public.pair AS (a int, b int); GRANT USAGE ON TYPE public.pair TO {crm}"],
    "language": ["GRANT USAGE ON LANGUAGE plpgsql TO {crm}"],
    "wrapper": ["CREATE FOREIGN DATA WRAPPER w{n}; GRANT USAGE ON FOREIGN DATA WRAPPER w{n} TO {crm}"],
    "server": [
        "CREATE FOREIGN DATA WRAPPER w{n}; CREATE SERVER x{n} FOREIGN DATA WRAPPER w{n}",
        "GRANT USAGE ON FOREIGN SERVER x{n} TO {crm}",
    ],
    "large object": ["SELECT lo_create(77)", "GRANT SELECT ON LARGE OBJECT 77 TO {crm}"],
    "large object of an app": [
        "SET ROLE {erp}; SELECT lo_create(78); GRANT SELECT ON LARGE OBJECT 78 TO {crm}; RESET ROLE"
    ],
    "parameter": ["GRANT SET ON PARAMETER log_statement TO {crm}"],
    "tablespace": ["GRANT CREATE ON TABLESPACE pg_default TO {crm}"],
    "default rights": ["ALTER DEFAULT PRIVILEGES FOR ROLE {own} IN SCHEMA {s} GRANT SELECT ON TABLES TO {erp}"],
    "default rights of another": ["ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {crm}"],
    "default rights opened": ["ALTER DEFAULT PRIVILEGES FOR ROLE {own} GRANT EXECUTE ON FUNCTIONS TO PUBLIC"],
    "work shared by its app": [
        "SET ROLE {erp}; CREATE TABLE {we}.mine (); GRANT SELECT ON {we}.mine TO {crm}; RESET ROLE"
    ],
    "work opened by its app": ["SET ROLE {erp}; GRANT USAGE ON SCHEMA {we} TO PUBLIC; RESET ROLE"],
    "published": ["GRANT TRIGGER, TRUNCATE, REFERENCES ON {p}.review TO {crm}"],
    "audit": ["GRANT INSERT, SELECT ON audit.log TO {crm}"],
    "owner of the audit": ["GRANT DELETE ON audit.log TO {own}"],
    "sys_info": ["GRANT USAGE ON SCHEMA sys_info TO {crm}"],
    "power": ["ALTER ROLE {crm} BYPASSRLS"],
    "powers": ["ALTER ROLE {login} SUPERUSER CREATEROLE"],
    "setting": ["ALTER ROLE {login} SET search_path = {we}"],
    "setting in one database": ["ALTER ROLE {login} IN DATABASE {database} SET role = '{erp}'"],
    "login of a group": ["ALTER ROLE {crm} LOGIN"],
    "login that is off": ["ALTER ROLE {off} LOGIN"],
    "taken away": ["REVOKE SELECT ON {s}.trade FROM {crm}"],
    "taken from the owner": ["REVOKE ALL ON map.scope FROM {own}"],
    "shop added": ["INSERT INTO map.scope VALUES ('{s}.trade', '55502')"],
}
RECORDS = {"intermediate role": 3, "grant option, used": 2, "member with admin option": 1, "taken from the owner": 1}


def statements(kind: str, seller: Seller, number: int) -> Iterator[str]:
    names = {
        "own": own_role(design(seller.database).id),
        "database": seller.database,
        "crm": group(seller.crm),
        "erp": group(seller.erp),
        "s": shares(seller.crm),
        "p": published(seller.crm),
        "we": work(seller.erp),
        "login": logins(seller.crm)[0],
        "off": logins(seller.crm)[1],
        "mallory": "mallory",
        "n": number,
    }
    for sql in KINDS[kind]:
        yield sql.format(**names)


async def test_check_04_foreign_grantor_is_undone_with_one_record_each(seller: Seller) -> None:
    whole = design(seller.database)
    await seller.conn.execute("CREATE ROLE mallory LOGIN")
    await seller.settled(whole)
    wrong = []
    for number, kind in enumerate(KINDS):
        for sql in statements(kind, seller, number):
            await seller.conn.execute(sql)
        outcome = await seller.settled(whole)
        found = [(record.action, record.actor) for record in outcome.records]
        if found != [("repair", "cairn")] * RECORDS.get(kind, 1):
            wrong.append((kind, *((one.action, one.subject, one.before) for one in outcome.records)))
    assert wrong == [], wrong
    rows = await seller.share.audit(whole)
    assert sum(row["action"] == "repair" for row in rows) == len(KINDS) + sum(RECORDS.values()) - len(RECORDS)


@pytest.mark.parametrize("kind", ["owner", "intermediate role, elsewhere"])
async def test_check_04_foreign_grantor_is_named_in_the_record(seller: Seller, kind: str) -> None:
    whole = design(seller.database)
    await seller.conn.execute("DO $$ BEGIN CREATE ROLE mallory LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
    await seller.settled(whole)
    for sql in statements(kind, seller, 0):
        await seller.conn.execute(sql)
    (record,) = (await seller.settled(whole)).records
    if kind == "owner":
        assert record.before == (f"SELECT on table {shares(seller.crm)}.trade to mallory",)
    else:
        assert record.before == (f"SELECT on table other.t to {group(seller.crm)} by mallory",)
    row = (await seller.share.audit(whole))[-1]
    assert (row["before"], row["reason"]) == (record.before, "not as it was settled")
