package serve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"

	"branchline/schema"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
)

// Client calls a site. Errors of its calls are *CallError; errors.Is finds schema's sentinels: ErrUnavailable when the
// site cannot be reached, ErrUnsigned when it does not know the token.
type Client struct {
	Records      branchlinev1connect.RecordServiceClient
	Sites        branchlinev1connect.SiteServiceClient
	Headquarters branchlinev1connect.HeadquartersServiceClient
	Match        branchlinev1connect.MatchServiceClient
	Counter      branchlinev1connect.CounterServiceClient
	Workshop     branchlinev1connect.WorkshopServiceClient
	Accounts     branchlinev1connect.AccountServiceClient
	// HTTP sends the token with every request to the site, and to it only.
	HTTP *http.Client
	URL  string
}

// NewClient calls the site at baseURL with a bearer token ("" = none). caFingerprint, if not "", is the hex SHA-256 of
// the only certificate authority that is trusted, at whatever date; else the machine's own are. ErrInvalid.
func NewClient(baseURL, token, caFingerprint string) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, schema.Invalid("at", "%q is not the address of a site: http://127.0.0.1:8481, https://host:8481", baseURL)
	}
	local := isLoopback(u.Hostname())
	if u.Scheme == "http" && !local && token != "" {
		return nil, schema.Invalid("at", "%s is not on this machine and not https: the token would travel in the clear", baseURL)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16
	if caFingerprint != "" {
		want, err := hex.DecodeString(strings.ReplaceAll(caFingerprint, ":", ""))
		if err != nil || len(want) != sha256.Size {
			return nil, schema.Invalid("ca", "%q is no SHA-256 fingerprint", caFingerprint)
		}
		t.TLSClientConfig = pinned(want, u.Hostname(), local)
	}
	return newClient(strings.TrimSuffix(u.String(), "/"), &bearer{t, u.Host, token}, !local), nil
}

// newClient calls through rt. far asks for compressed answers.
func newClient(base string, rt http.RoundTripper, far bool) *Client {
	h := &http.Client{Transport: rt}
	opts := []connect.ClientOption{
		connect.WithInterceptors(connect.UnaryInterceptorFunc(turn)),
		connect.WithReadMaxBytes(maxAnswer),
	}
	if !far {
		opts = append(opts, connect.WithAcceptCompression("gzip", nil, nil))
	}
	return &Client{
		Records:      branchlinev1connect.NewRecordServiceClient(h, base, opts...),
		Sites:        branchlinev1connect.NewSiteServiceClient(h, base, opts...),
		Headquarters: branchlinev1connect.NewHeadquartersServiceClient(h, base, opts...),
		Match:        branchlinev1connect.NewMatchServiceClient(h, base, opts...),
		Counter:      branchlinev1connect.NewCounterServiceClient(h, base, opts...),
		Workshop:     branchlinev1connect.NewWorkshopServiceClient(h, base, opts...),
		Accounts:     branchlinev1connect.NewAccountServiceClient(h, base, opts...),
		HTTP:         h,
		URL:          base,
	}
}

// Close gives idle connections back.
func (c *Client) Close() { c.HTTP.CloseIdleConnections() }

func turn(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		res, err := next(ctx, req)
		if err != nil {
			return nil, fromConnect(err)
		}
		return res, nil
	}
}

type bearer struct {
	next  *http.Transport
	host  string
	token string
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" && r.URL.Host == b.host {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(r)
}

func (b *bearer) CloseIdleConnections() { b.next.CloseIdleConnections() }

// pinned trusts one authority by its fingerprint. Dates are not looked at: this machine's clock may be years off. On
// loopback the name is not either: a certificate is made for the names others use.
func pinned(want []byte, host string, local bool) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		ServerName:         host,
		InsecureSkipVerify: true, // VerifyConnection does it, for resumed sessions too
		VerifyConnection: func(st tls.ConnectionState) error {
			roots, between := x509.NewCertPool(), x509.NewCertPool()
			found := false
			for _, c := range st.PeerCertificates {
				if sum := sha256.Sum256(c.Raw); bytes.Equal(sum[:], want) {
					roots.AddCert(c)
					found = true
				}
			}
			if !found || len(st.PeerCertificates) == 0 {
				return errors.New("the site's certificate is not of the expected authority")
			}
			for _, c := range st.PeerCertificates[1:] {
				between.AddCert(c)
			}
			leaf := st.PeerCertificates[0]
			o := x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: leaf.NotBefore.Add(time.Second)}
			if !local {
				o.DNSName = host
			}
			if _, err := leaf.Verify(o); err != nil {
				return fmt.Errorf("the site's certificate: %w", err)
			}
			return nil
		},
	}
}

// inProcess carries a call to a handler of this process. The handler sees the caller's context: who is asking, from
// where, and when they give up.
type inProcess struct{ h http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer r.Body.Close() // a body in memory
	w := &memory{header: http.Header{}}
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	p.h.ServeHTTP(w, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

type memory struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (m *memory) Header() http.Header { return m.header }

func (m *memory) WriteHeader(status int) {
	if m.status == 0 {
		m.status = status
	}
}

func (m *memory) Write(b []byte) (int, error) {
	m.WriteHeader(http.StatusOK)
	return m.body.Write(b)
}
