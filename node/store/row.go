package store

import (
	stdsql "database/sql"
	"errors"
	"fmt"
	"strings"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
	"branchline/sync/oplog"
)

// row is a record as its table row has it, without what is computed from shown.
type row struct {
	n      int64
	id     schema.RecordID
	kind   *schema.KindInfo
	home   schema.BranchID
	shared bool
	epoch  schema.EpochID
	rev    schema.Rev
	pass   int64
	base   []byte // nil while nothing is pending, whatever the column still holds
	shown  []byte
	own    int64
	terms  string
	words  int64
}

// rowColumns says of the base whether it counts: folding a page in only removes
// pending rows, and what the column held before then stays behind.
const rowColumns = `n, id, kind, home, shared, epoch, rev, pass, base, base IS NOT NULL AND EXISTS (SELECT 1 FROM pending p WHERE p.n = record.n),
	shown, own, terms, words`

type scanner interface{ Scan(dest ...any) error }

// scanRow reads rowColumns. A kind this program does not know is an error: a
// newer program wrote the file, which Open would have refused.
func scanRow(sc scanner) (*row, error) {
	var r row
	var id []byte
	var kind, shared, pending int64
	var terms stdsql.NullString
	if err := sc.Scan(&r.n, &id, &kind, &r.home, &shared, &r.epoch, &r.rev, &r.pass, &r.base, &pending, &r.shown, &r.own, &terms, &r.words); err != nil {
		return nil, err
	}
	if r.shown == nil {
		r.shown = []byte{} // the driver gives an empty blob as nil
	}
	if pending == 0 {
		r.base = nil
	} else if r.base == nil {
		r.base = []byte{}
	}
	r.shared, r.terms = shared != 0, terms.String
	if r.kind = schema.KindOf(schema.Kind(kind)); r.kind == nil {
		return nil, fmt.Errorf("store: record %x is of the unknown kind %d", id, kind)
	}
	var err error
	r.id, err = schema.RecordIDFromBytes(id)
	return &r, err
}

// find reads a record's row; nil if it is not held here.
func (w *writer) find(id schema.RecordID) (*row, error) {
	r, err := scanRow(w.stmt(w.s.st.find).QueryRowContext(w.ctx, id[:]))
	if errors.Is(err, stdsql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: find %s: %w", id, err)
	}
	return r, nil
}

// messageOf is the shown message's bytes and the latest stamp in an encoded state.
func messageOf(k *schema.KindInfo, enc []byte) ([]byte, schema.Stamp, error) {
	msg, latest, _, err := readState(k, enc, "")
	return msg, latest, err
}

// readState is messageOf, and the edits of own that lost something.
func readState(k *schema.KindInfo, enc []byte, own schema.BranchID) ([]byte, schema.Stamp, []merge.LostValue, error) {
	if msg, ok := merge.FreshMessage(enc); ok {
		st, _ := merge.FreshStamp(enc)
		return msg, st, nil, nil
	}
	s, err := merge.Decode(enc)
	if err != nil {
		return nil, schema.Stamp{}, nil, err
	}
	return s.Fold(k), s.Latest(), s.Lost(k, own), nil
}

const insertColumns = "n, id, kind, home, shared, epoch, rev, pass, base, shown, own, updated, retired, customer, vehicle, ord, day, number, state, terms, words"

const insertArgs = 21

// The statements that insert so many rows. A failed one ends its transaction, so
// it need not be able to undo its first rows (OR FAIL), which saves a journal.
func insertRecord(rows int) string {
	return "INSERT OR FAIL INTO record (" + insertColumns + ") VALUES " + tuples(rows, insertArgs)
}

func insertTerms(rows int) string {
	return "INSERT OR IGNORE INTO term (k, n) VALUES " + tuples(rows, termArgs)
}

func insertWords(rows int) string {
	return "INSERT INTO word (rowid, name, text) VALUES " + tuples(rows, wordArgs)
}

const termArgs, wordArgs = 2, 3

func tuples(rows, args int) string {
	one := "(?" + strings.Repeat(",?", args-1) + ")"
	return one + strings.Repeat(","+one, rows-1)
}

