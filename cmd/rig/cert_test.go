package rig

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/serve"
	"branchline/sync/bus/ca"
	"branchline/sync/link"
)

// visitor is somebody's browser: it trusts what it was told to trust, goes by names, and has a clock.
type visitor struct {
	t     *testing.T
	roots *x509.CertPool
	now   func() time.Time
}

// get asks a site at its port on this machine under a name; it gives the body and the site's certificate.
func (v visitor) get(at, host, path string) (string, *x509.Certificate, error) {
	v.t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		v.t.Fatal(err)
	}
	tr := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: v.roots, Time: v.now, MinVersion: tls.VersionTLS13},
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", u.Port()))
		},
	}
	res, err := (&http.Client{Transport: tr}).Get("https://" + net.JoinHostPort(host, u.Port()) + path)
	if err != nil {
		return "", nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return "", nil, err
	}
	return string(b), res.TLS.PeerCertificates[0], nil
}

// On another address than loopback, pages are HTTPS with a certificate of the
// group's own authority: got at enrolment, bearing the names people use, renewed
// over the link long before it ends. Both sites tell how to trust it.
func TestCertificates(t *testing.T) {
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	g := newGroup(t, Config{Pages: true, Listen: "0.0.0.0:0", Now: now, Branches: []Branch{{Code: "b1", Name: "Pudong", Entity: "e1"}}})
	g.many("b1", 2)
	g.converge()

	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(g.HQ().CA().PEM()) {
		t.Fatal("the authority's certificate is none")
	}
	host := "localhost"
	if own := serve.OwnAddresses(); len(own) > 0 {
		host = own[0]
	}
	v := visitor{t, roots, now}
	print := g.HQ().CA().Fingerprint().String()
	for name, site := range map[string]string{"hq": g.HQ().URL(), "b1": g.Site("b1").Node().URL()} {
		if u, err := url.Parse(site); err != nil || u.Scheme != "https" || u.Hostname() != host {
			t.Errorf("%s is at %s, and its certificate is for %s", name, site, host)
		}
		if _, _, err := (visitor{t, x509.NewCertPool(), now}).get(site, host, "/healthz"); err == nil {
			t.Errorf("%s: a browser that was told nothing trusts it", name)
		}
		crt, _, err := v.get(site, host, "/ca.crt")
		if err != nil || crt != string(g.HQ().CA().PEM()) {
			t.Errorf("%s: /ca.crt is %.40q, %v", name, crt, err)
		}
		page, _, err := v.get(site, host, "/trust")
		if err != nil || !strings.Contains(strings.ToLower(strings.ReplaceAll(page, " ", "")), print) {
			t.Errorf("%s: the page on trust does not show the fingerprint: %v", name, err)
		}
		if _, _, err := v.get(site, "elsewhere.example", "/healthz"); err == nil {
			t.Errorf("%s answers to any name", name)
		}
	}

	// Commands find a site that serves HTTPS by its folder.
	run, err := serve.ReadRun(g.Site("b1").Dir)
	g.must(err)
	c, err := run.Client()
	g.must(err)
	if err := health(c); err != nil {
		t.Errorf("by run.json: %v", err)
	}
	c.Close()

	// Ten months later both certificates are new ones, without a restart.
	_, was, err := v.get(g.Site("b1").Node().URL(), host, "/healthz")
	g.must(err)
	ahead.Store(int64(300 * 24 * time.Hour))
	g.many("b1", 1) // the line has news
	g.until("the branch's certificate is renewed", func() bool {
		_, is, err := v.get(g.Site("b1").Node().URL(), host, "/healthz")
		return err == nil && is.NotAfter.After(was.NotAfter.AddDate(0, 6, 0))
	})
	if _, is, err := v.get(g.HQ().URL(), host, "/healthz"); err != nil || !is.NotAfter.After(was.NotAfter.AddDate(0, 6, 0)) {
		t.Errorf("headquarters' certificate: %v", err)
	}
	ahead.Store(int64(500 * 24 * time.Hour)) // the first ones are over
	g.must(g.StopNode("b1"))
	g.must(g.StartNode("b1"))
	if _, _, err := v.get(g.Site("b1").Node().URL(), host, "/healthz"); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	g.linked("b1")

	// A branch cannot have headquarters' own name.
	_, csr, err := ca.NewRequest(rand.Reader, "pd.example", ca.HQName)
	g.must(err)
	req, err := proto.Marshal(&wirev1.EnrolRequest{Csr: csr})
	g.must(err)
	if _, err := g.Site("b1").Node().Ask(t.Context(), link.VerbRenew, req); err == nil {
		t.Error("a branch got a certificate for headquarters' name")
	}
}

func health(c *serve.Client) error {
	res, err := c.HTTP.Get(c.URL + "/healthz")
	if err != nil {
		return err
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}

// A branch that was enrolled for loopback alone gets its certificate over the
// link when it is started for the whole network.
func TestCertificates_LaterForTheNetwork(t *testing.T) {
	g := newGroup(t, Config{Pages: true, Branches: []Branch{{Code: "b1", Name: "Pudong", Entity: "e1"}}})
	g.many("b1", 2)
	g.converge()
	g.must(g.StopNode("b1"))
	start := func() (*run[*node.Node], error) {
		n, err := node.New(node.Config{
			Dir: g.Site("b1").Dir, Listen: "0.0.0.0:0", Host: "pd.example.test", Link: g.Site("b1").Proxy().Addr(),
			Now: time.Now, Rand: rand.Reader, Limits: g.cfg.Limits,
		})
		g.must(err)
		return begin(g.ctx, n)
	}
	second, err := start()
	g.must(err)
	g.Site("b1").node = second
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(g.HQ().CA().PEM())
	if _, _, err := (visitor{t, roots, time.Now}).get(second.site.URL(), "pd.example.test", "/healthz"); err != nil {
		t.Error(err)
	}
	g.linked("b1")
	g.many("b1", 2)
	g.converge()
}
