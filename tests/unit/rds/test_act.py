# SPDX-License-Identifier: Apache-2.0
"""What the deeds of a SellerRDS do to its Secrets, on Secrets in memory."""

from __future__ import annotations

import contextlib
import ssl
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

import pytest
from cryptography import x509

from cairn.api.conditions import Reason
from cairn.api.database import Address
from cairn.api.platform import Platform
from cairn.api.resources import SECRET, Obj, Ref, ref_of
from cairn.api.sellerrds import SellerRDS
from cairn.engine.kind import Action, ActionError, Io, Observed
from cairn.rds import act as deeds
from cairn.rds.credentials import admin_login, connection
from cairn.sql.postgresql import Target, tls_context
from unit.rds import world
from unit.rds.world import NAMESPACE, rds


class Secrets:
    """An `Io` on Secrets alone."""

    def __init__(self, *secrets: Obj) -> None:
        self.live = {ref_of(secret): secret for secret in secrets}

    async def get(self, ref: Ref) -> Obj | None:
        return self.live.get(ref)

    async def create(self, obj: Obj, owner: Obj | None = None) -> Obj | None:
        return self.live.setdefault(ref_of(obj), obj)

    async def update_data(self, ref: Ref, data: Mapping[str, bytes]) -> None:
        self.live[ref]["data"] |= {key: b64encode(value).decode() for key, value in data.items()}

    async def patch(self, ref: Ref, body: Obj, subresource: str | None = None, manager: str = "") -> Obj:
        raise NotImplementedError

    def read(self, name: str, key: str) -> bytes:
        return b64decode(self.live[Ref(SECRET, NAMESPACE, name)]["data"][key])


async def do(action: Action, io: Secrets) -> None:
    await deeds.act(action, SellerRDS.model_validate(rds()), Observed(), cast(Io, io), Platform())


async def test_new_authority_comes_beside_the_one_that_the_server_still_shows() -> None:
    io = Secrets(*(one for one in world.secrets() if one["metadata"]["name"] == "shop-db-admin"))
    await do(Action("mint-ca", {"secret": "shop-db-ca"}), io)
    known = x509.load_pem_x509_certificates(io.read("shop-db-ca", "ca.crt"))
    assert len(known) == 2
    assert known[1] == x509.load_pem_x509_certificate(world.CA["ca.crt"])
    await do(Action("mint-certificate", {"secret": "shop-db-tls", "names": ["shop-db"]}), io)
    served = x509.load_pem_x509_certificate(io.read("shop-db-tls", "tls.crt"))
    served.verify_directly_issued_by(known[0])


async def test_server_is_known_before_and_after_it_shows_a_certificate_of_the_new_authority(tmp_path: Path) -> None:
    io = Secrets(*(one for one in world.secrets() if one["metadata"]["name"] == "shop-db-admin"))
    await do(Action("mint-ca", {"secret": "shop-db-ca"}), io)
    await do(Action("mint-certificate", {"secret": "shop-db-tls", "names": ["shop-db"]}), io)
    known = io.read("shop-db-ca", "ca.crt")
    _shake_hands(world.TLS, known, "shop-db.seller-2088.svc", tmp_path)
    renewed = {key: io.read("shop-db-tls", key) for key in ("tls.crt", "tls.key")}
    _shake_hands(renewed, known, "shop-db", tmp_path)


def _shake_hands(served: Mapping[str, bytes], known: bytes, name: str, directory: Path) -> None:
    """A TLS handshake in memory; ssl.SSLError where the client does not know the server."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    file = directory / "served.pem"
    file.write_bytes(served["tls.crt"] + served["tls.key"])
    server.load_cert_chain(file)
    client = tls_context(Target(name, 5432, "postgres", "cairn_admin", "", ca=known))
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client.wrap_bio(down, up, server_hostname=name), server.wrap_bio(up, down, server_side=True)]
    for side in sides * 3:
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert sides[0].version()


async def test_first_authority_comes_alone() -> None:
    io = Secrets()
    await do(Action("mint-ca", {"secret": "shop-db-ca"}), io)
    assert len(x509.load_pem_x509_certificates(io.read("shop-db-ca", "ca.crt"))) == 1


async def test_password_that_no_verifier_can_be_made_of_names_its_secret_and_nothing_of_itself() -> None:
    io = Secrets(world.secret("shop-db-owner", password="pässwort"))
    args = {"database": "shop", "owner": "shop_owner", "reader": "shop_reader"}
    args |= {"ownerSecret": "shop-db-owner", "readerSecret": "shop-db-reader"}
    with pytest.raises(ActionError, match="Secret shop-db-owner") as caught:
        await do(Action("database", args), io)
    assert caught.value.reason is Reason.ACTION_FAILED
    assert "ä" not in caught.value.message


def test_connection_uri_of_a_password_chosen_by_hand_can_be_read_again() -> None:
    made = connection(admin_login("shop-db"), Address("db.example.com", 5432, ""), "a:b/c@d?#%")
    found = urlsplit(made["uri"])
    assert (found.hostname, found.port) == ("db.example.com", 5432)
    assert unquote(found.password or "") == "a:b/c@d?#%"
