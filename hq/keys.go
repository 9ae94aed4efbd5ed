package hq

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"branchline/schema"
	"branchline/sync/bus/ca"
	"branchline/sync/bus/nkey"
)

// keyFile holds the seed of the key HQ signs receipts and certificates with.
const keyFile = "hq.seed"

// certDays is how long a certificate of a listener is good, HQ's own and branches'.
const certDays = 365

// loadKeys reads HQ's keys from its folder, making them in a new one. They lie
// in the folder and in its backups: who has them is headquarters.
func loadKeys(c Config) (*nkey.Signer, *ca.CA, error) {
	path := filepath.Join(c.Dir, keyFile)
	seed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if seed, err = nkey.NewSeed(c.Rand); err == nil {
			err = writeKey(path, seed)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("hq: key: %w", err)
	}
	signer, err := nkey.NewSigner(bytes.TrimSpace(seed))
	if err != nil {
		return nil, nil, fmt.Errorf("hq: key in %s: %w", path, err)
	}
	authority, err := ca.Load(c.Dir)
	if errors.Is(err, schema.ErrNotFound) {
		if authority, err = ca.NewCA(c.Rand, c.Now()); err == nil {
			err = authority.Save(c.Dir)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("hq: certificate authority: %w", err)
	}
	return signer, authority, nil
}

// writeKey writes a new file that only the owner reads, and has it on disk before it returns.
func writeKey(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// hostCerts are the certificates of HQ's own listeners, made by its CA for the
// hosts HQ is reached by. A new one is made at the start, and again when a
// handshake finds two thirds of its life over.
type hostCerts struct {
	c         Config
	authority *ca.CA
	log       *slog.Logger

	mu   sync.Mutex
	cert *tls.Certificate
}

func newHostCerts(c Config, authority *ca.CA, log *slog.Logger) (*hostCerts, error) {
	h := &hostCerts{c: c, authority: authority, log: log}
	cert, err := h.make()
	if err != nil {
		return nil, fmt.Errorf("hq: %w", err)
	}
	h.cert = cert
	return h, nil
}

func (h *hostCerts) make() (*tls.Certificate, error) {
	hosts := append([]string{"localhost", "127.0.0.1", "::1"}, h.c.hosts()...)
	cert, err := h.authority.Server(h.c.Rand, hosts, h.c.Now(), certDays)
	return &cert, err
}

func (h *hostCerts) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	life := h.cert.Leaf.NotAfter.Sub(h.cert.Leaf.NotBefore)
	if h.c.Now().After(h.cert.Leaf.NotAfter.Add(-life / 3)) {
		cert, err := h.make()
		if err != nil {
			h.log.Error("certificate of headquarters not renewed", "until", h.cert.Leaf.NotAfter, "err", err)
			return h.cert, nil // the old one is better than none
		}
		h.cert = cert
	}
	return h.cert, nil
}

// config has every handshake ask for the certificate.
func (h *hostCerts) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: h.get}
}
