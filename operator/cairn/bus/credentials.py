# SPDX-License-Identifier: Apache-2.0
"""Who may do what on the bus: NATS decentralised JWTs, minted without asking the server.

One account holds Cairn's stream. Its seed mints users: the operator (administration), the gateway (publishes), and one
per subscription, which reads its own consumer and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cairn.bus.nkeys import BadKeyError, KeyPair, KeyType
from cairn.bus.verdict import SUBJECT as BACKLOG

UNLIMITED = {"subs": -1, "data": -1, "payload": -1}


@dataclass(frozen=True, slots=True)
class Permissions:
    """Subjects a user may publish and subscribe to; all else is denied."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def inbox(name: str) -> str:
    """The prefix of a user's own inboxes: replies to one user can't be read by another."""
    return f"_INBOX_{name}"


def worker_permissions(stream: str, consumer: str) -> Permissions:
    """Reads one consumer, acknowledges on it, asks how far it is, and has it deliver again what nobody acknowledged."""
    return Permissions(
        publish=(
            f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}",
            f"$JS.API.CONSUMER.INFO.{stream}.{consumer}",
            f"$JS.API.CONSUMER.RESET.{stream}.{consumer}",
            f"$JS.ACK.{stream}.{consumer}.>",
            f"$JS.ACK.*.*.{stream}.{consumer}.>",  # the longer form that a server with a domain uses
        ),
        subscribe=(f"{inbox(consumer)}.>",),
    )


def gateway_permissions() -> Permissions:
    """Publishes records, hears which sellers are to wait, reads nothing else."""
    return Permissions(publish=("push.*.*.*",), subscribe=(f"{inbox('gateway')}.>", BACKLOG))


def admin_permissions() -> Permissions:
    """Makes streams and consumers, tells which sellers are to wait; publishes no records."""
    return Permissions(publish=("$JS.API.>", BACKLOG), subscribe=(f"{inbox('admin')}.>",))


def mint_user(
    account_seed: str, name: str, publish: Sequence[str], subscribe: Sequence[str], expires: int | None = None
) -> str:
    """A `.creds` file for a new user of the account: its JWT and its seed.

    expires: unix seconds after which the server ends the connection and refuses it; None: never
    """
    account = KeyPair.from_seed(account_seed)
    user = KeyPair.generate(KeyType.USER)
    rights = {"pub": {"allow": list(publish)}, "sub": {"allow": list(subscribe)}, **UNLIMITED}
    token = _jwt(account, user.public, name, {"type": "user", "version": 2, **rights}, expires)
    return (
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )


@dataclass(frozen=True, slots=True)
class Creds:
    """The two halves of a `.creds` file."""

    jwt: str
    key: KeyPair

    @classmethod
    def parse(cls, text: str) -> Creds:
        """ValueError for text that is no `.creds` file."""
        found = re.findall(r"-----BEGIN [A-Z ]+-----\s*(\S+)\s*-+END", text)
        if len(found) != 2:
            raise ValueError("not a .creds file: it holds a JWT and a seed between BEGIN and END lines")
        return cls(found[0], KeyPair.from_seed(found[1]))

    def claims(self) -> dict[str, Any]:
        """What the JWT says, unverified: `exp` is when it ends."""
        body = self.jwt.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return claims


@dataclass(frozen=True, slots=True)
class Users:
    """`.creds` of the operator (admin) and of the gateway. Keep both secret."""

    admin: str
    gateway: str


def new_users(account_seed: str) -> Users:
    """Mint both anew for the account of this seed; users minted before stay valid. BadKeyError: no account's seed."""
    if KeyPair.from_seed(account_seed).kind is not KeyType.ACCOUNT:
        raise BadKeyError("not the seed of an account")
    admin, gateway = admin_permissions(), gateway_permissions()
    return Users(
        admin=mint_user(account_seed, "admin", admin.publish, admin.subscribe),
        gateway=mint_user(account_seed, "gateway", gateway.publish, gateway.subscribe),
    )


@dataclass(frozen=True, slots=True)
class Installation:
    """A new bus: what its server, the operator and the gateway are given. Keep all of it secret.

    server: the resolver part of the server's configuration
    system: creds of the system account: asks servers for their settings
    """

    server: str
    account_seed: str
    admin: str
    gateway: str
    system: str


def new_installation() -> Installation:
    """Mint an operator, the system account, Cairn's account and their first users. The operator's key is thrown away:
    a server trusts these two accounts and no other can be added."""
    operator, system, account = (
        KeyPair.generate(kind) for kind in (KeyType.OPERATOR, KeyType.ACCOUNT, KeyType.ACCOUNT)
    )
    own = {"type": "operator", "version": 2, "system_account": system.public}
    seed = account.seed
    users = new_users(seed)
    system_user = mint_user(system.seed, "system", ["$SYS.REQ.SERVER.PING.JSZ"], [f"{inbox('system')}.>"])
    lines = (
        f"operator: {_jwt(operator, operator.public, 'cairn', own)}",
        f"system_account: {system.public}",
        "resolver: MEMORY",
        "resolver_preload: {",
        f"  {system.public}: {_jwt(operator, system.public, 'SYS', _account(jetstream=False))}",
        f"  {account.public}: {_jwt(operator, account.public, 'CAIRN', _account(jetstream=True))}",
        "}",
    )
    return Installation(
        server="\n".join(lines) + "\n",
        account_seed=seed,
        admin=users.admin,
        gateway=users.gateway,
        system=system_user,
    )


def _account(*, jetstream: bool) -> dict[str, Any]:
    limits: dict[str, Any] = {**UNLIMITED, "imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1}
    if jetstream:
        limits |= {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
    return {"type": "account", "version": 2, "limits": limits}


def _jwt(issuer: KeyPair, subject: str, name: str, nats: Mapping[str, Any], expires: int | None = None) -> str:
    claims: dict[str, Any] = {"iat": int(time.time()), "iss": issuer.public, "name": name, "sub": subject, "nats": nats}
    if expires is not None:
        claims["exp"] = expires
    unique = hashlib.sha256(json.dumps(claims, sort_keys=True).encode()).digest()
    claims["jti"] = base64.b32encode(unique).rstrip(b"=").decode()
    parts = [_base64(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, claims)]
    signed = ".".join(parts)
    return f"{signed}.{_base64(issuer.sign(signed.encode()))}"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