// insert runs one for a row, or many for a chunk of them, over rows of cols values each.
func (w *writer) insert(one, many *stdsql.Stmt, cols int, args []any) error {
	for len(args) > 0 {
		st, n := one, cols
		if len(args) >= chunk*cols {
			st, n = many, chunk*cols
		}
		if _, err := w.stmt(st).ExecContext(w.ctx, args[:n]...); err != nil {
			return err
		}
		args = args[n:]
	}
	return nil
}

const updateRecord = `UPDATE record SET home = $2, shared = $3, epoch = $4, rev = $5, pass = $6, base = $7, shown = $8, own = $9, updated = $10, retired = $11,
	customer = $12, vehicle = $13, ord = $14, day = $15, number = $16, state = $17, terms = $18, words = $19 WHERE n = $1`

// prepared is a row ready to be written: with what shown says.
type prepared struct {
	*row
	facts   facts
	updated int64
	sum     int64
	joined  string // terms, one a line
	lost    []merge.LostValue
}

// prepare reads what the row's shown state says. own is this branch.
func (r *row) prepare(own schema.BranchID) (prepared, error) {
	if r.shown == nil {
		r.shown = []byte{} // nothing was written in it but where its home is
	}
	msg, latest, lost, err := readState(r.kind, r.shown, own)
	if err != nil {
		return prepared{}, fmt.Errorf("store: record %s: %w", r.id, err)
	}
	f := readFacts(r.kind, msg)
	return prepared{row: r, facts: f, updated: latest.At.UnixMilli(), sum: f.found.WordSum(), joined: strings.Join(f.found.Terms, "\n"), lost: lost}, nil
}

func (p *prepared) insertArgs(dst []any) []any {
	f := &p.facts
	return append(dst, p.n, p.id[:], int64(p.kind.Kind), string(p.home), flag(p.shared), int64(p.epoch), int64(p.rev), p.pass, bytesOrNull(p.base), p.shown, p.own,
		p.updated, flag(f.retired), bytesOrNull(f.customer), bytesOrNull(f.vehicle), bytesOrNull(f.order), textOrNull(f.day), textOrNull(f.number), f.stateOrNull(),
		textOrNull(p.joined), p.sum)
}

func (p *prepared) updateArgs() []any {
	f := &p.facts
	return []any{
		p.n, string(p.home), flag(p.shared), int64(p.epoch), int64(p.rev), p.pass, bytesOrNull(p.base), p.shown, p.own, p.updated, flag(f.retired),
		bytesOrNull(f.customer), bytesOrNull(f.vehicle), bytesOrNull(f.order), textOrNull(f.day), textOrNull(f.number), f.stateOrNull(), textOrNull(p.joined), p.sum,
	}
}

