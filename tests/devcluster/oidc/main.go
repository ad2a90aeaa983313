// SPDX-License-Identifier: Apache-2.0

// oidc-dev: an OpenID provider for tests and the demo, of people and clients in a file. The protocol is
// github.com/zitadel/oidc's; here are the file, the sign-in page and the session that makes it one sign-on.
// Not for production: passwords stand in the file as they are, and all else is in memory.
package main

import (
	"crypto/rand"
	"crypto/tls"
	"flag"
	"log"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func main() {
	issuer := flag.String("issuer", "", "https URL with host and port: where it listens and what its tokens say")
	people := flag.String("people", "", "JSON file of people and clients, read anew for every request")
	ca := flag.String("ca", "", "where the certificate of its authority is written, once it listens")
	claim := flag.String("role-claim", "cairn_role", "claim with the person's role at the client's seller")
	flag.Parse()

	address := must(url.Parse(*issuer))
	authority, certificate := certificates(address.Hostname())
	store := newStore(*people, *claim)
	config := &op.Config{CodeMethodS256: true, SupportedClaims: append(op.DefaultSupportedClaims, "groups", *claim)}
	must(rand.Read(config.CryptoKey[:]))
	provider := must(op.NewProvider(config, store, op.StaticIssuer(*issuer)))
	signIn := &signIn{store, provider}
	mux := http.NewServeMux()
	mux.Handle("/", provider)
	mux.Handle("/login", op.NewIssuerInterceptor(provider.IssuerFromRequest).Handler(signIn))
	listener := must(net.Listen("tcp", address.Host))
	must(0, writeFile(*ca, authority))
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}},
	}
	log.Fatal(server.ServeTLS(listener, "", ""))
}
