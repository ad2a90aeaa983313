// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"
)

// certificates makes an authority, as PEM, and a certificate of it for one host. Their keys are never written.
func certificates(host string) ([]byte, tls.Certificate) {
	root := unsigned("cairn oidc-dev")
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	rootKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	rootRaw := must(x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey))

	leaf := unsigned(host)
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if ip := net.ParseIP(host); ip != nil {
		leaf.IPAddresses = []net.IP{ip}
	} else {
		leaf.DNSNames = []string{host}
	}
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	raw := must(x509.CreateCertificate(rand.Reader, leaf, must(x509.ParseCertificate(rootRaw)), key.Public(), rootKey))
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootRaw})
	return authority, tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

func unsigned(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
	}
}

// writeFile goes by a rename: a file that is there is whole.
func writeFile(path string, content []byte) error {
	if err := os.WriteFile(path+".tmp", content, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
