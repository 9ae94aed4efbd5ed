package api

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"
	"strings"

	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/page"
	"branchline/sync/merge"
)

// latest is the change that wrote the latest value of a record.
func latest(rec *store.Rec) (schema.ChangeID, error) {
	if s, ok := merge.FreshStamp(rec.State); ok {
		return s.Change(), nil
	}
	st, err := merge.Decode(rec.State)
	if err != nil {
		return schema.ChangeID{}, fmt.Errorf("hq/api: record %s: %w", rec.ID, err)
	}
	return st.Latest().Change(), nil
}

// GetLine tells how headquarters itself stands.
func (h *Sites) GetLine(ctx context.Context, _ *branchlinev1.Empty) (*branchlinev1.LineStatus, error) {
	if err := may(ctx, "SiteService", "GetLine"); err != nil {
		return nil, err
	}
	out := &branchlinev1.LineStatus{
		Branch: string(schema.HQ), Role: string(access.HQ), Linked: true, Verdict: "OPEN", Epoch: h.c.Store.Epoch().String(),
		HqRev: int64(h.c.Store.Rev()), FeedRev: int64(h.c.Store.Rev()), Now: h.c.Now().UnixMilli(), Version: h.c.Version,
	}
	if h.c.Files != nil {
		out.Files, out.FileBytes, out.FilesWaiting = h.c.Files.Standing()
		out.DiskFree = h.c.Files.Free()
	}
	out.Standing = StandingOpen
	if held := h.c.Store.Held(); held != "" {
		out.Verdict, out.Standing = held, StandingWaiting
		if h.c.Store.Superseded() {
			out.Standing, out.Advice = StandingSuperseded, "if the other copy is to stay, stop this one for good; if this one is to stay, stop the other, then run: "+
				"branchline hq go-on --superseded, and start this one again"
		}
	}
	for _, b := range h.c.Store.Branches() {
		out.LastHeard = max(out.LastHeard, b.Heard)
	}
	err := h.c.Store.Read(ctx, func(r *store.R) error {
		if _, err := r.Scan("SELECT COUNT(*) FROM record", nil, &out.Records); err != nil {
			return err
		}
		if _, err := r.Scan("SELECT COUNT(*) FROM outcome WHERE sealed IS NOT NULL", nil, &out.Quarantined); err != nil {
			return err
		}
		lives, err := store.LivesOf(r, store.HQNum)
		if err != nil {
			return err
		}
		if len(lives) > 0 {
			l := lives[len(lives)-1]
			out.Incarnation, out.LastSeq, out.Watermark = l.Inc.String(), int64(l.Watermark), int64(l.Watermark)
		}
		if out.Standing == StandingWaiting {
			waits, err := h.c.Store.NotCompared(r)
			if err != nil {
				return err
			}
			out.Advice = waitingFor(waits)
		}
		alarms, err := store.Alarms(r)
		for _, a := range alarms {
			if a.Branch == store.HQNum {
				out.Warnings = append(out.Warnings, a.Text)
			}
		}
		return err
	})
	out.LookAt = out.Quarantined
	return out, err
}

// How headquarters stands, as LineStatus.standing has it.
const (
	StandingOpen       = "OPEN"
	StandingWaiting    = "WAITING"    // restored: it waits for the branches' ledgers
	StandingSuperseded = "SUPERSEDED" // a restored copy has taken over
)

// waitingFor says whose ledgers a restored headquarters waits for, and what a person may do about it.
func waitingFor(waits []*store.Branch) string {
	codes := make([]string, 0, len(waits))
	for _, b := range waits {
		codes = append(codes, string(b.Code))
	}
	return "it goes on by itself once it has heard these branches: " + strings.Join(codes, ", ") +
		"; for one that will not come back soon, run: branchline hq go-on --without CODE"
}

