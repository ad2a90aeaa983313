# SPDX-License-Identifier: Apache-2.0
"""A web app that the seller's people sign in to with the account they have already."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from html import escape

from authlib.integrations.starlette_client import OAuth, OAuthError
from joserfc.errors import JoseError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from .binding import Binding


@dataclass(frozen=True)
class App:
    """title: of the pages; url: under which browsers reach it; roles: whose people may see the rows"""

    title: str
    url: str
    roles: Collection[str]
    binding: Binding

    def starlette(self) -> Starlette:
        keys = self.binding.read()
        provider = OAuth().register(
            "provider",
            server_metadata_url=f"{keys['oidc-issuer']}/.well-known/openid-configuration",
            client_id=keys["oidc-client-id"],
            # No client secret: PKCE proves that who redeems the code is who asked for it.
            client_kwargs={
                "scope": "openid profile",
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "none",
            },
        )

        async def home(request: Request) -> Response:
            person = request.session
            if person.get("until", 0) < time.time():
                return RedirectResponse("/sign-in")
            if person["role"] not in self.roles:
                return self.page(f"{person['name']}, role {person['role']}: this app shows nothing to your role.", 403)
            return self.page(f"{person['name']}, role {person['role']}", tables=await self.binding.views())

        async def sign_in(request: Request) -> Response:
            redirect: Response = await provider.authorize_redirect(request, f"{self.url}/signed-in")
            return redirect

        async def signed_in(request: Request) -> Response:
            # Authlib checks signature, nonce and end; the audience only if told, and then the issuer must be told too.
            expected = {
                "iss": {"essential": True, "value": keys["oidc-issuer"]},
                "aud": {"essential": True, "value": keys["oidc-client-id"]},
            }
            try:
                token = await provider.authorize_access_token(request, claims_options=expected, leeway=10)
                claims = token["userinfo"]
            except (OAuthError, JoseError, ValueError, KeyError) as refused:
                return self.page(f"Signing in failed: {refused!r}", 403)
            # Of this seller's people, not of another's who knows the same provider.
            groups, role = claims.get("groups") or [], claims.get(keys["oidc-role-claim"])
            if not role or not any(group.startswith(keys["oidc-group-prefix"]) for group in groups):
                return self.page(f"{claims['sub']} has no account with this seller.", 403)
            request.session.clear()
            request.session.update(name=claims["sub"], role=role, until=claims["exp"])
            return RedirectResponse("/")

        session = Middleware(
            SessionMiddleware,
            secret_key=secrets.token_hex(),
            session_cookie=self.title.lower(),
            https_only=self.url.startswith("https:"),
        )
        routes = [Route("/", home), Route("/sign-in", sign_in), Route("/signed-in", signed_in)]
        return Starlette(routes=routes, middleware=[session])

    def page(self, text: str, status: int = 200, tables: dict[str, list[dict[str, object]]] | None = None) -> Response:
        body = [f"<!doctype html><title>{escape(self.title)}</title><h1>{escape(self.title)}</h1><p>{escape(text)}</p>"]
        for name, rows in (tables or {}).items():
            heads = "".join(f"<th>{escape(head)}</th>" for head in (rows[0] if rows else ()))
            lines = ("".join(f"<td>{escape(str(value))}</td>" for value in row.values()) for row in rows)
            body.append(f"<h2>{escape(name)}</h2><table><tr>{heads}</tr>")
            body.extend(f"<tr>{line}</tr>" for line in lines)
            body.append("</table>")
        return HTMLResponse("\n".join(body), status)
