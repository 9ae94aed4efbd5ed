package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"branchline/cmd/rig"
	"branchline/cmd/rig/benchrows"
	"branchline/hq"
	"branchline/hq/inbox"
	nodestore "branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/sql"
	"branchline/sync/bus/nkey"
	"branchline/sync/link"
)

// fleet measures many branches that come back at once, each with changes of its own.
func (r *runner) fleet(func(string) bool) (err error) {
	const count = 50
	each := r.scale(2000)
	list := branches(count)
	dir, err := r.folder("line")
	if err != nil {
		return err
	}
	r.step("enrolling %d branches", count)
	if err := r.enrolAll(dir, list); err != nil {
		return err
	}
	g, err := r.line(false, list...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	if err := r.quiet(g, 30*time.Second); err != nil {
		return err
	}
	r.step("each writes %d changes offline", each)
	last := make([]schema.Seq, count)
	for i, b := range g.Sites() {
		b.Proxy().Cut()
		c := benchrows.Config{Seed: int64(r.Seed) + int64(i), Customers: each / 4, Orders: each - each/4, Branch: string(b.Code)}
		if _, err := r.fill(b.Node().Store(), c); err != nil {
			return err
		}
		l, err := b.Node().Store().Line(r.ctx)
		if err != nil {
			return err
		}
		last[i] = l.LastSeq
	}
	r.step("all links come back")
	began := r.Now()
	for _, b := range g.Sites() {
		b.Proxy().Open()
	}
	var linked time.Duration
	for i, b := range g.Sites() {
		if err := r.await("link", 30*time.Second, func() (bool, error) { return b.Node().Link().Phase == link.Open, nil }); err != nil {
			return err
		}
		if i == count-1 {
			linked = r.Now().Sub(began)
		}
	}
	rewinds := 0
	for i, b := range g.Sites() {
		if err := r.reached(b.Node(), last[i], time.Minute); err != nil {
			return fmt.Errorf("branch %s: %w", b.Code, err)
		}
		rewinds += b.Node().Link().Rewinds
	}
	took := r.Now().Sub(began)
	n := each * count
	var tables []*table
	for _, name := range []string{"record", "pack", "hold", "feed"} {
		t, err := readTable(r.ctx, g.HQ().Store().DB().R, name, "")
		if err != nil {
			return err
		}
		if len(t.rows) > 0 {
			tables = append(tables, t)
		}
	}
	bare, err := r.bareInsert(sql.HQ(), hqCacheKiB, n, tables...)
	if err != nil {
		return err
	}
	return r.emit(fmt.Sprintf("fleet/%d-branches-%d", count, n), float64(n)/took.Seconds(), "changes/s", ceiling(float64(n)/bare.Seconds()), goal(30_000),
		note("from the links' return (all linked after %.2f s) to the last receipt, branches and headquarters on this machine; %d rewinds; ceiling: bare inserts", linked.Seconds(), rewinds))
}

// enrolAll makes the branches' folders as an enrolment leaves them. Over HTTP so
// many from one address would be slowed down, as they should.
func (r *runner) enrolAll(dir string, list []rig.Branch) (err error) {
	q, err := hq.New(hq.Config{Dir: filepath.Join(dir, "hq"), Link: "127.0.0.1:0", Version: "bench", Now: r.Now, Rand: r.Rand, Log: r.Log})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "hq"), 0o700); err != nil {
		return err
	}
	if err := q.Start(r.ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(r.ctx)
	var wg sync.WaitGroup
	ended := make(chan error, 1)
	wg.Go(func() { ended <- q.Run(ctx) })
	defer func() {
		stop()
		wg.Wait()
		err = errors.Join(err, <-ended)
	}()
	by := inbox.By{Actor: "bench", Role: branchlinev1.Role_ROLE_HQ_ADMINISTRATOR}
	for _, b := range list {
		if _, err := q.Inbox().AddEntity(r.ctx, b.Entity, string(b.Entity), by); err != nil && !errors.Is(err, schema.ErrExists) {
			return err
		}
		if err := r.enrolOne(q, filepath.Join(dir, string(b.Code)), b, by); err != nil {
			return fmt.Errorf("enrol %s: %w", b.Code, err)
		}
	}
	return nil
}

func (r *runner) enrolOne(q *hq.HQ, dir string, b rig.Branch, by inbox.By) (err error) {
	t, err := q.Inbox().AddBranch(r.ctx, b.Code, b.Name, b.Entity, by)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	st, err := nodestore.Open(r.ctx, nodestore.Config{Dir: dir, Now: r.Now, Rand: r.Rand, Readers: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	seed, err := nkey.NewSeed(r.Rand)
	if err != nil {
		return err
	}
	signer, err := nkey.NewSigner(seed)
	if err != nil {
		return err
	}
	nonce, err := st.Nonce(r.ctx)
	if err != nil {
		return err
	}
	e, err := q.Inbox().Enrol(r.ctx, &wirev1.EnrolRequest{TokenId: t.ID, Token: t.Secret, Key: signer.Public(), Proof: signer.Sign([]byte(t.ID)), Nonce: nonce})
	if err != nil {
		return err
	}
	return st.Enrol(r.ctx, nodestore.Enrolment{
		Identity: nodestore.Identity{
			Branch: b.Code, Entity: b.Entity, Seed: seed, Link: q.LinkAddr(), CA: q.CA().PEM(), CAFingerprint: q.CA().Fingerprint().String(),
			HQKey: e.GetHqKey(), IDKey: e.GetIdKey(),
		},
		Incarnation: schema.Incarnation(e.GetIncarnation()), Certificate: e.GetCertificate(), Epoch: schema.EpochID(e.GetEpoch()), EpochLine: e.GetEpochLine(),
	})
}
