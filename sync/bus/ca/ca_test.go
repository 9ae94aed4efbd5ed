package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"branchline/schema"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newCA(t *testing.T) *CA {
	t.Helper()
	c, err := NewCA(rand.Reader, time.Now())
	must(t, err)
	return c
}

// dial shakes hands over a real connection and tells what the client thought.
func dial(t *testing.T, srv, client *tls.Config) error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if s := tls.Server(c, srv); s.Handshake() == nil {
			io.WriteString(s, "x") // the client may have hung up
		}
	}()
	c, err := tls.Dial("tcp", l.Addr().String(), client)
	if err == nil {
		_, err = io.ReadFull(c, make([]byte, 1))
		c.Close()
	}
	<-done
	return err
}

func TestPinnedClient_OnlyHQ(t *testing.T) {
	c, other := newCA(t), newCA(t)
	now := time.Now()
	pinned := PinnedClient(c.Fingerprint())
	hq, err := c.Server(rand.Reader, []string{"hq.example.com"}, now, 30)
	must(t, err)

	// A branch's certificate of the same CA.
	keyPEM, csr, err := NewRequest(rand.Reader, "b01")
	must(t, err)
	chain, err := c.Issue(rand.Reader, csr, []string{"b01.example.com", "127.0.0.1"}, now, 30)
	must(t, err)
	branch, err := tls.X509KeyPair(chain, keyPEM)
	must(t, err)

	// HQ's CA shown beside a certificate that it did not sign.
	evilHQ, err := other.Server(rand.Reader, nil, now, 30)
	must(t, err)
	shown := evilHQ
	shown.Certificate = [][]byte{evilHQ.Certificate[0], c.cert.Raw}

	// The CA's public certificate alone, as its own server.
	mine, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	bare := tls.Certificate{Certificate: [][]byte{c.cert.Raw}, PrivateKey: mine}

	// One that expired long ago: no clock decides.
	old, err := c.Server(rand.Reader, nil, now.AddDate(-20, 0, 0), 1)
	must(t, err)
	future, err := c.Server(rand.Reader, nil, now.AddDate(20, 0, 0), 1)
	must(t, err)

	noCA := hq
	noCA.Certificate = hq.Certificate[:1]
	for name, x := range map[string]struct {
		cert tls.Certificate
		ok   bool
	}{
		"HQ": {hq, true}, "HQ, expired": {old, true}, "HQ, not yet valid": {future, true},
		"another HQ": {evilHQ, false}, "another HQ beside our CA": {shown, false}, "a branch": {branch, false}, "the CA's certificate without its key": {bare, false}, "HQ without its CA": {noCA, false},
	} {
		err := dial(t, ServerConfig(x.cert), pinned)
		if (err == nil) != x.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	low := ServerConfig(hq)
	low.MinVersion, low.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if dial(t, low, pinned) == nil {
		t.Error("TLS 1.2 was spoken")
	}
	// A browser that trusts the CA checks names and dates as always.
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.PEM())
	if err := dial(t, ServerConfig(branch), &tls.Config{RootCAs: roots, ServerName: "b01.example.com"}); err != nil {
		t.Errorf("browser: %v", err)
	}
	if err := dial(t, ServerConfig(branch), &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}); err != nil {
		t.Errorf("browser by address: %v", err)
	}
	if dial(t, ServerConfig(branch), &tls.Config{RootCAs: roots, ServerName: "b02.example.com"}) == nil {
		t.Error("a browser took b01 for b02")
	}
}

func TestIssue_Refusals(t *testing.T) {
	c := newCA(t)
	_, csr, err := NewRequest(rand.Reader, "b01")
	must(t, err)
	spoilt := append([]byte(nil), csr...)
	spoilt[len(spoilt)-1] ^= 1
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	big384, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, p384)
	must(t, err)
	for name, x := range map[string]struct {
		csr   []byte
		hosts []string
		days  int
	}{
		"no request": {nil, []string{"h"}, 1}, "rubbish": {[]byte("rubbish"), []string{"h"}, 1}, "bad signature": {spoilt, []string{"h"}, 1}, "another curve": {big384, []string{"h"}, 1},
		"no host": {csr, nil, 1}, "no day": {csr, []string{"h"}, 0}, "HQ's name": {csr, []string{"h", HQName}, 1}, "HQ's name, dressed up": {csr, []string{strings.ToUpper(HQName) + "."}, 1},
		"a wildcard": {csr, []string{"*.branchline.internal"}, 1},
	} {
		if _, err := c.Issue(rand.Reader, x.csr, x.hosts, time.Now(), x.days); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A certificate of the CA cannot sign others.
	out, err := c.Issue(rand.Reader, csr, []string{"h"}, time.Now(), 1)
	must(t, err)
	kp, _, err := NewRequest(rand.Reader, "x")
	must(t, err)
	if _, err := tls.X509KeyPair(out, kp); err == nil {
		t.Error("the certificate is for another key than the request's")
	}
}

func TestSaveLoad(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir); !errors.Is(err, schema.ErrNotFound) {
		t.Errorf("empty folder: %v", err)
	}
	c := newCA(t)
	must(t, c.Save(dir))
	d, err := Load(dir)
	must(t, err)
	if d.Fingerprint() != c.Fingerprint() || !d.key.Equal(c.key) {
		t.Error("loaded another CA")
	}
	if err := newCA(t).Save(dir); !errors.Is(err, schema.ErrExists) {
		t.Errorf("second save: %v", err)
	}
	if s, err := os.Stat(filepath.Join(dir, keyFile)); err != nil || s.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", s.Mode(), err)
	}
	// The loaded one signs what the first one's clients accept.
	cert, err := d.Server(rand.Reader, nil, time.Now(), 1)
	must(t, err)
	must(t, dial(t, ServerConfig(cert), PinnedClient(c.Fingerprint())))
	must(t, os.WriteFile(filepath.Join(dir, keyFile), []byte("rubbish"), 0o600))
	if _, err := Load(dir); err == nil {
		t.Error("rubbish loaded")
	}
}

func TestParseFingerprint(t *testing.T) {
	f := newCA(t).Fingerprint()
	for _, s := range []string{f.String(), " " + strings.ToUpper(f.String()) + "\n", colons(f.String())} {
		if g, err := ParseFingerprint(s); err != nil || g != f {
			t.Errorf("%q: %v, %v", s, g, err)
		}
	}
	for _, s := range []string{"", "ab", f.String() + "00", "zz" + f.String()[2:]} {
		if _, err := ParseFingerprint(s); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func colons(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(s[i : i+2])
	}
	return b.String()
}

func TestSerials_DifferAndArePositive(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		n, err := newSerial(rand.Reader)
		must(t, err)
		if n.Cmp(big.NewInt(0)) <= 0 || n.BitLen() > 159 || seen[n.String()] {
			t.Fatalf("serial %s", n)
		}
		seen[n.String()] = true
	}
}
