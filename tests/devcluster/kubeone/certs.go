// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// certs writes what is missing of a cluster's certificates into a directory; what is there stays.
type certs struct{ dir string }

func (c certs) path(name string) string { return filepath.Join(c.dir, name) }

func (c certs) exists(name string) bool {
	_, err := os.Stat(c.path(name))
	return err == nil
}

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, "certs:", err)
		os.Exit(1)
	}
	return v
}

// write goes by a rename: a file that exists is whole, also after a kill.
func (c certs) write(name, kind string, der []byte) {
	tmp := c.path(name + ".tmp")
	must(0, os.WriteFile(tmp, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	must(0, os.Rename(tmp, c.path(name)))
}

func (c certs) key(name string) *ecdsa.PrivateKey {
	k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	c.write(name, "EC PRIVATE KEY", must(x509.MarshalECPrivateKey(k)))
	return k
}

func (c certs) load(name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	cert, _ := pem.Decode(must(os.ReadFile(c.path(name + ".crt"))))
	key, _ := pem.Decode(must(os.ReadFile(c.path(name + ".key"))))
	return must(x509.ParseCertificate(cert.Bytes)), must(x509.ParseECPrivateKey(key.Bytes))
}

func template(cn, org string) *x509.Certificate {
	t := &x509.Certificate{
		SerialNumber: must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))),
		Subject:      pkix.Name{CommonName: cn},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(10, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	if org != "" {
		t.Subject.Organization = []string{org}
	}
	return t
}

func (c certs) ca(name string) {
	if c.exists(name + ".crt") {
		return
	}
	t := template(name, "")
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign|x509.KeyUsageDigitalSignature
	k := c.key(name + ".key")
	c.write(name+".crt", "CERTIFICATE", must(x509.CreateCertificate(rand.Reader, t, t, k.Public(), k)))
}

func (c certs) signed(ca, name, cn, org string, sans []string) {
	if c.exists(name + ".crt") {
		return
	}
	t := template(cn, org)
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(sans) > 0 {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	for _, s := range sans {
		if ip := net.ParseIP(s); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, s)
		}
	}
	parent, parentKey := c.load(ca)
	k := c.key(name + ".key")
	c.write(name+".crt", "CERTIFICATE", must(x509.CreateCertificate(rand.Reader, t, parent, k.Public(), parentKey)))
}

func makeCerts(args []string) {
	f := flag.NewFlagSet("certs", flag.ExitOnError)
	dir := f.String("dir", "", "where they go")
	sans := f.String("sans", "", "further names and addresses of the API server, comma-separated")
	nodes := f.String("nodes", "", "node names, comma-separated")
	must(0, f.Parse(args))
	c := certs{*dir}
	must(0, os.MkdirAll(c.dir, 0o700))
	c.ca("ca")
	c.ca("front-proxy-ca")
	if !c.exists("sa.pub") {
		k := c.key("sa.key")
		c.write("sa.pub", "PUBLIC KEY", must(x509.MarshalPKIXPublicKey(k.Public())))
	}
	svc := "kubernetes.default.svc.cluster.local"
	names := []string{"localhost", "127.0.0.1", "10.96.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc", svc}
	for _, s := range strings.Split(*sans, ",") {
		if s != "" {
			names = append(names, s)
		}
	}
	c.signed("ca", "apiserver", "kube-apiserver", "", names)
	c.signed("ca", "admin", "admin", "system:masters", nil)
	c.signed("ca", "apiserver-kubelet-client", "apiserver-kubelet-client", "system:masters", nil)
	c.signed("ca", "kcm", "system:kube-controller-manager", "", nil)
	c.signed("ca", "scheduler", "system:kube-scheduler", "", nil)
	c.signed("ca", "proxy", "system:kube-proxy", "", nil)
	c.signed("front-proxy-ca", "front-proxy-client", "front-proxy-client", "", nil)
	for _, n := range strings.Split(*nodes, ",") {
		if n != "" {
			c.signed("ca", "kubelet-"+n, "system:node:"+n, "system:nodes", nil)
		}
	}
}
