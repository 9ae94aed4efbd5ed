// Package intake is the sending half of an import: it reads a CSV file through a
// map and hands the rows to a node in batches, as ImportRows.
//
// Rules:
//   - What is refused, here or by the node, goes into the rejects file with line,
//     field, value and reason, then the row; everything else goes in.
//   - Nothing is remembered between runs. The node knows the keys it has, so
//     running again after a cut, a crash or a repaired file is the resume.
//   - A key that stands twice in one file with different content is rejected the
//     second time: to skip it would lose a row without a word.
//   - The node says of each row whom of the customers it holds those of the row are like.
//     That is a doubt and holds nothing up.
//   - A batch the node calls malformed is halved until the one bad row is found.
//
// It promises that a row is counted exactly once: left out, done, skipped or
// rejected. It does not promise the order in which rejects of one batch are written
// relative to rows rejected while the batch was filled.
package intake

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/mapfile"
)

// What one request may hold. The API's own limit of rows is the same.
const (
	batchRows  = 500
	batchBytes = 1 << 20
)

// keptWarnings is how many warnings a Result spells out; all are counted.
const keptWarnings = 20

// Send is the node's ImportRows. Its results are one a row, in the order of the rows.
type Send func(context.Context, *branchlinev1.ImportRowsRequest) (*branchlinev1.ImportRowsResponse, error)

// Config says what to take in.
type Config struct {
	// Map has a kind.
	Map *mapfile.Map
	// File is the CSV; the files it joins lie beside it.
	File string
	Send Send
	// DryRun asks the node to judge the rows and store nothing. Rejects are written all the same.
	DryRun bool
	// Rejects is where refused rows go; "" is File with .rejects.csv behind it. It is written anew by
	// every run, and is not there when nothing was refused.
	Rejects string
	// Likes is where the rows go whose customers look like ones that were here before the run; "" is File with
	// .likes.csv behind it. As Rejects, it is written anew and only when there is something to write.
	Likes string
	// Progress is told after every batch and now and then between; nil is nobody.
	Progress func(Progress)
}

// Progress is how far a run has got.
type Progress struct {
	Read, Size int64 // bytes of the file
	Counts
}

// Counts are numbers of rows. Rows = Out + Done + Skipped + Rejected.
type Counts struct {
	Rows     int
	Out      int // left out by where or part
	Done     int
	Skipped  int // in already
	Rejected int
	Warned   int // of those done or skipped: with a warning
	Alike    int // of those done: with a customer who looks like one that was here
}

// Warning is a doubt about a row that was taken.
type Warning struct {
	Line int
	mapfile.Violation
}

// Result is what a run did.
type Result struct {
	Counts
	Encoding string
	// Rejects is the file's path; "" when nothing was refused.
	Rejects string
	// Likes is the file's path; "" when nobody looks like anybody.
	Likes string
	// Warnings are the first few.
	Warnings []Warning
}

// Intake is one import.
type Intake struct {
	cfg Config
}

// New checks a config. It opens nothing.
func New(cfg Config) (*Intake, error) {
	switch {
	case cfg.Map == nil || cfg.Map.Kind == nil:
		return nil, schema.Invalid("map", "says no kind: rows of it cannot be imported")
	case cfg.File == "" || cfg.File == "-":
		return nil, schema.Invalid("file", "is missing: give the path of a CSV file")
	case cfg.Send == nil:
		return nil, errors.New("intake: no Send")
	}
	if cfg.Rejects == "" {
		cfg.Rejects = cfg.File + ".rejects.csv"
	}
	if cfg.Likes == "" {
		cfg.Likes = cfg.File + ".likes.csv"
	}
	for _, x := range []struct{ field, path, other string }{
		{"rejects", cfg.Rejects, cfg.File}, {"likes", cfg.Likes, cfg.File}, {"likes", cfg.Likes, cfg.Rejects},
	} {
		if same, err := samePath(x.path, x.other); err != nil {
			return nil, fmt.Errorf("intake: %w", err)
		} else if same {
			return nil, schema.Invalid(x.field, "must be another file than %s", x.other)
		}
	}
	return &Intake{cfg: cfg}, nil
}

func samePath(a, b string) (bool, error) {
	a, err1 := filepath.Abs(a)
	b, err2 := filepath.Abs(b)
	return a == b, errors.Join(err1, err2)
}

// Run reads the file to its end. With an error, the Result says how far it came, and what was done
// stays done. It blocks until then or until ctx ends.
func (x *Intake) Run(ctx context.Context) (res Result, err error) {
	r, err := x.cfg.Map.Open(os.DirFS(filepath.Dir(x.cfg.File)), filepath.Base(x.cfg.File))
	if err != nil {
		return res, err
	}
	t := &taking{x: x, r: r, seen: map[[16]byte]first{}, made: map[string]bool{}, rejects: rejects(x.cfg.Rejects, r.Columns()), likes: likes(x.cfg.Likes, r.Columns())}
	t.res.Encoding = r.Encoding()
	defer func() {
		err = errors.Join(err, t.rejects.close(), t.likes.close(), r.Close())
		res = t.res
		if t.res.Rejected > 0 {
			res.Rejects = x.cfg.Rejects
		}
		if t.res.Alike > 0 {
			res.Likes = x.cfg.Likes
		}
	}()
	if err := errors.Join(t.rejects.clear(), t.likes.clear()); err != nil {
		return res, err
	}
	return res, t.all(ctx)
}

// taking is one Run.
type taking struct {
	x       *Intake
	r       *mapfile.Reader
	res     Result
	seen    map[[16]byte]first
	made    map[string]bool // customers of this run, by name
	rejects sheet
	likes   sheet

	batch []waiting
	bytes int
}

