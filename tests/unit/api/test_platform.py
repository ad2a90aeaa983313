# SPDX-License-Identifier: Apache-2.0
"""Platform settings: defaults that suit the demo, and nothing silently ignored."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from pydantic import ValidationError

from cairn.api.platform import Identity, Platform


def test_load_of_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text("# nothing\n")
    assert Platform.load(file) == Platform()


def test_load_of_settings_overrides_what_they_name(tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text("currency: EUR\nbus: {stream: ORDERS}\nexternalDatabases: {deniedNetworks: [10.0.0.0/8]}\n")
    platform = Platform.load(file)
    assert (platform.currency, platform.bus.stream, platform.bus.url) == ("EUR", "ORDERS", Platform().bus.url)
    assert ip_address("10.1.2.3") in platform.external_databases.denied_networks[0]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("curency: EUR\n", id="typo"),
        pytest.param("bus: {peer: []}\n", id="typo-deep-down"),
        pytest.param("currency: euro\n", id="currency"),
        pytest.param("bus: {url: 'http://nats'}\n", id="bus-url"),
        pytest.param("externalDatabases: {deniedNetworks: [everything]}\n", id="network"),
        pytest.param("bus: {stream: 'a.b'}\n", id="stream"),
    ],
)
def test_load_of_a_wrong_setting_names_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"curency|peer|currency|url|deniedNetworks|stream"):
        Platform.load(file)


def test_postgresql_image_is_that_of_the_version() -> None:
    assert Platform().images.postgresql_of("17") == "postgres:17"


def test_identity_gives_every_app_a_client_of_its_own() -> None:
    assert Identity().client_id_of("cairn-2088-erp-bolt", "2088", "erp-bolt") == "cairn-2088-erp-bolt"
    assert Identity(client_id="{app}@{seller}").client_id_of("n", "2088", "erp-bolt") == "erp-bolt@2088"


@pytest.mark.parametrize("template", ["cairn-console", "{app}", "{seller}", "{namespace}-{uid}"])
def test_identity_refuses_a_client_that_several_apps_would_share(template: str) -> None:
    with pytest.raises(ValidationError):
        Identity(client_id=template)


@pytest.mark.parametrize("issuer", ["http://id.example.com", "https://id.example.com/?x", "id.example.com"])
def test_identity_refuses_an_issuer_that_is_no_plain_https_url(issuer: str) -> None:
    with pytest.raises(ValidationError):
        Identity(issuer=issuer)
