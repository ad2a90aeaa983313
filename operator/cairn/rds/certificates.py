# SPDX-License-Identifier: Apache-2.0
"""Mints a database's certificate authority and server certificate. Called by actions only: it rolls dice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cairn.rds.credentials import BACKDATED

CA_LIFETIME = timedelta(days=3650)
SERVER_LIFETIME = timedelta(days=90)


def new_ca(name: str) -> dict[str, bytes]:
    """`ca.crt` and `ca.key` in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(f"{name} CA")
    builder = _builder(subject, subject, key, CA_LIFETIME)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs=True), critical=True)
    return {"ca.crt": _pem(builder.sign(key, hashes.SHA256())), "ca.key": _key_pem(key)}


def new_certificate(ca: dict[str, bytes], names: list[str]) -> dict[str, bytes]:
    """`ca.crt`, `tls.crt` and `tls.key` in PEM, for these DNS names. ValueError for a CA that can't be read."""
    authority = x509.load_pem_x509_certificate(ca["ca.crt"])
    signer = serialization.load_pem_private_key(ca["ca.key"], None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise ValueError("ca.key is no key of Cairn's")  # noqa: TRY004 - the content is wrong, not the type
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(names[0][:64]), authority.subject, key, SERVER_LIFETIME)
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = builder.add_extension(alternatives, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs=False), critical=True)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
    )
    return {"ca.crt": ca["ca.crt"], "tls.crt": _pem(builder.sign(signer, hashes.SHA256())), "tls.key": _key_pem(key)}


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - BACKDATED).not_valid_after(now + lifetime)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return builder.add_extension(identifier, critical=False)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
