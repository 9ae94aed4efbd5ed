package inbox

import (
	stdsql "database/sql"
	"fmt"

	"branchline/hq/store"
	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

// A record's home is a function of who made it and of the moves HQ knows, not of
// the order they came in: from the maker on, each home in turn hands the record to
// whom its next move names. Moves come late, twice, or, at an HQ that was put back,
// those of the second home before those of the first.

// mayWrite judges the author against the record. What HQ may not know yet (a
// home that moved) is no reason to refuse: such a change waits.
func (r *run) mayWrite(d *draft, it *item) (verdict, error) {
	if d.kind.Kind != schema.Kind(it.body.GetKind()) || d.old != nil && d.old.Kind != d.kind.Kind {
		return quarantine("the record is of another kind"), nil
	}
	author := it.branch.Num
	if author == store.HQNum || author == d.rec.Home || d.rec.Created == 0 {
		return applied, nil
	}
	homeOnly := d.kind.Write == optionsv1.Write_WRITE_HOME || it.body.GetNewHome() != ""
	for _, f := range d.kind.Fields {
		if f.HomeOnly && !homeOnly {
			homeOnly = writes(it.body, f.Number)
		}
	}
	if !homeOnly {
		return applied, nil
	}
	if b := it.body; len(b.GetValues()) == 0 && len(b.GetNames()) == 0 {
		if to := r.i.st.Branch(schema.BranchID(b.GetNewHome())); to != nil && to.Num == d.rec.Home {
			return applied, nil // it leads where the record is: whoever made it is lost here
		}
	}
	// A former home's changes below the seq at which it gave the home away are good whenever they come.
	var was, after bool
	err := r.w.Each("SELECT inc, seq, at FROM home WHERE record = $1 AND branch = $2 AND inc <> 0", []any{d.id[:], author}, func(rows *stdsql.Rows) error {
		var inc, seq, at int64
		if err := rows.Scan(&inc, &seq, &at); err != nil {
			return fmt.Errorf("hq/inbox: read homes: %w", err)
		}
		was = true
		// By its time too: what is offered once more, the move itself even, comes under a later seq.
		after = after || inc == int64(it.id.Inc) && int64(it.id.Seq) > seq && int64(it.at) > at
		return nil
	})
	if err != nil {
		return verdict{}, err
	}
	switch {
	case was && after:
		// It may have got the home back since by a change that headquarters has lost.
		return quarantine(reasonHome), nil
	case was:
		return applied, nil
	}
	return quarantine(reasonHome), nil
}

const reasonHome = "the record's home is elsewhere, as far as headquarters knows"

func writes(b *wirev1.ChangeBody, field int32) bool {
	for _, n := range b.GetNames() {
		if int32(n.GetField()) == field {
			return true
		}
	}
	st, err := merge.FromChange(schema.Stamp{Branch: "xx"}, b)
	return err == nil && len(st.Entries(field)) > 0
}

// made notes that the item's author made the record: it is its first home.
func (r *run) made(d *draft, it *item) error {
	d.rec.Home = it.branch.Num
	if d.old == nil && it == d.items[0] {
		return nil
	}
	if _, err := r.w.Exec("UPDATE home SET moved = $1 WHERE record = $2 AND inc = 0", it.branch.Num, d.id[:]); err != nil {
		return err
	}
	return r.settleHome(d)
}

// home carries a move of the record's home out.
func (r *run) home(d *draft, it *item) error {
	if it.body.GetNewHome() == "" {
		return nil
	}
	to := r.i.st.Branch(schema.BranchID(it.body.GetNewHome()))
	if to == nil {
		return nil
	}
	// The first row says where the record began. While nobody is known to have made it, that is whoever wrote first.
	if _, err := r.w.Exec("INSERT INTO home (record, branch, inc, seq, moved) VALUES ($1, $2, 0, 0, $2) ON CONFLICT DO NOTHING", d.id[:], d.rec.Home); err != nil {
		return err
	}
	by := it.branch.Num
	if by == store.HQNum {
		by = d.rec.Home // by force, from whoever has it
	}
	s := it.stamp()
	if _, err := r.w.Exec("INSERT INTO home (record, branch, inc, seq, moved, at, edit_inc, edit_seq) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
		d.id[:], by, int64(it.id.Inc), int64(it.id.Seq), to.Num, int64(s.At), int64(s.Inc), int64(s.Seq)); err != nil {
		return err
	}
	return r.settleHome(d)
}

// settleHome finds the record's home from all its moves.
func (r *run) settleHome(d *draft) error {
	type edit struct{ inc, seq int64 }
	seen := map[edit]bool{}
	moves := map[int32][]int32{} // by whom, to whom, in the order they were made
	at := d.rec.Home
	if err := r.w.Each("SELECT branch, inc, moved, edit_inc, edit_seq FROM home WHERE record = $1 ORDER BY at, edit_inc, edit_seq", []any{d.id[:]}, func(rows *stdsql.Rows) error {
		var by, to int32
		var inc int64
		var e edit
		if err := rows.Scan(&by, &inc, &to, &e.inc, &e.seq); err != nil {
			return fmt.Errorf("hq/inbox: read homes: %w", err)
		}
		switch {
		case inc == 0:
			at = to
		case !seen[e]: // another copy of a move moves nothing
			seen[e] = true
			moves[by] = append(moves[by], to)
		}
		return nil
	}); err != nil {
		return err
	}
	for len(moves[at]) > 0 {
		from := at
		at, moves[from] = moves[from][0], moves[from][1:]
	}
	if at != d.rec.Home {
		d.rec.Home = at
		r.moved = append(r.moved, d.id)
	}
	return nil
}
