package hq

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"branchline/schema"
	"branchline/sync/bus/ca"
	"branchline/sync/bus/nkey"
)

// keyFile holds the seed of the key HQ signs receipts and certificates with.
const keyFile = "hq.seed"

// certDays is how long the certificate of HQ's own listeners is good; a new one is made at each start.
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

// serverTLS is the certificate of the leaf port and of the pages, for the hosts HQ is reached by.
func serverTLS(c Config, authority *ca.CA) (*tls.Config, error) {
	hosts := append([]string{"localhost", "127.0.0.1", "::1"}, c.hosts()...)
	cert, err := authority.Server(c.Rand, hosts, c.Now(), certDays)
	if err != nil {
		return nil, fmt.Errorf("hq: %w", err)
	}
	return ca.ServerConfig(cert), nil
}
