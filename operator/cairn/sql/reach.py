# SPDX-License-Identifier: Apache-2.0
"""How the operator gets into a seller's database server, and where it never goes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from cairn.api.conditions import Reason
from cairn.api.database import admin_secret, ca_secret
from cairn.api.resources import Obj
from cairn.api.secrets import raw
from cairn.api.sellerrds import SellerRDS
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target

Networks = Sequence[IPv4Network | IPv6Network]
WITH_IPV4 = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
"""NAT64 and the old IPv4-compatible addresses: the last four bytes are an IPv4 address."""


async def admin_target(
    rds: SellerRDS,
    admin: Mapping[str, bytes],
    ca: bytes | None,
    denied: Networks,
    *,
    database: str | None = None,
    pod_address: str | None = None,
) -> Target:
    """The operator's own way in.

    database: to begin in, by default the engine's own
    admin: username and password; ca: PEM that an own server, or an external one by VerifyCA, is checked against
    pod_address: of an own server's pod, which answers before its Service does

    SqlError(DatabaseAddressRefused, DatabaseUnreachable) for an external host.
    """
    database = rds.spec.traits.admin_database if database is None else database
    user, password = (admin.get(key, b"").decode("utf-8", "replace") for key in ("username", "password"))
    external = rds.spec.external
    if external is None:
        host = f"{rds.metadata.name}.{rds.metadata.namespace}.svc"
        return Target(host, rds.spec.port, database, user, password, ca=ca, address=pod_address)
    port = rds.spec.port
    address = await allowed_address(external.host, port, denied)
    checked = ca if external.tls == "VerifyCA" else None
    return Target(external.host, port, database, user, password, checked, verify_host=False, address=address)


async def way_in(
    rds: SellerRDS, secret: Callable[[str], Obj | None], pod: Obj | None, denied: Networks, database: str
) -> Target | None:
    """The operator's way into a database, for whoever uses it beside its SellerRDS. None while there is none.

    secret: of the server's namespace, by name; pod: of a server of our own
    """
    admin, ca_name = secret(admin_secret(rds)), ca_secret(rds)
    ca = raw(secret(ca_name), "ca.crt") if ca_name else b""
    address = None
    if rds.spec.external is None:
        address = ((pod or {}).get("status") or {}).get("podIP")
        if not address:
            return None
    if not raw(admin, "password") or (not ca and (rds.spec.external is None or rds.spec.external.tls == "VerifyCA")):
        return None
    login = {key: raw(admin, key) for key in ("username", "password")}
    return await admin_target(rds, login, ca or None, denied, database=database, pod_address=address)


async def allowed_address(host: str, port: int, denied: Networks) -> str:
    """An address of the host; refused if any of its addresses is denied, so that a name can't change its mind later."""
    try:
        async with asyncio.timeout(5):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as error:
        message = f"spec.external.host: {host} has no address: {str(error) or type(error).__name__}"
        raise SqlError(Reason.DATABASE_UNREACHABLE, message) from error
    addresses = [ip_address(str(entry[4][0]).split("%")[0]) for entry in found]
    for address in addresses:
        if is_denied(address, denied):
            message = f"spec.external.host: {host} is {address}, where the platform lets no database be: name another"
            raise SqlError(Reason.DATABASE_ADDRESS_REFUSED, message)
    return str(addresses[0])


def is_denied(address: IPv4Address | IPv6Address, denied: Networks) -> bool:
    """Whether an address, or the IPv4 one inside it, lies in a denied network. 0.0.0.0 and :: are this very host."""
    inner = [address]
    if isinstance(address, IPv6Address):
        inner += [found for found in (address.ipv4_mapped, address.sixtofour) if found is not None]
        if any(address in network for network in WITH_IPV4):
            inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return any(
        one.is_unspecified
        or one.is_multicast
        or any(one in network for network in denied if network.version == one.version)
        for one in inner
    )
