# SPDX-License-Identifier: Apache-2.0
"""Connections to PostgreSQL: always encrypted, never through the seller's `search_path`."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

PINNED = {
    "search_path": "pg_catalog, pg_temp",
    "client_min_messages": "warning",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "synchronous_commit": "on",
    "row_security": "on",
    "timezone": "UTC",
    "jit": "off",
}
"""Session settings: given at the start of a session they outrank whatever was set on the database or the role."""


@dataclass(frozen=True, slots=True)
class Target:
    """A database and how to get in.

    ca: PEM of the authority that must have signed the server's certificate; None encrypts without knowing the server
    verify_host: whether the certificate must also name `host` (verify-full)
    address: connect to this IP address, whatever `host` resolves to by now; the certificate is still held to `host`
    """

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    ca: bytes | None = field(default=None, repr=False)
    verify_host: bool = True
    address: str | None = None


class _Context(ssl.SSLContext):
    """A client context that holds the server to one name, although the connection goes to an address."""

    expected: str | None = None

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        if self.expected is not None:
            kwargs["server_hostname"] = self.expected
        return super().wrap_bio(*args, **kwargs)


def tls_context(target: Target) -> ssl.SSLContext:
    """TLS 1.2 or newer; verified against `ca` where there is one. ValueError for a `ca` that holds no certificate."""
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.expected = target.host
    if target.ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context.check_hostname = target.verify_host
    try:
        context.load_verify_locations(cadata=target.ca.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise ValueError(f"the CA file holds no PEM certificate: {error}") from error
    return context


async def connect(
    target: Target,
    *,
    application: str = "cairn-operator",
    timeout: float = 8.0,  # noqa: ASYNC109 -- asyncpg's own parameter: it covers the handshake too
    statement_timeout_ms: int = 15_000,
    lock_timeout_ms: int = 5_000,
    cached_statements: int = 0,
) -> Connection:
    """An open session. SqlError (DatabaseUnreachable, AuthenticationFailed, DatabaseNotFound) says why not."""
    settings = {
        **PINNED,
        "application_name": application,
        "statement_timeout": str(statement_timeout_ms),
        "lock_timeout": str(lock_timeout_ms),
        "idle_in_transaction_session_timeout": "60000",
    }
    where = f"{target.host}:{target.port}/{target.database}"
    try:
        return await asyncpg.connect(
            host=target.address or target.host,
            port=target.port,
            database=target.database,
            user=target.user,
            password=target.password,
            ssl=tls_context(target),
            timeout=timeout,
            command_timeout=statement_timeout_ms / 1000 + 5,
            statement_cache_size=cached_statements,
            server_settings=settings,
        )
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError) as error:
        raise SqlError(Reason.AUTHENTICATION_FAILED, f"{where} refused login {target.user!r}: {error}") from error
    except asyncpg.InvalidCatalogNameError as error:
        raise SqlError(Reason.DATABASE_NOT_FOUND, f"{where}: {error}") from error
    except ssl.SSLCertVerificationError as error:
        message = f"{where}: its certificate is not what the CA vouches for: {error.verify_message}"
        raise SqlError(Reason.DATABASE_UNREACHABLE, message) from error
    except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncpg.PostgresError) as error:
        raise SqlError(Reason.DATABASE_UNREACHABLE, f"{where}: {str(error) or type(error).__name__}") from error
    except asyncpg.InterfaceError as error:
        raise SqlError(Reason.DATABASE_UNREACHABLE, f"{where}: {error}") from error
