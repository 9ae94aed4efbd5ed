package hq

import (
	"crypto/sha256"
	"fmt"
	"net"

	"branchline/hq/api"
	"branchline/hq/find"
	"branchline/hq/inbox"
	"branchline/hq/report"
	"branchline/hq/web"
	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/account"
	"branchline/schema/enrol"
	"branchline/schema/serve"
)

// newServer puts API, pages, accounts and the enrolment door together.
func (q *HQ) newServer() (err error) {
	q.accounts, err = account.New(account.Config{Site: access.HQ, DB: q.store.DB(), Now: q.cfg.Now, Rand: q.cfg.Rand, Log: q.cfg.Log})
	if err != nil {
		return err
	}
	if q.reports, err = report.New(report.Config{Store: q.store, ZoneNow: q.Zone, Log: q.cfg.Log, Ahead: web.FirstQuestions}); err != nil {
		return err
	}
	if q.index, err = find.New(q.store, q.log); err != nil {
		return err
	}
	a, err := api.New(api.Config{
		ZoneNow: q.Zone,
		Store:   q.store, Inbox: q.inbox, Index: q.index, Reports: q.reports, Links: q.hub, Leaves: q.leaves, Token: q.TokenText,
		Catch: q.golden.Catch, Match: q.golden, Files: q.blobs, Dir: q.cfg.Dir, Version: q.cfg.Version, Now: q.cfg.Now, Log: q.cfg.Log,
	})
	if err != nil {
		return err
	}
	q.records = a.Records()
	q.server, err = serve.New(serve.Config{
		Site: access.HQ, Listen: q.cfg.Listen, TLS: q.tls, Host: q.pagesHost(), CA: q.ca.PEM, Accounts: q.accounts,
		Records: q.records, Sites: a.Sites(), Headquarters: a.Headquarters(), Match: a.Match(), Counter: a.Counter(), Pages: q.pages, Dir: q.cfg.Dir, Version: q.cfg.Version, CAFingerprint: q.ca.Fingerprint().String(),
		Now: q.cfg.Now, Rand: q.cfg.Rand, Log: q.cfg.Log,
	})
	return err
}

// pagesHost is the name people and tokens are given, when that is not Listen's.
func (q *HQ) pagesHost() string {
	h, _, err := net.SplitHostPort(q.cfg.Listen)
	if ip := net.ParseIP(h); err == nil && (h == "" || ip != nil && ip.IsUnspecified()) {
		return q.cfg.public()
	}
	return q.cfg.Public
}

// leaves counts a branch's live links.
func (q *HQ) leaves(b schema.BranchID) int {
	n := 0
	for _, l := range q.hub.Leaves() {
		if l.Branch == b {
			n++
		}
	}
	return n
}

// URL is where people reach HQ; "" when it serves nothing.
func (q *HQ) URL() string {
	if q.server == nil {
		return ""
	}
	return q.server.URL()
}

// Up is closed when Run serves and the folder's run.json tells commands so; nil
// when HQ serves nothing.
func (q *HQ) Up() <-chan struct{} {
	if q.server == nil {
		return nil
	}
	return q.server.Up()
}

// Server is HQ's API and pages; nil when it serves nothing.
func (q *HQ) Server() *serve.Server { return q.server }

// API is the records' API, as pages in this process call it; nil before Start.
func (q *HQ) API() *api.Records { return q.records }

// FirstAccount is the first administrator and the password made at this start;
// both empty when the site had accounts already.
func (q *HQ) FirstAccount() (account, password string) { return q.first[0], q.first[1] }

// TokenText is the line of text a branch is given: where HQ is, how to know it,
// and the secret. schema.ErrInvalid when HQ serves nothing a branch could reach.
func (q *HQ) TokenText(t *inbox.Token) (string, error) {
	text := &enrol.Token{URL: q.URL(), CA: [sha256.Size]byte(q.ca.Fingerprint()), ID: t.ID, Secret: t.Secret}
	if err := text.Check(); err != nil {
		return "", fmt.Errorf("hq: token: %w", err)
	}
	return text.String(), nil
}
