// Package ca is headquarters' own certificate authority: one ECDSA P-256 key
// that signs the certificates of HQ's listeners and of the branches' pages.
//
// Branches know it by its fingerprint alone, which came with the enrolment
// token. Rules:
//   - A certificate of HQ itself bears the name HQName; no other may. A pinned
//     client accepts nothing else, so a branch's certificate (or a stolen
//     branch) cannot stand in for HQ, and HQ may move to any address.
//   - A pinned client does not look at validity dates: a branch's clock may be
//     years off, and no clock decides whether a branch may speak to HQ. Browsers
//     and other clients do look.
//   - TLS 1.3 only.
//
// It promises nothing about where the key lies beyond file mode 0600.
package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"branchline/schema"
)

// HQName is the name that only HQ's own certificates bear.
const HQName = "hq.branchline.internal"

const (
	caYears  = 30
	keyFile  = "ca.key"
	certFile = "ca.crt"
	// Certificates begin a day early: a client's clock may be behind.
	early = 24 * time.Hour
)

// Fingerprint is the SHA-256 of a certificate's DER bytes.
type Fingerprint [sha256.Size]byte

func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// ParseFingerprint reads 64 hex digits; colons between them and capitals are allowed.
func ParseFingerprint(s string) (Fingerprint, error) {
	var f Fingerprint
	b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(s), ":", ""))
	if err != nil || len(b) != len(f) {
		return f, schema.Invalid("fingerprint", "a fingerprint has 64 hex digits")
	}
	copy(f[:], b)
	return f, nil
}

// CA signs certificates. It is safe for concurrent use.
type CA struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// NewCA makes a key and its self-signed certificate, good for 30 years from now.
// The standard library may take its randomness from the system instead of random.
func NewCA(random io.Reader, now time.Time) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return nil, fmt.Errorf("ca: new key: %w", err)
	}
	serial, err := newSerial(random)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "Branchline HQ " + serial.Text(36)[:6]},
		NotBefore:             now.Add(-early),
		NotAfter:              now.AddDate(caYears, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(random, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("ca: self-sign: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("ca: self-sign: %w", err)
	}
	return &CA{key, cert}, nil
}

// Save writes ca.key (0600) and ca.crt into dir, fsynced. It never replaces a
// key: the error is then schema.ErrExists.
func (c *CA) Save(dir string) error {
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return fmt.Errorf("ca: save: %w", err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	// The certificate first: a key without one is a CA nobody can be told of.
	if err := writeNew(filepath.Join(dir, certFile), c.PEM(), 0o644); err != nil {
		return err
	}
	return writeNew(filepath.Join(dir, keyFile), key, 0o600)
}

func writeNew(path string, b []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("ca: save %s: %w", path, schema.ErrExists)
	}
	if err != nil {
		return fmt.Errorf("ca: save: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("ca: save: %w", err)
	}
	return nil
}

// Load reads what Save wrote. schema.ErrNotFound: there is no key.
func Load(dir string) (*CA, error) {
	kb, err := os.ReadFile(filepath.Join(dir, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("ca: load %s: %w", filepath.Join(dir, keyFile), schema.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("ca: load: %w", err)
	}
	cb, err := os.ReadFile(filepath.Join(dir, certFile))
	if err != nil {
		return nil, fmt.Errorf("ca: load: %w", err)
	}
	kp, err := tls.X509KeyPair(cb, kb)
	if err != nil {
		return nil, fmt.Errorf("ca: load %s: %w", dir, err)
	}
	key, ok := kp.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !kp.Leaf.IsCA {
		return nil, fmt.Errorf("ca: load %s: this is not the key of a certificate authority", dir)
	}
	return &CA{key, kp.Leaf}, nil
}

// Fingerprint is what tokens carry and branches pin.
func (c *CA) Fingerprint() Fingerprint { return sha256.Sum256(c.cert.Raw) }

// PEM is the CA's certificate, /ca.crt.
func (c *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})
}

// Server makes a key and a certificate for HQ's own listeners, with HQName
// beside hosts (names or addresses), good for days from now.
func (c *CA) Server(random io.Reader, hosts []string, now time.Time, days int) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("ca: server key: %w", err)
	}
	der, err := c.issue(random, key.Public(), append([]string{HQName}, hosts...), now, days)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("ca: server certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der, c.cert.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// Issue answers a branch's request (DER, as made by NewRequest) for the
// certificate of its pages and API. The hosts are those given, not those the
// request names: HQ decides. The result is PEM, the CA's certificate included.
// schema.ErrInvalid: a broken request, or HQName among hosts.
func (c *CA) Issue(random io.Reader, csr []byte, hosts []string, now time.Time, days int) ([]byte, error) {
	r, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, schema.Invalid("csr", "this is not a certificate request")
	}
	if err := r.CheckSignature(); err != nil {
		return nil, schema.Invalid("csr", "the request is not signed by its own key")
	}
	if k, ok := r.PublicKey.(*ecdsa.PublicKey); !ok || k.Curve != elliptic.P256() {
		return nil, schema.Invalid("csr", "the key must be ECDSA P-256")
	}
	for _, h := range hosts {
		h = strings.ToLower(strings.TrimSuffix(h, "."))
		if h == HQName || strings.Contains(h, "*") {
			return nil, schema.Invalid("hosts", "%q is not a host a branch may have", h)
		}
	}
	der, err := c.issue(random, r.PublicKey, hosts, now, days)
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), c.PEM()...), nil
}

