package serve

import (
	"net"
	"net/http"

	"branchline/schema/account"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// cookieName tells sites on one host apart by port: cookies do not. Over TLS the prefix makes the browser refuse it from
// anywhere but this very host.
func cookieName(r *http.Request, mark string) string {
	name := "branchline" + mark
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		name += "-" + port
	}
	if r.TLS != nil {
		name = "__Host-" + name
	}
	return name
}

// deskMark is in the name of the cookie a browser is known by, beside that of its session.
const deskMark = "-desk"

func cookieOf(r *http.Request, mark string) string {
	c, err := r.Cookie(cookieName(r, mark))
	if err != nil {
		return ""
	}
	return c.Value
}

// SetSession gives the browser its session and, at a node, the name it is known by. The session's cookie ends with the
// browser, the session by itself; a browser is known for as long as anybody may take it over by PIN.
func SetSession(w http.ResponseWriter, r *http.Request, in *branchlinev1.SignInResponse) {
	http.SetCookie(w, siteCookie(r, "", in.GetToken(), 0))
	if in.GetDesk() != "" {
		http.SetCookie(w, siteCookie(r, deskMark, in.GetDesk(), int(account.DeskLife.Seconds())))
	}
}

// ClearSession takes the session from the browser. It does not end it: SignOut does.
func ClearSession(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, siteCookie(r, "", "", -1))
}

func siteCookie(r *http.Request, mark, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName(r, mark), Value: value, Path: "/", MaxAge: age,
		Secure: r.TLS != nil, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}
