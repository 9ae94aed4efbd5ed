// Package enrol is the enrolment token: one line of text that says where
// headquarters is, how to know it (the fingerprint of its CA), and a secret that
// is good once, for one branch.
//
// The secret is never logged and never stored but as its hash. What a token is
// good for, and until when, only HQ's registry knows.
package enrol

import (
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/url"
	"strings"

	"branchline/schema"
)

const (
	prefix     = "bl1-"
	maxID      = 40
	secretSize = 16
	sumSize    = 4
)

// Token is what a token's text says.
type Token struct {
	// URL is where HQ's pages are: https://host:port, or http:// on loopback.
	URL string
	// CA is the SHA-256 of the DER bytes of HQ's CA certificate.
	CA [32]byte
	// ID names the token in the registry, at most 40 bytes; Secret, 16 bytes, proves that one has it.
	ID     string
	Secret []byte
}

// Check tells whether the token can be written down: its address and sizes.
func (t *Token) Check() error {
	if t.ID == "" || len(t.ID) > maxID || len(t.Secret) != secretSize {
		return schema.Invalid("token", "the token's parts have not the right sizes")
	}
	return checkURL(t.URL)
}

func checkURL(at string) error {
	u, err := url.Parse(at)
	if err != nil || u.Host == "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.User != nil {
		return schema.Invalid("token", "%q is not the address of a headquarters", at)
	}
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		if h := u.Hostname(); h == "localhost" || (net.ParseIP(h) != nil && net.ParseIP(h).IsLoopback()) {
			return nil
		}
	}
	return schema.Invalid("token", "%q is neither https nor on this machine", at)
}

// String is the text of a token that Check found right. It holds the secret.
func (t *Token) String() string {
	b := make([]byte, 0, 160)
	b = append(b, byte(len(t.ID)))
	b = append(b, t.ID...)
	b = append(b, t.Secret...)
	b = append(b, t.CA[:]...)
	b = append(b, t.URL...)
	sum := sha256.Sum256(b)
	return prefix + base64.RawURLEncoding.EncodeToString(append(b, sum[:sumSize]...))
}

// Parse reads what String wrote, with white space around it or line breaks in
// it. Its errors never quote the text.
func Parse(s string) (*Token, error) {
	s = strings.Join(strings.Fields(s), "")
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return nil, schema.Invalid("token", "this is not an enrolment token: it does not begin with %q", prefix)
	}
	b, err := base64.RawURLEncoding.DecodeString(rest)
	if err != nil || len(b) < sumSize+1 {
		return nil, cutShort()
	}
	body, sum := b[:len(b)-sumSize], sha256.Sum256(b[:len(b)-sumSize])
	if string(sum[:sumSize]) != string(b[len(body):]) || len(body) < 1+int(body[0])+secretSize+32 {
		return nil, cutShort()
	}
	t := new(Token)
	t.ID, body = string(body[1:1+body[0]]), body[1+body[0]:]
	t.Secret, body = body[:secretSize:secretSize], body[secretSize:]
	copy(t.CA[:], body)
	t.URL = string(body[32:])
	if err := t.Check(); err != nil {
		return nil, err
	}
	return t, nil
}

func cutShort() error {
	return schema.Invalid("token", "the enrolment token is cut short or mistyped")
}
