// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const cookie = "oidc-dev"

var page = template.Must(template.New("").Parse(`<!doctype html><title>Sign in</title>
<form method="post" action="/login"><p>{{.Wrong}}</p><input type="hidden" name="id" value="{{.ID}}">
<label>Name <input name="name" autofocus></label> <label>Password <input name="password" type="password"></label>
<button>Sign in</button></form>
`))

// signIn is the page where people say who they are; who said so before, with this browser, is not asked again.
type signIn struct {
	store    *store
	provider *op.Provider
}

func (s *signIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.FormValue("id")
	s.store.lock.Lock()
	asked, ok := s.store.requests[id]
	s.store.lock.Unlock()
	if !ok {
		http.Error(w, "this sign-in is over: begin again in the app", http.StatusBadRequest)
		return
	}
	known, ok := s.session(r)
	switch {
	case r.Method == http.MethodPost:
		s.check(w, r, asked)
	case ok && (asked.MaxAge == nil || time.Since(known.since) <= time.Duration(*asked.MaxAge)*time.Second):
		s.proceed(w, r, asked, known)
	case slices.Contains(asked.Prompt, oidc.PromptNone):
		op.AuthRequestError(w, r, asked, oidc.ErrLoginRequired(), s.provider)
	default:
		s.ask(w, id, "")
	}
}

func (s *signIn) session(r *http.Request) (session, bool) {
	sent, err := r.Cookie(cookie)
	if err != nil {
		return session{}, false
	}
	s.store.lock.Lock()
	defer s.store.lock.Unlock()
	known, ok := s.store.sessions[sent.Value]
	return known, ok
}

func (s *signIn) ask(w http.ResponseWriter, id, wrong string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	page.Execute(w, struct{ ID, Wrong string }{id, wrong})
}

func (s *signIn) check(w http.ResponseWriter, r *http.Request, asked *request) {
	people, err := read(s.store.path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	person, err := people.person(r.PostFormValue("name"))
	if err != nil || !person.knows(r.PostFormValue("password")) {
		w.WriteHeader(http.StatusUnauthorized)
		s.ask(w, asked.id, "Name or password is wrong.")
		return
	}
	key, known := rand.Text(), session{person.Name, time.Now()}
	s.store.lock.Lock()
	s.store.sessions[key] = known
	s.store.lock.Unlock()
	http.SetCookie(w, &http.Cookie{
		Name: cookie, Value: key, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	s.proceed(w, r, asked, known)
}

func (s *signIn) proceed(w http.ResponseWriter, r *http.Request, asked *request, known session) {
	s.store.lock.Lock()
	asked.subject, asked.signedIn = known.person, known.since
	s.store.lock.Unlock()
	http.Redirect(w, r, op.AuthCallbackURL(s.provider)(r.Context(), asked.id), http.StatusSeeOther)
}