// ListChanges are headquarters' own edits that lost to a later value, newest
// first. There are none that wait: what is saved here is committed.
func (h *Sites) ListChanges(ctx context.Context, req *branchlinev1.ListChangesRequest) (*branchlinev1.ListChangesResponse, error) {
	if err := may(ctx, "SiteService", "ListChanges"); err != nil {
		return nil, err
	}
	out := new(branchlinev1.ListChangesResponse)
	if !req.GetLookAt() {
		return out, nil
	}
	caller := access.CallerFrom(ctx)
	sum, size := page.SumOf("changes", req.GetLookAt()), pageSize(req.GetPageSize())
	after := page.Place{N: 1 << 62}
	if req.GetPageToken() != "" {
		var err error
		if after, err = page.Parse(sum, req.GetPageToken()); err != nil {
			return nil, err
		}
	}
	err := h.c.Store.Read(ctx, func(r *store.R) error {
		s := h.shower(r, caller)
		type own struct {
			n      int64
			id     schema.ChangeID
			record []byte
		}
		var list []own
		if err := r.Each("SELECT n, inc, seq, record FROM outcome WHERE branch = $1 AND kind = $2 AND n < $3 ORDER BY n DESC LIMIT $4",
			[]any{store.HQNum, int(wirev1.OutcomeKind_OVERRIDDEN), after.N, size + 1}, func(rows *stdsql.Rows) error {
				o := own{id: schema.ChangeID{Branch: schema.HQ}}
				err := rows.Scan(&o.n, &o.id.Inc, &o.id.Seq, &o.record)
				list = append(list, o)
				return err
			}); err != nil {
			return err
		}
		if len(list) > size {
			list = list[:size]
			out.NextPageToken = page.Token(sum, page.Place{Key: int64(0), N: list[size-1].n})
		}
		for _, o := range list {
			c, err := s.own(o.id, o.record)
			if err != nil {
				return err
			}
			out.Changes = append(out.Changes, c)
		}
		return nil
	})
	return out, err
}

func (s *shower) own(id schema.ChangeID, record []byte) (*branchlinev1.OwnChange, error) {
	out := &branchlinev1.OwnChange{Change: id.String()}
	body, err := s.body(id)
	if err != nil {
		return nil, err
	}
	out.At, out.Actor = millis(body.GetAt()), body.GetActor()
	var rec *store.Rec
	if len(record) == 16 {
		if rec, err = store.RecOf(s.r, schema.RecordID(record)); err != nil {
			return nil, err
		}
	}
	if rec != nil && access.MayRead(access.HQ, rec.Kind, s.roles) {
		out.Record = schema.ResourceName(rec.Kind, rec.ID)
	} else {
		rec = nil
	}
	out.Where, err = s.where(id, rec)
	return out, err
}

func pageSize(n int32) int {
	if n == 0 {
		return 50
	}
	return max(1, min(int(n), 1000))
}

