package feed

import (
	"bytes"
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"

	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/link"
	"branchline/sync/merge"
)

const (
	pageBytes  = 768 << 10
	pageRows   = 4096
	deliveries = 64 // branches named in a full page
)

// Pull reads the branch's next page above its cursor. A cursor that is not good
// gets a page that says hello. Errors: schema.ErrNotFound for no such branch,
// schema.ErrUnavailable while nothing may be given out.
func (f *Feed) Pull(ctx context.Context, code schema.BranchID, req *wirev1.PullRequest) (*wirev1.Page, error) {
	b := f.st.Branch(code)
	if b == nil || b.Num == store.HQNum {
		return nil, fmt.Errorf("hq/feed: pull: branch %s: %w", code, schema.ErrNotFound)
	}
	if why := f.st.Held(); why != "" {
		return nil, fmt.Errorf("hq/feed: pull: %s: %w", why, schema.ErrUnavailable)
	}
	page := &wirev1.Page{Epoch: int64(f.st.Epoch())}
	if !b.Open() || len(req.GetBoot()) > 0 && !bytes.Equal(req.GetBoot(), b.Boot) {
		// Also a machine that is the branch no more, or not the one HQ talks to.
		page.Hello = true
		return page, nil
	}
	f.give(b.Num, nil)
	if req.GetFull() && req.GetRev() == 0 {
		// A pass begins: what was confirmed before says nothing of it.
		f.st.Hear(b.Num, func(b *store.Branch) { b.Confirmed = 0 })
		b = f.st.Branch(code)
	}
	limit := pageBytes
	if n := int(req.GetMaxBytes()); n > 0 && n < limit {
		limit = n
	}
	err := f.st.Read(ctx, func(r *store.R) error {
		if _, err := r.Scan("SELECT rev FROM counter WHERE one = 1", nil, &page.HqRev); err != nil {
			return err
		}
		if !f.good(b, req, schema.Rev(page.HqRev)) {
			page.Hello = true
			return nil
		}
		p := &puller{f: f, r: r, b: b, page: page, entity: b.Entity, limit: limit}
		return p.read(schema.Rev(req.GetRev()), req.GetFull())
	})
	if err != nil {
		return nil, fmt.Errorf("hq/feed: pull %s: %w", code, err)
	}
	if page.Hello {
		return page, nil
	}
	now, confirmed := f.st.Now().UnixMilli(), min(schema.Rev(req.GetApplied()), schema.Rev(req.GetRev()))
	f.st.Hear(b.Num, func(b *store.Branch) {
		b.Heard = now
		b.Confirmed = max(b.Confirmed, confirmed)
	})
	if page.Full {
		page.Deliveries = f.delivered(code)
		if req.GetPush() {
			f.give(b.Num, &given{
				boot: bytes.Clone(req.GetBoot()), form: int(req.GetForm()), rev: schema.Rev(page.LastRev), sum: link.MarksSum(page.Marks), told: now,
			})
		}
	}
	return page, nil
}

// good tells whether the feed can go on from the request's cursor; rev is HQ's in
// the snapshot the page is read in. What was confirmed is a question for the hello.
func (f *Feed) good(b *store.Branch, req *wirev1.PullRequest, rev schema.Rev) bool {
	if req.GetFull() && req.GetRev() == 0 {
		return true
	}
	return b.Confirmed != store.PassDue && link.GoodCursor(link.CursorFacts{
		Epoch: schema.EpochID(req.GetEpoch()), Rev: schema.Rev(req.GetRev()), Ours: f.st.Epochs(), HQRev: rev,
	})
}

// delivered is how far other branches have confirmed the feed.
func (f *Feed) delivered(except schema.BranchID) []*wirev1.Delivery {
	var out []*wirev1.Delivery
	for _, b := range f.st.Branches() {
		if b.Code != except && b.Confirmed > 0 && b.Confirmed <= f.st.Rev() && len(out) < deliveries {
			out = append(out, &wirev1.Delivery{Branch: string(b.Code), Rev: int64(b.Confirmed)})
		}
	}
	return out
}