func (c *CA) issue(random io.Reader, pub crypto.PublicKey, hosts []string, now time.Time, days int) ([]byte, error) {
	if len(hosts) == 0 || days < 1 {
		return nil, schema.Invalid("hosts", "a certificate needs a host and a day at least")
	}
	serial, err := newSerial(random)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: hosts[0]},
		NotBefore:    now.Add(-early),
		NotAfter:     now.AddDate(0, 0, days),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(random, t, c.cert, pub, c.key)
	if err != nil {
		return nil, fmt.Errorf("ca: issue for %s: %w", hosts[0], err)
	}
	return der, nil
}

// newSerial is positive, 127 bits long and random in all but the first.
func newSerial(random io.Reader) (*big.Int, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, fmt.Errorf("ca: serial: %w", err)
	}
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:]), nil
}

// maxNames is how many names a certificate request may ask for.
const maxNames = 32

// NewRequest makes a key and the request for a certificate that bears these host
// names and addresses, the first of them also as its common name.
func NewRequest(random io.Reader, names ...string) (keyPEM, csr []byte, err error) {
	if len(names) == 0 || len(names) > maxNames {
		return nil, nil, schema.Invalid("hosts", "a certificate request has 1 to %d names, not %d", maxNames, len(names))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return nil, nil, fmt.Errorf("ca: request key: %w", err)
	}
	t := &x509.CertificateRequest{Subject: pkix.Name{CommonName: names[0]}}
	for _, h := range names {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	csr, err = x509.CreateCertificateRequest(random, t, key)
	if err != nil {
		return nil, nil, fmt.Errorf("ca: request: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("ca: request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), csr, nil
}

// Requested are the names and addresses a request asks for, each once. ErrInvalid
// for what is no request, or asks for too many.
func Requested(csr []byte) ([]string, error) {
	r, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, schema.Invalid("csr", "this is not a certificate request")
	}
	all := append([]string{r.Subject.CommonName}, r.DNSNames...)
	for _, ip := range r.IPAddresses {
		all = append(all, ip.String())
	}
	var out []string
	for _, h := range all {
		if h != "" && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	if len(out) > maxNames {
		return nil, schema.Invalid("csr", "asks for %d names, allowed are %d", len(out), maxNames)
	}
	return out, nil
}

// ServerConfig serves cert with TLS 1.3.
func ServerConfig(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}
}

// PinnedClient accepts only HQ itself: a chain whose CA has this fingerprint and
// whose server bears HQName, at whatever address and date.
func PinnedClient(fp Fingerprint) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		ServerName: HQName,
		// The built-in check needs a root certificate; VerifyConnection does the
		// whole of it from the fingerprint. It also runs on resumed sessions.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			return verify(fp, s.PeerCertificates)
		},
	}
}

var errPin = errors.New("ca: the other side is not this group's headquarters")

func verify(fp Fingerprint, chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errPin
	}
	i := slices.IndexFunc(chain[1:], func(c *x509.Certificate) bool {
		got := sha256.Sum256(c.Raw)
		return subtle.ConstantTimeCompare(got[:], fp[:]) == 1
	})
	if i < 0 {
		return fmt.Errorf("%w: its CA has another fingerprint", errPin)
	}
	// Certificate.Verify would look at dates: see the package's second rule.
	leaf := chain[0]
	if err := leaf.CheckSignatureFrom(chain[1+i]); err != nil {
		return fmt.Errorf("%w: %w", errPin, err)
	}
	if err := leaf.VerifyHostname(HQName); err != nil {
		return fmt.Errorf("%w: %w", errPin, err)
	}
	if leaf.IsCA || len(leaf.UnhandledCriticalExtensions) > 0 || !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) {
		return fmt.Errorf("%w: its certificate is not a server's", errPin)
	}
	return nil
}
