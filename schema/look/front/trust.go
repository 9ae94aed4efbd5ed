package front

import (
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"

	"branchline/schema/look"
)

// Trust is the page on how to make a browser trust the group's certificates. The certificate itself is at /ca.crt.
type Trust struct {
	ca   func() []byte
	page *look.Page
}

// NewTrust parses the page. ca is the PEM of the group's certificate authority; nil, or an empty answer: there is none yet.
func NewTrust(l *look.Look, ca func() []byte) (*Trust, error) {
	p, err := l.Page(templates, "templates/trust.html")
	return &Trust{ca, p}, err
}

type trustView struct {
	look.Frame
	Fingerprint string // of the CA's certificate, in pairs; "" without one
}

// Show answers with the page, whoever asks. The frame is that of a page before sign-in.
func (p *Trust) Show(a *Ask, f look.Frame) error {
	v := trustView{Frame: f}
	v.Title, v.Wide = a.T("trust.title"), true
	if p.ca != nil {
		v.Fingerprint = fingerprint(p.ca())
	}
	return p.page.Render(a.W, http.StatusOK, v)
}

// fingerprint is the SHA-256 of the first certificate of a PEM, as browsers show it.
func fingerprint(text []byte) string {
	block, _ := pem.Decode(text)
	if block == nil {
		return ""
	}
	sum := sha256.Sum256(block.Bytes)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, " ")
}
