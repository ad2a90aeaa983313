// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// People is the file: who may sign in, and to what.
type People struct {
	People  []Person
	Clients []Client
}

// Person has any number of accounts, at most one with each seller. Groups come beside those of accounts, for consoles.
type Person struct {
	Name, Password string
	Accounts       []Account
	Groups         []string
}

// Account is a sub-account of a seller: an entry of an IntegrationTenant's spec.accounts.
type Account struct{ Seller, Name, Role string }

// Client is an app of one seller, or the console (no seller): it is told of all of a person's accounts, and of no role.
// Lifetime is that of ID tokens; a negative one makes tokens that are past their end. Audience comes beside the id.
type Client struct {
	ID, Seller, Lifetime string
	Redirects            []string
	Audience             []string
}

func read(path string) (People, error) {
	var found People
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, &found)
	}
	return found, err
}

func (p People) person(name string) (Person, error) {
	for _, person := range p.People {
		if person.Name == name {
			return person, nil
		}
	}
	return Person{}, errors.New("no such person")
}

func (p People) client(id string) (Client, error) {
	for _, client := range p.Clients {
		if client.ID == id {
			return client, nil
		}
	}
	return Client{}, fmt.Errorf("no client %q", id)
}

func (p Person) knows(password string) bool {
	return subtle.ConstantTimeCompare([]byte(p.Password), []byte(password)) == 1
}

// groups are those that Cairn binds to roles: as far as they concern the client's seller.
func (p Person) groups(client Client) []string {
	groups := []string{}
	for _, a := range p.Accounts {
		if client.Seller == "" || client.Seller == a.Seller {
			groups = append(groups, fmt.Sprintf("cairn:%s:%s", a.Seller, a.Name))
		}
	}
	if client.Seller == "" {
		groups = append(groups, p.Groups...)
	}
	return groups
}

func (p Person) role(client Client) string {
	for _, a := range p.Accounts {
		if client.Seller == a.Seller {
			return a.Role
		}
	}
	return ""
}

// relyingParty is a Client as the library wants it: public, so that a code is worth nothing without PKCE's verifier.
type relyingParty struct{ Client }

var _ op.Client = relyingParty{}

func (r relyingParty) GetID() string                       { return r.ID }
func (r relyingParty) RedirectURIs() []string              { return r.Redirects }
func (r relyingParty) PostLogoutRedirectURIs() []string    { return nil }
func (r relyingParty) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (r relyingParty) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodNone }
func (r relyingParty) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (r relyingParty) GrantTypes() []oidc.GrantType         { return []oidc.GrantType{oidc.GrantTypeCode} }
func (r relyingParty) LoginURL(id string) string            { return "/login?id=" + id }
func (r relyingParty) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeBearer }
func (r relyingParty) DevMode() bool                        { return false }
func (r relyingParty) IsScopeAllowed(string) bool           { return false }
func (r relyingParty) IDTokenUserinfoClaimsAssertion() bool { return true }
func (r relyingParty) ClockSkew() time.Duration             { return 0 }

func (r relyingParty) IDTokenLifetime() time.Duration {
	if lifetime, err := time.ParseDuration(r.Lifetime); err == nil {
		return lifetime
	}
	return time.Hour
}

func (r relyingParty) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

func (r relyingParty) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
