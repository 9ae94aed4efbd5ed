package link

import (
	"testing"

	"pgregory.net/rapid"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

func TestJudgeGate_EveryRow(t *testing.T) {
	open := GateFacts{BranchMin: 1, BranchMax: 1, HQMin: 1, HQMax: 1}
	with := func(edit func(*GateFacts)) GateFacts { f := open; edit(&f); return f }
	all := GateFacts{true, true, true, true, 9, 9, 1, 1}
	for _, row := range []struct {
		name string
		f    GateFacts
		want wirev1.Gate
	}{
		{"revoked outranks all", all, wirev1.Gate_REFUSED},
		{"replaced outranks probe and schema", with(func(f *GateFacts) { f.Replaced, f.OtherBoot, f.BranchMax = true, true, 0 }), wirev1.Gate_SALVAGE},
		{"retired", with(func(f *GateFacts) { f.Retired = true }), wirev1.Gate_SALVAGE},
		{"clone outranks schema", with(func(f *GateFacts) { f.OtherBoot, f.BranchMin, f.BranchMax = true, 2, 2 }), wirev1.Gate_READ_ONLY},
		{"branch too new", with(func(f *GateFacts) { f.BranchMin, f.BranchMax = 2, 3 }), wirev1.Gate_LOCAL_ONLY},
		{"branch too old", with(func(f *GateFacts) { f.HQMin, f.HQMax = 2, 3 }), wirev1.Gate_LOCAL_ONLY},
		{"ranges touch", with(func(f *GateFacts) { f.BranchMax, f.HQMin, f.HQMax = 2, 2, 5 }), wirev1.Gate_OPEN},
		{"open", open, wirev1.Gate_OPEN},
	} {
		got, why := JudgeGate(row.f)
		if got != row.want {
			t.Errorf("%s: %v (%s), want %v", row.name, got, why, row.want)
		}
		if (why == "") != (got == wirev1.Gate_OPEN) {
			t.Errorf("%s: %v with reason %q", row.name, got, why)
		}
	}
}

func line(ids ...int64) []*wirev1.Epoch {
	var out []*wirev1.Epoch
	for i, id := range ids {
		e := &wirev1.Epoch{Id: id, BirthRev: int64(i * 100)}
		if i > 0 {
			e.Parent = ids[i-1]
		}
		out = append(out, e)
	}
	return out
}

func TestJudgeLine_EveryRow(t *testing.T) {
	const inc = schema.Incarnation(7)
	marks := map[schema.Incarnation]schema.Seq{inc: 50}
	word := func(mark schema.Seq, epoch schema.EpochID, rev schema.Rev) []Word {
		return []Word{{inc, mark, epoch, rev}}
	}
	for _, row := range []struct {
		name string
		f    LineFacts
		want wirev1.Line
		lost schema.EpochID
	}{
		{"nothing held", LineFacts{Current: inc, Ours: line(1), Marks: marks}, wirev1.Line_SAME, 0},
		{"all in order", LineFacts{Signed: word(50, 2, 120), Current: inc, Claimed: 50, Theirs: line(1, 2), Ours: line(1, 2), Rev: 120, Marks: marks}, wirev1.Line_SAME, 0},
		{"HQ restarted since", LineFacts{Signed: word(40, 2, 200), Current: inc, Claimed: 40, Theirs: line(1, 2), Ours: line(1, 2, 3), Rev: 500, Marks: marks}, wirev1.Line_SAME, 0},
		{"claim beyond HQ without receipt", LineFacts{Current: inc, Claimed: 51, Ours: line(1), Marks: marks}, wirev1.Line_FALSE_ACK, 0},
		{"forged receipt beyond HQ", LineFacts{Unsigned: word(51, 1, 1), Current: inc, Ours: line(1), Marks: marks}, wirev1.Line_FALSE_ACK, 0},
		{"forged receipt below HQ is nothing", LineFacts{Unsigned: word(50, 1, 1), Current: inc, Ours: line(1), Marks: marks}, wirev1.Line_SAME, 0},
		{"false ack outranks superseded", LineFacts{Unsigned: word(51, 1, 1), Current: inc, Theirs: line(1, 2), Ours: line(1), Marks: marks}, wirev1.Line_FALSE_ACK, 0},
		{"a child of the running epoch exists", LineFacts{Current: inc, Theirs: line(1, 2, 3), Ours: line(1, 2), Rev: 150, Marks: marks}, wirev1.Line_SUPERSEDED, 0},
		{"a grandchild, signed receipt of it", LineFacts{Signed: word(90, 4, 900), Current: inc, Claimed: 90, Theirs: line(1, 2, 3, 4), Ours: line(1, 2), Rev: 150, Marks: marks}, wirev1.Line_SUPERSEDED, 0},
		{"restored before epoch 3", LineFacts{Current: inc, Theirs: line(1, 2, 3), Ours: line(1, 2, 9), Rev: 300, Marks: marks}, wirev1.Line_RESTORED, 3},
		{"signed watermark HQ lacks", LineFacts{Signed: word(60, 2, 150), Current: inc, Claimed: 60, Theirs: line(1, 2), Ours: line(1, 2, 9), Rev: 300, Marks: marks}, wirev1.Line_RESTORED, 2},
		{"signed rev HQ lacks", LineFacts{Signed: word(50, 2, 201), Current: inc, Claimed: 50, Theirs: line(1, 2), Ours: line(1, 2, 9), Rev: 300, Marks: marks}, wirev1.Line_RESTORED, 2},
		{"receipt of an unknown epoch, line lost", LineFacts{Signed: word(50, 8, 1), Current: inc, Ours: line(1, 2), Rev: 300, Marks: marks}, wirev1.Line_RESTORED, 8},
	} {
		got := JudgeLine(row.f)
		if got.Line != row.want || got.Lost != row.lost {
			t.Errorf("%s: %v lost %d (%s), want %v lost %d", row.name, got.Line, got.Lost, got.Reason, row.want, row.lost)
		}
	}
}

func TestGoodCursor_EveryRow(t *testing.T) {
	ours := line(1, 2, 3) // births 0, 100, 200
	for _, row := range []struct {
		name  string
		epoch schema.EpochID
		rev   schema.Rev
		seen  schema.Rev
		want  bool
	}{
		{"none", 0, 0, 0, false},
		{"running epoch", 3, 250, 250, true},
		{"beyond HQ", 3, 251, 0, false},
		{"ancestor, at its end", 2, 200, 0, true},
		{"ancestor, beyond its end", 2, 201, 0, false},
		{"unknown epoch", 9, 10, 0, false},
		{"below what was confirmed", 3, 240, 241, false},
	} {
		if got := GoodCursor(CursorFacts{row.epoch, row.rev, row.seen, ours, 250}); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

func TestJudgeLife_EveryRow(t *testing.T) {
	yes := func(s ...schema.Seq) map[schema.Seq]bool {
		m := map[schema.Seq]bool{}
		for _, q := range s {
			m[q] = true
		}
		return m
	}
	no := func(m map[schema.Seq]bool, s ...schema.Seq) map[schema.Seq]bool {
		for _, q := range s {
			m[q] = false
		}
		return m
	}
	for _, row := range []struct {
		name string
		f    LifeFacts
		want wirev1.Resume
		from schema.Seq
		ask  int
	}{
		{"unknown, uncertified", LifeFacts{Last: 5}, wirev1.Resume_REFUSE, 0, 0},
		{"unknown, uncertified, re-enrolment open", LifeFacts{Last: 5, ReEnrol: true}, wirev1.Resume_ADOPT, 0, 0},
		{"frozen", LifeFacts{Certified: true, Known: true, Frozen: true, Last: 5, Mark: 5, Equal: yes(5)}, wirev1.Resume_FORKED, 5, 0},
		{"frozen and uncertified is still forked", LifeFacts{Known: true, Frozen: true, Last: 5, Mark: 5, Equal: yes(5)}, wirev1.Resume_FORKED, 5, 0},
		{"says restored, nothing else to see", LifeFacts{Certified: true, Known: true, Restored: true, Last: 9, Mark: 5, Equal: yes(5)}, wirev1.Resume_FORKED, 5, 0},
		{"says restored, certified, forgotten at HQ", LifeFacts{Certified: true, Restored: true, Last: 9}, wirev1.Resume_FORKED, 0, 0},
		{"HQ below the cut", LifeFacts{Certified: true, Known: true, Last: 9, Cut: 6, Mark: 5}, wirev1.Resume_REBUILD, 5, 0},
		{"HQ forgot it, all of it was cut", LifeFacts{Certified: true, Last: 9, Cut: 6}, wirev1.Resume_REBUILD, 0, 0},
		{"HQ at the cut", LifeFacts{Certified: true, Known: true, Last: 9, Cut: 5, Mark: 5, Equal: yes(5)}, wirev1.Resume_CONTINUE, 6, 0},
		{"shorter than HQ, a prefix", LifeFacts{Certified: true, Known: true, Last: 5, Mark: 8, Equal: yes(5)}, wirev1.Resume_FORKED, 5, 0},
		{"shorter than HQ, hash not yet known", LifeFacts{Certified: true, Known: true, Last: 5, Mark: 8}, 0, 0, 5},
		{"longer, hash at the mark not yet known", LifeFacts{Certified: true, Known: true, Last: 9, Mark: 5}, 0, 0, 1},
		{"longer, hash differs at the mark", LifeFacts{Certified: true, Known: true, Last: 9, Mark: 5, Equal: no(yes(3), 5, 4)}, wirev1.Resume_FORKED, 3, 0},
		{"longer, fork to be searched", LifeFacts{Certified: true, Known: true, Last: 9, Mark: 5, Equal: no(yes(1), 5)}, 0, 0, 3},
		{"forked below the cut", LifeFacts{Certified: true, Known: true, Last: 9, Cut: 3, Mark: 5, Equal: no(yes(), 3, 5)}, wirev1.Resume_REBUILD, 0, 0},
		{"continue", LifeFacts{Certified: true, Known: true, Last: 9, Mark: 5, Equal: yes(5)}, wirev1.Resume_CONTINUE, 6, 0},
		{"nothing new", LifeFacts{Certified: true, Known: true, Last: 5, Mark: 5, Equal: yes(5)}, wirev1.Resume_CONTINUE, 6, 0},
		{"forgotten by HQ, certified", LifeFacts{Certified: true, Last: 9}, wirev1.Resume_CONTINUE, 1, 0},
		{"new", LifeFacts{Certified: true, Known: true}, wirev1.Resume_CONTINUE, 1, 0},

		{"former, HQ restored to before it", LifeFacts{Former: true, Certified: true, Last: 9}, wirev1.Resume_CONTINUE, 1, 0},
		{"former, frozen, HQ misses some", LifeFacts{Former: true, Certified: true, Known: true, Frozen: true, Last: 9, Mark: 5, Equal: yes(5)}, wirev1.Resume_CONTINUE, 6, 0},
		{"former, hash not yet known", LifeFacts{Former: true, Certified: true, Known: true, Frozen: true, Last: 9, Mark: 5}, 0, 0, 1},
		{"former, HQ has it all and more", LifeFacts{Former: true, Certified: true, Known: true, Frozen: true, Last: 5, Mark: 9, Equal: yes(5)}, wirev1.Resume_CONTINUE, 10, 0},
		{"former, HQ has more, of another way", LifeFacts{Former: true, Certified: true, Known: true, Frozen: true, Last: 5, Mark: 9, Equal: no(yes(3), 4, 5)}, wirev1.Resume_FORKED, 3, 0},
		{"former, went another way", LifeFacts{Former: true, Certified: true, Known: true, Frozen: true, Last: 9, Mark: 5, Equal: no(yes(), 5)}, 0, 0, 4},
		{"former, went another way from the start", LifeFacts{Former: true, Certified: true, Known: true, Frozen: true, Last: 9, Mark: 1, Equal: no(yes(), 1)}, wirev1.Resume_FORKED, 0, 0},
		{"former, went another way below the cut", LifeFacts{Former: true, Certified: true, Known: true, Frozen: true, Last: 9, Cut: 4, Mark: 5, Equal: no(yes(), 4, 5)}, wirev1.Resume_REBUILD, 0, 0},
		{"former, forgotten at the branch", LifeFacts{Former: true, Certified: true, Last: 9, Cut: 3}, wirev1.Resume_REBUILD, 0, 0},
		{"former, never issued", LifeFacts{Former: true, Last: 9}, wirev1.Resume_REBUILD, 0, 0},
		{"former, never issued, re-enrolment open", LifeFacts{Former: true, ReEnrol: true, Last: 9}, wirev1.Resume_CONTINUE, 1, 0},
		{"former, never issued, re-enrolment open, its beginning forgotten", LifeFacts{Former: true, ReEnrol: true, Last: 9, Cut: 3}, wirev1.Resume_REBUILD, 0, 0},
	} {
		got := JudgeLife(row.f)
		if got.Resume != row.want || got.From != row.from || len(got.Ask) != row.ask {
			t.Errorf("%s: %v from %d ask %v (%s), want %v from %d ask %d", row.name, got.Resume, got.From, got.Ask, got.Reason, row.want, row.from, row.ask)
		}
	}
}

// Whatever the lengths, the cut and the place where the two parted, a few rounds
// of asking end with the greatest seq that both have alike.
func TestJudgeLife_FindsTheFork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fork := rapid.IntRange(0, 5_000_000).Draw(t, "fork")
		mine := fork + rapid.IntRange(0, 3000).Draw(t, "mine")
		hqs := fork + rapid.IntRange(0, 3000).Draw(t, "hqs")
		cut := rapid.IntRange(0, fork).Draw(t, "cut")
		f := LifeFacts{
			Certified: true, Known: true, Restored: rapid.Bool().Draw(t, "restored"),
			Last: schema.Seq(mine), Mark: schema.Seq(hqs), Cut: schema.Seq(cut), Equal: map[schema.Seq]bool{},
		}
		tell := func(s schema.Seq) {
			if s <= f.Mark {
				f.Equal[s] = s <= schema.Seq(fork)
			}
		}
		tell(f.Last)
		tell(f.Cut)
		for round := 0; ; round++ {
			out := JudgeLife(f)
			if len(out.Ask) == 0 {
				switch {
				case f.Mark < f.Cut:
					t.Fatalf("cut above fork was not drawn")
				case hqs == fork && !f.Restored && (out.Resume != wirev1.Resume_CONTINUE || out.From != f.Mark+1),
					(hqs != fork || f.Restored) && (out.Resume != wirev1.Resume_FORKED || out.From != schema.Seq(fork)):
					t.Fatalf("%v from %d", out.Resume, out.From)
				}
				return
			}
			if round > 7 || len(out.Ask) > maxAsk {
				t.Fatalf("round %d asks %v", round, out.Ask)
			}
			for _, s := range out.Ask {
				if s < f.Cut || s > f.Mark || s > f.Last {
					t.Fatalf("asks %d out of reach", s)
				}
				tell(s)
			}
		}
	})
}
