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
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	"branchline/schema"
)

const (
	prefix     = "bl1-"
	idSize     = 6
	secretSize = 16
	sumSize    = 4
)

// Token is what a token's text says.
type Token struct {
	// URL is where HQ's pages are: https://host:port, or http:// on loopback.
	URL string
	// CA is the SHA-256 of the DER bytes of HQ's CA certificate.
	CA [32]byte
	// ID names the token in the registry; Secret proves that one has it.
	ID     string
	Secret []byte
}

// New makes a token. It fails only when the randomness or the URL does.
func New(rand io.Reader, at string, ca [32]byte) (*Token, error) {
	if err := checkURL(at); err != nil {
		return nil, err
	}
	var b [idSize + secretSize]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return nil, fmt.Errorf("enrol: new token: %w", err)
	}
	return &Token{URL: at, CA: ca, ID: hex.EncodeToString(b[:idSize]), Secret: b[idSize:]}, nil
}

// Hash is what the registry keeps of a secret.
func Hash(secret []byte) []byte {
	h := sha256.Sum256(secret)
	return h[:]
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

// String is the token's text. It holds the secret.
func (t *Token) String() string {
	id, err := hex.DecodeString(t.ID)
	if err != nil || len(id) != idSize || len(t.Secret) != secretSize {
		return prefix + "invalid"
	}
	b := make([]byte, 0, 128)
	b = append(b, id...)
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
	if err != nil || len(b) < idSize+secretSize+32+sumSize+1 {
		return nil, schema.Invalid("token", "the enrolment token is cut short or mistyped")
	}
	body, sum := b[:len(b)-sumSize], sha256.Sum256(b[:len(b)-sumSize])
	if string(sum[:sumSize]) != string(b[len(body):]) {
		return nil, schema.Invalid("token", "the enrolment token is cut short or mistyped")
	}
	t := &Token{ID: hex.EncodeToString(body[:idSize]), Secret: body[idSize : idSize+secretSize]}
	copy(t.CA[:], body[idSize+secretSize:])
	t.URL = string(body[idSize+secretSize+32:])
	if err := checkURL(t.URL); err != nil {
		return nil, err
	}
	return t, nil
}
