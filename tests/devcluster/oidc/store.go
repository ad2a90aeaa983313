// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// request is one sign-in on its way, from the client's redirect to the exchange of its code.
type request struct {
	*oidc.AuthRequest
	id, subject string
	audience    []string
	signedIn    time.Time
}

func (r *request) GetID() string          { return r.id }
func (r *request) GetACR() string         { return "" }
func (r *request) GetAMR() []string       { return []string{"pwd"} }
func (r *request) GetAudience() []string  { return r.audience }
func (r *request) GetAuthTime() time.Time { return r.signedIn }
func (r *request) GetClientID() string    { return r.ClientID }
func (r *request) GetNonce() string       { return r.Nonce }
func (r *request) GetScopes() []string    { return r.Scopes }
func (r *request) GetSubject() string     { return r.subject }
func (r *request) Done() bool             { return r.subject != "" }

func (r *request) GetCodeChallenge() *oidc.CodeChallenge {
	if r.CodeChallenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{Challenge: r.CodeChallenge, Method: r.CodeChallengeMethod}
}

// session is a person signed in with one browser; token is what an access token stands for.
type session struct {
	person string
	since  time.Time
}
type token struct{ person, client string }

// store is all that the provider knows. The library asks for requests, codes and tokens; the sign-in page for sessions.
type store struct {
	path, roleClaim string
	key             signingKey
	lock            sync.Mutex
	requests, codes map[string]*request
	tokens          map[string]token
	sessions        map[string]session
}

var (
	_ op.Storage                   = (*store)(nil)
	_ op.CanSetUserinfoFromRequest = (*store)(nil)
)

func newStore(path, roleClaim string) *store {
	return &store{
		path: path, roleClaim: roleClaim,
		key:      signingKey{rand.Text(), must(rsa.GenerateKey(rand.Reader, 2048))},
		requests: map[string]*request{}, codes: map[string]*request{},
		tokens: map[string]token{}, sessions: map[string]session{},
	}
}

func (s *store) Health(context.Context) error {
	_, err := read(s.path)
	return err
}

func (s *store) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	people, err := read(s.path)
	if err != nil {
		return nil, err
	}
	client, err := people.client(id)
	return relyingParty{client}, err
}

func (s *store) CreateAuthRequest(ctx context.Context, asked *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	client, err := s.GetClientByClientID(ctx, asked.ClientID)
	if err != nil {
		return nil, err
	}
	made := &request{AuthRequest: asked, id: rand.Text(), audience: client.(relyingParty).Audience}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.requests[made.id] = made
	return made, nil
}

func (s *store) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if found, ok := s.requests[id]; ok {
		return found, nil
	}
	return nil, errors.New("no such request")
}

func (s *store) SaveAuthCode(_ context.Context, id, code string) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.codes[code] = s.requests[id]
	delete(s.requests, id)
	return nil
}

// AuthRequestByCode takes the code with it: one that was asked for once, with whatever verifier, is spent.
func (s *store) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	found, ok := s.codes[code]
	delete(s.codes, code)
	if !ok || time.Since(found.signedIn) > time.Hour {
		return nil, errors.New("no such code")
	}
	return found, nil
}

func (s *store) DeleteAuthRequest(context.Context, string) error { return nil }

func (s *store) CreateAccessToken(_ context.Context, asked op.TokenRequest) (string, time.Time, error) {
	id, client := rand.Text(), ""
	if from, ok := asked.(*request); ok {
		client = from.ClientID
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.tokens[id] = token{asked.GetSubject(), client}
	return id, time.Now().Add(5 * time.Minute), nil
}

func (s *store) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, from op.IDTokenRequest, _ []string) error {
	return s.describe(info, from.GetSubject(), from.GetClientID())
}

func (s *store) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, id, _, _ string) error {
	s.lock.Lock()
	known, ok := s.tokens[id]
	s.lock.Unlock()
	if !ok {
		return errors.New("no such token")
	}
	return s.describe(info, known.person, known.client)
}

// describe says who a person is to one client.
func (s *store) describe(info *oidc.UserInfo, name, clientID string) error {
	people, err := read(s.path)
	if err != nil {
		return err
	}
	person, err := people.person(name)
	if err != nil {
		return err
	}
	client, err := people.client(clientID)
	if err != nil {
		return err
	}
	info.Subject, info.PreferredUsername = person.Name, person.Name
	info.AppendClaims("groups", person.groups(client))
	if role := person.role(client); role != "" {
		info.AppendClaims(s.roleClaim, role)
	}
	return nil
}

func (s *store) TerminateSession(_ context.Context, person, _ string) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	for id, known := range s.sessions {
		if known.person == person {
			delete(s.sessions, id)
		}
	}
	return nil
}

type signingKey struct {
	id  string
	key *rsa.PrivateKey
}

func (k signingKey) ID() string                                  { return k.id }
func (k signingKey) Key() any                                    { return k.key }
func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }

type publicKey struct{ signingKey }

func (k publicKey) Key() any                           { return k.key.Public() }
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Use() string                        { return "sig" }

func (s *store) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }
func (s *store) KeySet(context.Context) ([]op.Key, error)          { return []op.Key{publicKey{s.key}}, nil }
func (s *store) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

// What no client here may do.

var errNotHere = errors.New("not offered here")

func (s *store) CreateAccessAndRefreshTokens(context.Context, op.TokenRequest, string) (string, string, time.Time, error) {
	return "", "", time.Time{}, errNotHere
}

func (s *store) TokenRequestByRefreshToken(context.Context, string) (op.RefreshTokenRequest, error) {
	return nil, errNotHere
}

func (s *store) RevokeToken(context.Context, string, string, string) *oidc.Error {
	return oidc.ErrInvalidRequest().WithDescription("not offered here")
}

func (s *store) GetRefreshTokenInfo(context.Context, string, string) (string, string, error) {
	return "", "", op.ErrInvalidRefreshToken
}

func (s *store) AuthorizeClientIDSecret(context.Context, string, string) error { return errNotHere }

func (s *store) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

func (s *store) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return errNotHere
}

func (s *store) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil
}

func (s *store) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errNotHere
}

func (s *store) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errNotHere
}
