package golden

import (
	"bytes"
	"context"
	stdsql "database/sql"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"

	"branchline/hq/store"
	"branchline/schema"
)

// most is up to where open questions are counted.
const most = 10_000

// Questions gives the open questions, the best first, those about groups that look too
// large before all others; about: only those about the group of this registration. after
// is where the page before ended ("" begins); next is "" at the end; open counts them all,
// to 10,000, those of about where it is given.
func (g *Golden) Questions(ctx context.Context, about *schema.RecordID, after string, limit int) (list []Question, next string, open int, err error) {
	rank, aid, bid, err := readMark(after)
	if err != nil {
		return nil, "", 0, fmt.Errorf("hq/golden: questions: %w", err)
	}
	err = g.st.Read(ctx, func(r *store.R) error {
		rows, err := g.questions(r, about)
		if err != nil {
			return err
		}
		if about == nil {
			if rows, err = g.page(r, rank, aid, bid, limit+1); err != nil {
				return err
			}
			if _, err := r.Scan("SELECT COUNT(*) FROM (SELECT 1 FROM match_question LIMIT $1)", []any{most}, &open); err != nil {
				return err
			}
		} else {
			open = min(len(rows), most)
			if after != "" {
				rows = slices.DeleteFunc(rows, func(q asked) bool { return compareMarks(q, rank, aid, bid) <= 0 })
			}
		}
		if len(rows) > limit {
			rows = rows[:limit]
			last := rows[limit-1]
			next = mark(rankOf(last), last.aid, last.bid)
		}
		for _, q := range rows {
			x := Question{Question: q.Question, First: q.aid, Second: q.bid, Contradiction: q.contradiction, Alarm: q.alarm}
			if x.GroupA, err = groupOf(r, q.aid); err != nil {
				return err
			}
			if x.GroupB, err = groupOf(r, q.bid); err != nil {
				return err
			}
			list = append(list, x)
		}
		return nil
	})
	if err != nil {
		return nil, "", 0, fmt.Errorf("hq/golden: questions: %w", err)
	}
	return list, next, open, nil
}

const questionColumns = "aid, bid, a, b, score, gain, joined, contradiction, alarm"

func scanAsked(out *[]asked) func(*stdsql.Rows) error {
	return func(rows *stdsql.Rows) error {
		var q asked
		var a, b []byte
		if err := rows.Scan(&a, &b, &q.a, &q.b, &q.Score, &q.Gain, &q.Joined, &q.contradiction, &q.alarm); err != nil {
			return fmt.Errorf("read questions: %w", err)
		}
		q.aid, q.bid = schema.RecordID(a), schema.RecordID(b)
		q.A, q.B = q.aid.String(), q.bid.String()
		*out = append(*out, q)
		return nil
	}
}

func (g *Golden) page(r *store.R, rank int64, aid, bid []byte, limit int) ([]asked, error) {
	var out []asked
	err := r.Each("SELECT "+questionColumns+" FROM match_question WHERE (rank, aid, bid) > ($1, $2, $3) ORDER BY rank, aid, bid LIMIT $4", []any{rank, aid, bid, limit}, scanAsked(&out))
	return out, err
}

// questions are all about one record's group, in order.
func (g *Golden) questions(r *store.R, about *schema.RecordID) ([]asked, error) {
	if about == nil {
		return nil, nil
	}
	ids, err := groupOf(r, *about)
	if err != nil {
		return nil, err
	}
	var ns []int64
	if err := r.In("SELECT n FROM record WHERE id", "", idArgs(ids), scanN(&ns)); err != nil {
		return nil, err
	}
	var out []asked
	for _, side := range []string{"a", "b"} {
		if err := r.In("SELECT "+questionColumns+" FROM match_question WHERE "+side, "", anys(ns), scanAsked(&out)); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(x, y asked) int { return compareMarks(x, rankOf(y), y.aid[:], y.bid[:]) })
	return slices.CompactFunc(out, func(x, y asked) bool { return x.aid == y.aid && x.bid == y.bid }), nil
}

func compareMarks(q asked, rank int64, aid, bid []byte) int {
	switch r := rankOf(q); {
	case r != rank:
		if r < rank {
			return -1
		}
		return 1
	case !bytes.Equal(q.aid[:], aid):
		return bytes.Compare(q.aid[:], aid)
	}
	return bytes.Compare(q.bid[:], bid)
}

// mark is where a page of questions ended.
func mark(rank int64, aid, bid schema.RecordID) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(rank))
	return base64.RawURLEncoding.EncodeToString(append(append(b, aid[:]...), bid[:]...))
}

func readMark(s string) (rank int64, aid, bid []byte, err error) {
	if s == "" {
		return -1 << 62, []byte{}, []byte{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != 40 {
		return 0, nil, nil, schema.Invalid("page_token", "is none of this list")
	}
	return int64(binary.BigEndian.Uint64(b)), b[8:24], b[24:], nil
}

// Contradicted are the decisions in force "same" that others keep from holding, and those
// others, by id; about the group of a registration where one is given.
func (g *Golden) Contradicted(ctx context.Context, about *schema.RecordID) ([]schema.RecordID, error) {
	if err := g.ready(ctx); err != nil {
		return nil, err
	}
	var out []schema.RecordID
	err := g.st.Read(ctx, func(r *store.R) error {
		list, err := g.questions(r, about)
		if err == nil && about == nil {
			err = r.Each("SELECT "+questionColumns+" FROM match_question WHERE contradiction = 1", nil, scanAsked(&list))
		}
		if err != nil {
			return err
		}
		var seeds []int64
		for _, q := range list {
			if q.contradiction {
				seeds = append(seeds, q.a, q.b)
			}
		}
		x := g.ground(r, g.inUse.Load(), nil)
		if err := x.collect(seeds); err != nil {
			return err
		}
		if _, err := x.cluster(); err != nil {
			return err
		}
		var ns []int64
		for _, q := range list {
			if q.contradiction {
				ns = append(ns, x.quarrel(x.ids[q.aid], x.ids[q.bid])...)
			}
		}
		out, err = idsOf(r, ns)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hq/golden: contradicted: %w", err)
	}
	return out, nil
}

// quarrel are the decisions that count and of which some make the groups of two members
// one, and others keep them apart: their record numbers.
func (x *ground) quarrel(a, b *member) (out []int64) {
	if a == nil || b == nil {
		return nil
	}
	for k := range x.said {
		w, ok := x.counts(k)
		p, q := x.ids[k[0]], x.ids[k[1]]
		if !ok || w.n == 0 || p == nil || q == nil {
			continue
		}
		crosses := p.group[0] == a.group[0] && q.group[0] == b.group[0] || p.group[0] == b.group[0] && q.group[0] == a.group[0]
		if crosses {
			out = append(out, w.n)
		}
	}
	return out
}

func idsOf(r store.ListReader, ns []int64) ([]schema.RecordID, error) {
	slices.Sort(ns)
	var out []schema.RecordID
	err := r.In("SELECT id FROM record WHERE n", "", anys(slices.Compact(ns)), func(rows *stdsql.Rows) error {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return fmt.Errorf("read ids: %w", err)
		}
		out = append(out, schema.RecordID(b))
		return nil
	})
	slices.SortFunc(out, func(a, b schema.RecordID) int { return bytes.Compare(a[:], b[:]) })
	return out, err
}