// ListBranches tells how each branch's line stands.
func (h *Sites) ListBranches(ctx context.Context, _ *branchlinev1.Empty) (*branchlinev1.ListBranchesResponse, error) {
	if err := may(ctx, "SiteService", "ListBranches"); err != nil {
		return nil, err
	}
	out := &branchlinev1.ListBranchesResponse{Now: h.c.Now().UnixMilli()}
	quarantined, marks := map[int32]int64{}, map[int32]int64{}
	var alarms []store.Alarm
	err := h.c.Store.Read(ctx, func(r *store.R) (err error) {
		if err := r.Each("SELECT branch, COUNT(*) FROM outcome WHERE sealed IS NOT NULL GROUP BY branch", nil, func(rows *stdsql.Rows) error {
			var num int32
			var n int64
			err := rows.Scan(&num, &n)
			quarantined[num] = n
			return err
		}); err != nil {
			return err
		}
		// The incarnation written to now; of a branch between two, the last one.
		if err := r.Each("SELECT branch, watermark FROM incarnation ORDER BY issued, inc", nil, func(rows *stdsql.Rows) error {
			var num int32
			var w int64
			err := rows.Scan(&num, &w)
			marks[num] = w
			return err
		}); err != nil {
			return err
		}
		alarms, err = store.Alarms(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, b := range h.c.Store.Branches() {
		s := &branchlinev1.BranchStatus{
			Code: string(b.Code), Name: b.Name, Entity: string(b.Entity), Leaves: int32(h.c.Leaves(b.Code)), LastHeard: b.Heard,
			Watermark: marks[b.Num], ConfirmedRev: int64(b.Confirmed), Rev: int64(h.c.Store.Rev()), Quarantined: quarantined[b.Num],
			State: b.State, Pending: b.Pending,
		}
		for _, a := range alarms {
			if a.Branch == b.Num {
				s.Alarms = append(s.Alarms, a.What+": "+a.Text)
			}
		}
		out.Branches = append(out.Branches, s)
	}
	for _, a := range alarms {
		if a.Branch == store.HQNum {
			out.Alarms = append(out.Alarms, a.What+": "+a.Text)
		}
	}
	return out, nil
}

// Verify checks headquarters against itself: that what is derived from every
// record equals what its row says, that groups and questions are those that follow
// from the records, and that the watermarks stand on packs that are there. Branches are compared with HQ at the branch.
func (h *Sites) Verify(ctx context.Context, _ *branchlinev1.Empty) (*branchlinev1.VerifyResponse, error) {
	if err := may(ctx, "SiteService", "Verify"); err != nil {
		return nil, err
	}
	out := &branchlinev1.VerifyResponse{Note: "headquarters' rows against its records and packs; verify at a branch compares the branch with headquarters"}
	differ := func(format string, args ...any) {
		if len(out.Differing) < maxDiffering {
			out.Differing = append(out.Differing, fmt.Sprintf(format, args...))
		}
		out.Same = false
	}
	out.Same = true
	err := h.c.Store.Read(ctx, func(r *store.R) error {
		if err := r.Each("SELECT "+store.RecColumns+" FROM record ORDER BY n", nil, func(rows *stdsql.Rows) error {
			rec, err := store.ScanRec(rows)
			if err != nil {
				return err
			}
			out.Records++
			if why := wrong(rec); why != "" {
				differ("%s: %s", schema.ResourceName(rec.Kind, rec.ID), why)
			}
			return ctx.Err()
		}); err != nil {
			return err
		}
		return h.marks(r, differ)
	})
	if err == nil && h.c.Match != nil {
		err = h.groups(ctx, out, differ)
	}
	if err == nil && h.c.Files != nil {
		err = h.files(ctx, out, differ)
	}
	slices.Sort(out.Differing)
	return out, err
}

// files reads the files of attachments through.
func (h *Sites) files(ctx context.Context, out *branchlinev1.VerifyResponse, differ func(string, ...any)) error {
	read, damaged, missing, err := h.c.Files.Check(ctx)
	if err != nil {
		return err
	}
	out.Files = read
	for _, x := range damaged {
		differ("file %s was damaged and has been set aside", x)
	}
	if len(missing) > 0 {
		out.Note += fmt.Sprintf("; %d files that attachments name have not come from their branches", len(missing))
	}
	return nil
}

// groups checks that groups, their ids and the questions about them are what follows
// from the records alone.
func (h *Sites) groups(ctx context.Context, out *branchlinev1.VerifyResponse, differ func(string, ...any)) error {
	c, err := h.c.Match.Check(ctx)
	if err != nil {
		return err
	}
	out.Note += fmt.Sprintf("; %d groups of %d customers and %d cars, and %d questions, made anew", c.Groups, c.Customers, c.Vehicles, c.Questions)
	for _, d := range c.Differences {
		differ("%s", d)
	}
	return nil
}

// maxDiffering bounds a list of what differs.
const maxDiffering = 200

// wrong tells what of a record's row is not what its state says; "" when all is.
func wrong(rec *store.Rec) string {
	k := schema.KindOf(rec.Kind)
	if k == nil {
		return fmt.Sprintf("this program does not know kind %d", rec.Kind)
	}
	st, err := merge.Decode(rec.State)
	if err != nil {
		return err.Error()
	}
	if string(st.Encode()) != string(rec.State) {
		return "the state is not in its one form"
	}
	want := *rec
	want.Columns(k, st.Fold(k))
	if want.Customer != rec.Customer || want.Vehicle != rec.Vehicle || want.Order != rec.Order || want.Day != rec.Day ||
		want.Number != rec.Number || want.St != rec.St || want.Retired != rec.Retired {
		return "its columns are not those of its state"
	}
	return ""
}

// marks checks that the last pack of each incarnation ends at its watermark.
func (h *Sites) marks(r *store.R, differ func(string, ...any)) error {
	return r.Each(`SELECT i.inc, i.watermark, COALESCE((SELECT p.last FROM pack p WHERE p.inc = i.inc ORDER BY p.first DESC LIMIT 1), 0) FROM incarnation i`, nil,
		func(rows *stdsql.Rows) error {
			var inc schema.Incarnation
			var mark, last int64
			if err := rows.Scan(&inc, &mark, &last); err != nil {
				return err
			}
			if mark != last {
				differ("incarnation %s: its watermark is %d, its packs end at %d", inc, mark, last)
			}
			return nil
		})
}

// Repair makes anew what headquarters derives from its records: lists, search, report facts.
func (h *Sites) Repair(ctx context.Context, _ *branchlinev1.Empty) (*branchlinev1.Empty, error) {
	if err := may(ctx, "SiteService", "Repair"); err != nil {
		return nil, err
	}
	if err := h.c.Index.Rebuild(ctx); err != nil {
		return nil, err
	}
	if err := h.c.Reports.Rebuild(ctx); err != nil {
		return nil, err
	}
	return &branchlinev1.Empty{}, nil
}

// Backup writes a copy of the database into HQ's folder backups, the files of attachments beside it, and notes what is in it: branches may then forget what
// even that copy knows.
func (h *Sites) Backup(ctx context.Context, req *branchlinev1.BackupRequest) (*branchlinev1.BackupResponse, error) {
	if err := may(ctx, "SiteService", "Backup"); err != nil {
		return nil, err
	}
	name := req.GetFile()
	if name == "" {
		name = "hq-" + h.c.Now().UTC().Format("20060102T150405Z") + ".db"
	}
	// The marks are read first: the copy holds at least that much.
	type mark struct{ inc, watermark int64 }
	var marks []mark
	if err := h.c.Store.Read(ctx, func(r *store.R) error {
		return r.Each("SELECT inc, watermark FROM incarnation", nil, func(rows *stdsql.Rows) error {
			var m mark
			err := rows.Scan(&m.inc, &m.watermark)
			marks = append(marks, m)
			return err
		})
	}); err != nil {
		return nil, err
	}
	path, size, err := h.c.Store.DB().BackupInto(ctx, h.c.Dir, name)
	if err != nil {
		return nil, err
	}
	err = h.c.Store.Write(ctx, func(w *store.W) error {
		var n int64
		if _, err := w.Scan("INSERT INTO backup (name, at) VALUES ($1, $2) RETURNING n", []any{name, w.Clock()}, &n); err != nil {
			return err
		}
		var rows []any
		for _, m := range marks {
			rows = append(rows, n, m.inc, m.watermark)
		}
		_, err := w.Insert("INSERT INTO backup_mark (backup, inc, watermark)", "", 3, rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hq/api: note backup %s: %w", name, err)
	}
	h.c.Inbox.BackedUp()
	out := &branchlinev1.BackupResponse{Path: path, Bytes: size}
	if h.c.Files != nil {
		// After the database: what it names is there then, as far as it had come.
		out.FilesPath, out.Files, out.FileBytes, err = h.c.Files.Backup(path)
	}
	return out, err
}
