// SPDX-License-Identifier: Apache-2.0

// web serves a directory over HTTP, range requests included, and below /v2/ one OCI layout as a read-only registry.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

type layout string

func (l layout) blob(digest string) string {
	return filepath.Join(string(l), "blobs", strings.ReplaceAll(filepath.Base(digest), ":", "/"))
}

// manifest is the only image's: every tag names it.
func (l layout) manifest() (mediaType, digest string, err error) {
	var index struct {
		Manifests []struct{ MediaType, Digest string }
	}
	body, err := os.ReadFile(filepath.Join(string(l), "index.json"))
	if err != nil {
		return "", "", err
	}
	if err := json.Unmarshal(body, &index); err != nil {
		return "", "", err
	}
	if len(index.Manifests) == 0 {
		return "", "", os.ErrNotExist
	}
	return index.Manifests[0].MediaType, index.Manifests[0].Digest, nil
}

func (l layout) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")
	if len(parts) < 3 {
		w.Write([]byte("{}"))
		return
	}
	switch kind, reference := parts[len(parts)-2], parts[len(parts)-1]; kind {
	case "blobs":
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Docker-Content-Digest", reference)
		http.ServeFile(w, r, l.blob(reference))
	case "manifests":
		mediaType, digest, err := l.manifest()
		if err != nil || strings.HasPrefix(reference, "sha256:") && reference != digest {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Docker-Content-Digest", digest)
		http.ServeFile(w, r, l.blob(digest))
	default:
		http.NotFound(w, r)
	}
}

func main() {
	address := flag.String("address", ":8080", "where to listen")
	files := flag.String("files", "/srv", "directory to serve")
	oci := flag.String("oci", "/oci", "OCI layout to serve as a registry")
	flag.Parse()
	http.Handle("/v2/", layout(*oci))
	http.Handle("/", http.FileServer(http.Dir(*files)))
	log.Fatal(http.ListenAndServe(*address, nil))
}
