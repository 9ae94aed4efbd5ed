package serve

import (
	"net"
	"net/http"
)

// cookieName tells sites on one host apart by port: cookies do not. Over TLS the prefix makes the browser refuse it from
// anywhere but this very host.
func cookieName(r *http.Request) string {
	name := "branchline"
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		name += "-" + port
	}
	if r.TLS != nil {
		name = "__Host-" + name
	}
	return name
}

func cookieOf(r *http.Request) string {
	c, err := r.Cookie(cookieName(r))
	if err != nil {
		return ""
	}
	return c.Value
}

// SetSession gives the browser its session: the token of a SignInResponse. The cookie ends with the browser, the session
// by itself.
func SetSession(w http.ResponseWriter, r *http.Request, token string) {
	http.SetCookie(w, sessionCookie(r, token, 0))
}

// ClearSession takes the session from the browser. It does not end it: SignOut does.
func ClearSession(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, sessionCookie(r, "", -1))
}

func sessionCookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName(r), Value: value, Path: "/", MaxAge: age,
		Secure: r.TLS != nil, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}