// puller reads one page.
type puller struct {
	f      *Feed
	r      *store.R
	b      *store.Branch
	page   *wirev1.Page
	entity schema.EntityID
	limit  int
	size   int
}

// stream is one of the ordered lists a page is merged from.
type stream struct {
	rows *stdsql.Rows
	head entry
	more bool
}

// entry is a feed row with its record, if it is about one.
type entry struct {
	rev   schema.Rev
	what  int
	ref   int64
	gone  bool
	kind  schema.Kind
	id    []byte
	home  int32
	rrev  schema.Rev // the record's own
	state []byte
}

const (
	feedRows = `SELECT f.rev, f.what, f.ref, f.gone, r.kind, r.id, r.home, r.rev, r.state FROM feed f
		LEFT JOIN record r ON r.n = f.ref AND f.what <> 4 WHERE f.branch = $1 AND f.rev > $2 ORDER BY f.rev LIMIT $3`
	homeRows = `SELECT r.rev, 1, r.n, 0, r.kind, r.id, r.home, r.rev, r.state FROM record r
		WHERE r.home = $1 AND r.rev > $2 AND NOT EXISTS (SELECT 1 FROM feed f WHERE f.branch = $1 AND f.what = 1 AND f.ref = r.n)
		ORDER BY r.rev LIMIT $3`
)

func (p *puller) read(after schema.Rev, full bool) (err error) {
	if p.page.Marks, err = store.MarksOf(p.r, p.b); err != nil {
		return err
	}
	var streams []*stream
	defer func() {
		for _, s := range streams {
			err = errors.Join(err, s.rows.Close())
		}
	}()
	open := func(q string, branch int32) error {
		rows, err := p.r.Query(q, branch, int64(after), pageRows)
		if err != nil {
			return err
		}
		s := &stream{rows: rows}
		streams = append(streams, s)
		return s.next()
	}
	if err := open(feedRows, p.b.Num); err != nil {
		return err
	}
	if err := open(feedRows, store.All); err != nil {
		return err
	}
	if full {
		if err := open(homeRows, p.b.Num); err != nil {
			return err
		}
	}
	last := after
	for n := 0; ; n++ {
		var s *stream
		for _, x := range streams {
			if x.more && (s == nil || x.head.rev < s.head.rev) {
				s = x
			}
		}
		if s == nil {
			// A stream may have ended at the limit of rows, then so has the page.
			if n < pageRows {
				p.page.Full, last = true, schema.Rev(p.page.HqRev)
			}
			break
		}
		if n >= pageRows || p.size >= p.limit {
			break
		}
		if err := p.row(&s.head); err != nil {
			return err
		}
		last = s.head.rev
		if err := s.next(); err != nil {
			return err
		}
	}
	p.page.LastRev = int64(last)
	return nil
}

func (s *stream) next() error {
	s.more = s.rows.Next()
	if !s.more {
		return s.rows.Err()
	}
	var kind, home, rrev stdsql.NullInt64
	s.head = entry{}
	e := &s.head
	if err := s.rows.Scan(&e.rev, &e.what, &e.ref, &e.gone, &kind, &e.id, &home, &rrev, &e.state); err != nil {
		return fmt.Errorf("hq/feed: read row: %w", err)
	}
	e.kind, e.home, e.rrev = schema.Kind(kind.Int64), int32(home.Int64), schema.Rev(rrev.Int64)
	return nil
}

