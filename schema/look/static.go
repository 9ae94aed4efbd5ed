package look

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// assets are the static files under names that carry a hash of their content, so that a browser may keep them for
// ever and a new version is fetched at once.
type assets struct {
	hashed map[string]string // name -> name with hash
	files  map[string]asset  // both names -> file
}

type asset struct {
	body   []byte
	kind   string
	etag   string
	cache  string
	length string
}

func newAssets() (*assets, error) {
	a := &assets{hashed: map[string]string{}, files: map[string]asset{}}
	entries, err := fs.ReadDir(staticFiles, "static")
	if err != nil {
		return nil, fmt.Errorf("look: list static files: %w", err)
	}
	for _, e := range entries {
		b, err := fs.ReadFile(staticFiles, path.Join("static", e.Name()))
		if err != nil {
			return nil, fmt.Errorf("look: read static file: %w", err)
		}
		kind, err := mediaType(e.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(b)
		hash := hex.EncodeToString(sum[:8])
		ext := path.Ext(e.Name())
		hashed := strings.TrimSuffix(e.Name(), ext) + "." + hash + ext
		f := asset{body: b, kind: kind, etag: `"` + hash + `"`, length: strconv.Itoa(len(b))}
		f.cache = "no-cache"
		a.files[e.Name()] = f
		f.cache = "public, max-age=31536000, immutable"
		a.files[hashed] = f
		a.hashed[e.Name()] = hashed
	}
	return a, nil
}

// mediaType does not ask the machine: its tables differ, and nosniff makes a wrong one fatal.
func mediaType(name string) (string, error) {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8", nil
	case ".js":
		return "text/javascript; charset=utf-8", nil
	case ".svg":
		return "image/svg+xml", nil
	case ".txt", ".md":
		return "text/plain; charset=utf-8", nil
	}
	return "", fmt.Errorf("look: static file %s has no known media type", name)
}

func (a *assets) href(name string) (string, error) {
	h, ok := a.hashed[name]
	if !ok {
		return "", fmt.Errorf("look: no static file %q", name)
	}
	return "/static/" + h, nil
}

// Static serves the static files; mount it at /static/. A name with its hash may be cached for ever, a plain one is
// asked again by its ETag.
func (l *Look) Static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		f, ok := l.static.files[strings.TrimPrefix(r.URL.Path, "/static/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.kind)
		h.Set("Cache-Control", f.cache)
		h.Set("ETag", f.etag)
		if strings.Contains(r.Header.Get("If-None-Match"), f.etag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Length", f.length)
		if r.Method == http.MethodGet {
			_, _ = w.Write(f.body) // the only failure is a reader who has gone
		}
	})
}