func (f *facts) stateOrNull() any {
	if !f.hasState {
		return nil
	}
	return f.state
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func bytesOrNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// insertRow writes a new record and its search entries.
func (w *writer) insertRow(r *row) error {
	p, err := r.prepare(w.m.id.Branch)
	if err != nil {
		return err
	}
	if _, err := w.stmt(w.s.st.insert).ExecContext(w.ctx, p.insertArgs(make([]any, 0, insertArgs))...); err != nil {
		return fmt.Errorf("store: insert %s: %w", r.id, err)
	}
	w.m.hold(r.id)
	if err := w.addTerms(r.n, p.facts.found.Terms); err != nil {
		return err
	}
	if err := w.setLost(r.n, p.lost); err != nil {
		return err
	}
	w.event.record(r.id)
	return w.addWords(&p)
}

// updateRow writes a record that stands in the table, and what changed of its search entries.
func (w *writer) updateRow(r *row) error {
	p, err := r.prepare(w.m.id.Branch)
	if err != nil {
		return err
	}
	return w.updatePrepared(&p)
}

func (w *writer) updatePrepared(p *prepared) error {
	if _, err := w.stmt(w.s.st.update).ExecContext(w.ctx, p.updateArgs()...); err != nil {
		return fmt.Errorf("store: update %s: %w", p.id, err)
	}
	if err := w.setLost(p.n, p.lost); err != nil {
		return err
	}
	w.event.record(p.id)
	if p.joined != p.terms {
		old := lines(p.terms)
		for _, t := range old {
			if !contains(p.facts.found.Terms, t) {
				if _, err := w.stmt(w.s.st.unterm).ExecContext(w.ctx, t, p.n); err != nil {
					return fmt.Errorf("store: unindex %s: %w", p.id, err)
				}
			}
		}
		var fresh []string
		for _, t := range p.facts.found.Terms {
			if !contains(old, t) {
				fresh = append(fresh, t)
			}
		}
		if err := w.addTerms(p.n, fresh); err != nil {
			return err
		}
	}
	if p.sum == p.words {
		return nil
	}
	if p.words != 0 {
		if _, err := w.stmt(w.s.st.unword).ExecContext(w.ctx, p.n); err != nil {
			return fmt.Errorf("store: unindex %s: %w", p.id, err)
		}
	}
	return w.addWords(p)
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func (w *writer) addTerms(n int64, terms []string) error {
	for _, t := range terms {
		if _, err := w.stmt(w.s.st.term).ExecContext(w.ctx, t, n); err != nil {
			return fmt.Errorf("store: index: %w", err)
		}
	}
	return nil
}

func (w *writer) addWords(p *prepared) error {
	if p.sum == 0 {
		return nil
	}
	if _, err := w.stmt(w.s.st.word).ExecContext(w.ctx, p.n, p.facts.found.NameWords(), p.facts.found.TextWords()); err != nil {
		return fmt.Errorf("store: index %s: %w", p.id, err)
	}
	return nil
}

// deleteRow removes a record, its search entries and its pending rows.
func (w *writer) deleteRow(r *row) error {
	for _, t := range lines(r.terms) {
		if _, err := w.stmt(w.s.st.unterm).ExecContext(w.ctx, t, r.n); err != nil {
			return fmt.Errorf("store: unindex %s: %w", r.id, err)
		}
	}
	if r.words != 0 {
		if _, err := w.stmt(w.s.st.unword).ExecContext(w.ctx, r.n); err != nil {
			return fmt.Errorf("store: unindex %s: %w", r.id, err)
		}
	}
	if err := w.setLost(r.n, nil); err != nil {
		return err
	}
	for _, q := range []string{"DELETE FROM pending WHERE n = $1", "DELETE FROM lost_kept WHERE n = $1", "DELETE FROM record WHERE n = $1"} {
		if _, err := w.exec(q, r.n); err != nil {
			return fmt.Errorf("store: delete %s: %w", r.id, err)
		}
	}
	w.event.record(r.id)
	return nil
}

// pendingOf are the record's own changes that its base lacks, in order.
func (w *writer) pendingOf(n int64) ([]pendingRow, error) {
	rows, err := w.tx.QueryContext(w.ctx, "SELECT id, held FROM pending WHERE n = $1 ORDER BY id", n)
	if err != nil {
		return nil, fmt.Errorf("store: pending: %w", err)
	}
	defer rows.Close()
	var out []pendingRow
	for rows.Next() {
		var p pendingRow
		var held int64
		if err := rows.Scan(&p.id, &held); err != nil {
			return nil, fmt.Errorf("store: pending: %w", err)
		}
		p.held = held != 0
		out = append(out, p)
	}
	return out, rows.Err()
}

type pendingRow struct {
	id   int64
	held bool // by an outcome
}

// change reads a change and its body by its row id. An erased change has no body.
func (w *writer) change(id int64) (oplog.Row, *wirev1.ChangeBody, error) {
	no, seq := oplog.SplitRowID(id)
	l := w.m.lifeNo(no)
	if l == nil {
		return oplog.Row{}, nil, fmt.Errorf("store: change %d is of no life kept here: %w", id, schema.ErrNotFound)
	}
	r, err := oplog.One(w.ctx, w.tx, l, w.m.id.Branch, seq)
	if err != nil {
		return r, nil, err
	}
	if r.Erased() {
		return r, nil, nil
	}
	b, err := r.Body()
	return r, b, err
}

// fold is base joined with the pending changes, encoded.
func (w *writer) fold(base []byte, pending []pendingRow) ([]byte, error) {
	s, err := merge.Decode(base)
	if err != nil {
		return nil, err
	}
	for _, p := range pending {
		r, b, err := w.change(p.id)
		if err != nil {
			return nil, err
		}
		if b == nil {
			continue
		}
		c, err := merge.FromChange(oplog.StampOf(r, b), b)
		if err != nil {
			return nil, err
		}
		s = merge.Join(s, c)
	}
	return s.Encode(), nil
}