func (p *puller) row(e *entry) error {
	var row *wirev1.Row
	var err error
	switch {
	case e.what == store.FeedOutcome:
		row, err = p.outcome(e)
	case e.id == nil:
		return nil // the record is gone for ever
	case e.what == store.FeedGroup:
		row, err = p.group(e)
	case e.gone:
		row = &wirev1.Row{Row: wirev1.RowKind_PURGE, Rev: int64(e.rev), Kind: uint32(e.kind), Record: e.id}
	default:
		row, err = p.f.record(p.b, e)
	}
	if err != nil || row == nil {
		return err
	}
	p.page.Rows = append(p.page.Rows, row)
	p.size += len(row.State) + 64 + 20*len(row.Members)
	return nil
}

// record is a record as a branch may see it.
func (f *Feed) record(b *store.Branch, e *entry) (*wirev1.Row, error) {
	home := f.st.BranchNum(e.home)
	row := &wirev1.Row{
		Row: wirev1.RowKind_RECORD, Rev: int64(max(e.rev, e.rrev)), Kind: uint32(e.kind), Record: e.id, State: e.state, Home: string(home.Code),
	}
	if e.home == store.HQNum || home.Entity == b.Entity {
		return row, nil
	}
	var err error
	row.Shared = true
	row.State, err = SharedState(schema.KindOf(e.kind), e.state, func(code schema.BranchID) bool {
		x := f.st.Branch(code)
		return x != nil && x.Num != store.HQNum && x.Entity == b.Entity
	})
	return row, err
}

// SharedState is a record's state stripped to what another legal entity may see,
// and what that entity's own branches wrote.
func SharedState(k *schema.KindInfo, state []byte, own func(schema.BranchID) bool) ([]byte, error) {
	if k == nil {
		return nil, nil
	}
	st, err := merge.Decode(state)
	if err != nil {
		return nil, fmt.Errorf("hq/feed: %w", err)
	}
	return st.ShareWith(k, own).Encode(), nil
}

// group is the list of members a branch may see: of its own legal entity for
// customers, all for cars. No members when ref does not stand for the group any
// more, or the branch holds none of them any more.
func (p *puller) group(e *entry) (*wirev1.Row, error) {
	row := &wirev1.Row{Row: wirev1.RowKind_GROUP, Rev: int64(e.rev), Kind: uint32(e.kind), Record: e.id}
	var members [][]byte
	holds := false
	err := p.r.Each(`SELECT m.id, m.home, h.branch FROM record r JOIN record m ON m.grp = r.grp
		LEFT JOIN hold h ON h.subject = m.id AND h.branch = $1 WHERE r.n = $2 ORDER BY m.id`, []any{p.b.Num, e.ref}, func(rows *stdsql.Rows) error {
		var id []byte
		var home int32
		var held stdsql.NullInt64
		if err := rows.Scan(&id, &home, &held); err != nil {
			return fmt.Errorf("hq/feed: read group: %w", err)
		}
		if e.kind != schema.Customer || p.f.st.EntityOf(home) == p.entity {
			members = append(members, id)
			holds = holds || held.Valid || home == p.b.Num
		}
		return nil
	})
	if holds && len(members) >= 2 && string(members[0]) == string(e.id) {
		row.Members = members
	}
	return row, err
}

func (p *puller) outcome(e *entry) (*wirev1.Row, error) {
	o := &wirev1.Outcome{}
	row := &wirev1.Row{Row: wirev1.RowKind_OUTCOME, Rev: int64(e.rev), Outcome: o}
	var kind int
	var fields []byte
	found, err := p.r.Scan("SELECT inc, seq, kind, reason, waits_for, fields, rkind, record FROM outcome WHERE n = $1", []any{e.ref},
		&o.Incarnation, &o.Seq, &kind, &o.Reason, &o.WaitsFor, &fields, &row.Kind, &row.Record)
	if err != nil || !found {
		return nil, err
	}
	o.Kind = wirev1.OutcomeKind(kind)
	for i := 0; i+1 < len(fields); i += 2 {
		o.Fields = append(o.Fields, uint32(fields[i])<<8|uint32(fields[i+1]))
	}
	return row, nil
}