type waiting struct {
	row  mapfile.Row
	conv mapfile.Converted
}

type first struct {
	line int
	sum  [8]byte
}

func (t *taking) all(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		row, err := t.r.Next()
		if errors.Is(err, io.EOF) {
			return t.flush(ctx)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", t.x.cfg.File, err), t.flush(ctx))
		}
		if err := t.row(ctx, row); err != nil {
			return err
		}
		if t.res.Rows++; t.res.Rows%10_000 == 0 {
			t.tell()
		}
	}
}

func (t *taking) row(ctx context.Context, row mapfile.Row) error {
	switch {
	case row.Bad != nil:
		return t.reject(row, row.Bad)
	case row.Out:
		t.res.Out++
		return nil
	}
	c := t.r.Convert(row)
	if c.Bad != nil {
		return t.reject(row, c.Bad)
	}
	if again, same := t.twice(row, c.Row.GetKey()); again > 0 {
		if same {
			t.res.Skipped++
			return nil
		}
		return t.reject(row, []mapfile.Violation{{
			Field: strings.Join(t.x.cfg.Map.Key, ","), Value: c.Row.GetKey(),
			Reason: fmt.Sprintf("the key stands in line %d already, with other content", again),
		}})
	}
	size := proto.Size(c.Row)
	if len(t.batch) > 0 && (len(t.batch) == batchRows || t.bytes+size > batchBytes) {
		if err := t.flush(ctx); err != nil {
			return err
		}
	}
	t.batch = append(t.batch, waiting{row, c})
	t.bytes += size
	return nil
}

// twice gives the line where the key stood before, and whether that row was the same.
func (t *taking) twice(row mapfile.Row, key string) (line int, same bool) {
	k := sha256.Sum256([]byte(key))
	s := sha256.Sum256([]byte(strings.Join(row.Cells, "\x00")))
	f := first{row.Line, [8]byte(s[:8])}
	if was, ok := t.seen[[16]byte(k[:16])]; ok {
		return was.line, was.sum == f.sum
	}
	t.seen[[16]byte(k[:16])] = f
	return 0, false
}

func (t *taking) flush(ctx context.Context) error {
	if len(t.batch) == 0 {
		return nil
	}
	err := t.send(ctx, t.batch)
	t.batch, t.bytes = t.batch[:0], 0
	t.tell()
	return err
}

func (t *taking) send(ctx context.Context, batch []waiting) error {
	req := &branchlinev1.ImportRowsRequest{Source: t.x.cfg.Map.Source, DryRun: t.x.cfg.DryRun, Likes: true}
	for _, w := range batch {
		req.Rows = append(req.Rows, w.conv.Row)
	}
	resp, err := t.x.cfg.Send(ctx, req)
	if err != nil && malformed(err) {
		if len(batch) == 1 {
			return t.reject(batch[0].row, []mapfile.Violation{{Reason: err.Error()}})
		}
		half := len(batch) / 2
		if err := t.send(ctx, batch[:half]); err != nil {
			return err
		}
		return t.send(ctx, batch[half:])
	}
	if err != nil {
		return fmt.Errorf("lines %d to %d: %w", batch[0].row.Line, batch[len(batch)-1].row.Line, err)
	}
	if len(resp.GetResults()) != len(batch) {
		return fmt.Errorf("intake: the node answered %d rows of %d", len(resp.GetResults()), len(batch))
	}
	for i, w := range batch {
		if err := t.settle(w, resp.GetResults()[i]); err != nil {
			return err
		}
	}
	return nil
}

// malformed tells an answer about the request from one about the node's state.
func malformed(err error) bool {
	if errors.Is(err, schema.ErrInvalid) || errors.Is(err, schema.ErrTooLarge) {
		return true
	}
	ce, ok := errors.AsType[*connect.Error](err)
	return ok && ce.Code() == connect.CodeInvalidArgument
}

func (t *taking) settle(w waiting, r *branchlinev1.ImportResult) error {
	if len(r.GetViolations()) > 0 {
		var bad []mapfile.Violation
		for _, v := range r.GetViolations() {
			bad = append(bad, mapfile.Violation{Field: v.GetField(), Value: t.r.Shown(w.row, v.GetField()), Reason: v.GetReason()})
		}
		return t.reject(w.row, bad)
	}
	if r.GetSkipped() {
		t.res.Skipped++
	} else {
		t.res.Done++
		if err := t.alike(w, r); err != nil {
			return err
		}
	}
	if len(w.conv.Warnings) > 0 {
		t.res.Warned++
		for _, v := range w.conv.Warnings {
			if len(t.res.Warnings) < keptWarnings {
				t.res.Warnings = append(t.res.Warnings, Warning{w.row.Line, v})
			}
		}
	}
	return nil
}

// alike counts a row whose customers are like ones that were here before the run, and
// writes down which: a dry run says the same as the run after it.
func (t *taking) alike(w waiting, r *branchlinev1.ImportResult) error {
	for _, name := range r.GetMade() {
		t.made[name] = true
	}
	list := slices.DeleteFunc(r.GetLikes(), func(l *branchlinev1.ImportLike) bool { return t.made[l.GetRecord()] })
	if len(list) == 0 {
		return nil
	}
	t.res.Alike++
	return t.likes.like(w.row, w.conv.Row.GetKey(), list)
}

func (t *taking) reject(row mapfile.Row, why []mapfile.Violation) error {
	t.res.Rejected++
	return t.rejects.reject(row, why)
}

func (t *taking) tell() {
	if t.x.cfg.Progress != nil {
		read, size := t.r.Progress()
		t.x.cfg.Progress(Progress{Read: read, Size: size, Counts: t.res.Counts})
	}
}
