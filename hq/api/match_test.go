package api_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/golden"
	"branchline/hq/match"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/serve"
)

// matcher answers as it is told; what the real one answers its own tests say.
type matcher struct {
	g       *rig
	catches int
	asked   []string
	effect  golden.Effect
	list    []golden.Question
	clash   []schema.RecordID
	events  []golden.Event
	why     *golden.Explanation
}

func (m *matcher) note(format string, args ...any) {
	m.asked = append(m.asked, fmt.Sprintf(format, args...))
}

func (m *matcher) Catch(context.Context) error { m.catches++; return nil }

func (m *matcher) Questions(_ context.Context, about *schema.RecordID, after string, limit int) ([]golden.Question, string, int, error) {
	m.note("questions %v %q %d", about, after, limit)
	return m.list, "more", 17, nil
}

func (m *matcher) Explain(_ context.Context, a, b schema.RecordID) (*golden.Explanation, error) {
	if m.why == nil {
		return nil, fmt.Errorf("%s: %w", a, schema.ErrNotFound)
	}
	return m.why, nil
}

func (m *matcher) Links(context.Context, schema.RecordID, []schema.RecordID) ([]match.Step, error) {
	return m.why.Path, nil
}

func (m *matcher) Try(_ context.Context, v branchlinev1.Verdict, a, b []schema.RecordID) (*golden.Effect, error) {
	m.note("try %s %d %d", v, len(a), len(b))
	return &m.effect, nil
}

func (m *matcher) Contradicted(context.Context, *schema.RecordID) ([]schema.RecordID, error) {
	return m.clash, nil
}

func (m *matcher) Events(context.Context, *schema.RecordID, string, int) ([]golden.Event, string, error) {
	return m.events, "", nil
}

func (m *matcher) Models(context.Context) ([]golden.Epoch, error) { return nil, nil }
func (m *matcher) Train(context.Context, int) (*golden.Trained, error) {
	return nil, schema.ErrUnavailable
}
func (m *matcher) Take(context.Context, string) error { return nil }

// customers makes n customers and gives their names.
func (g *rig) customers(c *serve.Client, n int) []string {
	g.t.Helper()
	var out []string
	for i := range n {
		r := must(c.Records.CreateRecord(g.t.Context(), &branchlinev1.CreateRecordRequest{Record: record(g.t, &branchlinev1.Customer{Name: proto.String(fmt.Sprint("Customer ", i))})}))(g.t)
		out = append(out, r.GetName())
	}
	return out
}

func parsed(t *testing.T, name string) schema.RecordID {
	t.Helper()
	_, id, err := schema.ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestDecide_IsWrittenOnceAndWithdrawn(t *testing.T) {
	g := newRig(t)
	c := g.as(steward)
	who := g.customers(c, 4)
	x, y := parsed(t, who[0]), parsed(t, who[1])
	g.match.effect = golden.Effect{After: []golden.Group{{ID: x, Members: []schema.RecordID{x, y}}}}

	dry := must(c.Match.Decide(t.Context(), &branchlinev1.DecideRequest{Verdict: branchlinev1.Verdict_SAME, A: who[:1], B: who[1:2], DryRun: true}))(t)
	if dry.GetDecision() != "" || len(dry.GetGroups()) != 1 || dry.GetGroups()[0].GetId() != who[0] {
		t.Fatalf("dry run: %v", dry)
	}
	if l := must(c.Match.ListDecisions(t.Context(), &branchlinev1.ListDecisionsRequest{}))(t); len(l.GetDecisions()) != 0 {
		t.Fatal("a dry run decided")
	}
	req := &branchlinev1.DecideRequest{Verdict: branchlinev1.Verdict_SAME, A: who[:1], B: who[1:2], Reason: "came in together", RequestId: "r1"}
	first := must(c.Match.Decide(t.Context(), req))(t)
	again := must(c.Match.Decide(t.Context(), req))(t)
	if first.GetDecision() == "" || again.GetDecision() != first.GetDecision() {
		t.Fatalf("a resend decides again: %q, %q", first.GetDecision(), again.GetDecision())
	}
	g.pass(time.Minute)
	cut := must(c.Match.Decide(t.Context(), &branchlinev1.DecideRequest{Verdict: branchlinev1.Verdict_DIFFERENT, A: []string{who[2], who[2], who[0]}, B: who[3:]}))(t)

	l := must(c.Match.ListDecisions(t.Context(), &branchlinev1.ListDecisionsRequest{}))(t)
	if len(l.GetDecisions()) != 2 || l.GetDecisions()[0].GetName() != cut.GetDecision() || l.GetDecisions()[1].GetName() != first.GetDecision() {
		t.Fatalf("decisions, newest first: %v", l.GetDecisions())
	}
	d := l.GetDecisions()[1]
	if m := d.GetMatchDecision(); m.GetVerdict() != branchlinev1.Verdict_SAME || m.GetReason() != "came in together" || len(m.GetA()) != 1 || m.GetA()[0] != x.String() {
		t.Errorf("decision %v", m)
	}
	by := ""
	for _, s := range d.GetSources() {
		if s.GetField() == "verdict" {
			by = s.GetActor()
		}
	}
	if by != "st-hq-steward" {
		t.Errorf("decided by %q", by)
	}
	if m := l.GetDecisions()[0].GetMatchDecision(); len(m.GetA()) != 2 || len(m.GetB()) != 1 {
		t.Errorf("a cut of two, one named twice: %v", m)
	}

	must(c.Match.WithdrawDecision(t.Context(), &branchlinev1.WithdrawDecisionRequest{Name: first.GetDecision(), Reason: "a mistake"}))(t)
	must(c.Match.WithdrawDecision(t.Context(), &branchlinev1.WithdrawDecisionRequest{Name: first.GetDecision()}))(t) // nothing twice
	if l := must(c.Match.ListDecisions(t.Context(), &branchlinev1.ListDecisionsRequest{}))(t); len(l.GetDecisions()) != 1 {
		t.Errorf("%d in force after a withdrawal", len(l.GetDecisions()))
	}
	l = must(c.Match.ListDecisions(t.Context(), &branchlinev1.ListDecisionsRequest{Withdrawn: true, Customer: who[1]}))(t)
	if len(must(c.Match.ListDecisions(t.Context(), &branchlinev1.ListDecisionsRequest{Withdrawn: true}))(t).GetDecisions()) != 2 {
		t.Error("with those withdrawn there are two")
	}
	if len(l.GetDecisions()) != 1 || l.GetDecisions()[0].GetMatchDecision().GetRetiredReason() != "a mistake" || l.GetDecisions()[0].GetMatchDecision().GetRetiredAt() == 0 {
		t.Errorf("withdrawn, about a customer: %v", l.GetDecisions())
	}
	must(c.Match.WithdrawDecision(t.Context(), &branchlinev1.WithdrawDecisionRequest{Name: first.GetDecision(), Undo: true}))(t)
	l = must(c.Match.ListDecisions(t.Context(), &branchlinev1.ListDecisionsRequest{Customer: who[1]}))(t)
	if len(l.GetDecisions()) != 1 || l.GetDecisions()[0].GetMatchDecision().GetRetiredReason() != "" {
		t.Errorf("a withdrawal taken back: %v", l.GetDecisions())
	}

	g.match.clash = []schema.RecordID{parsed(t, cut.GetDecision())}
	l = must(c.Match.ListDecisions(t.Context(), &branchlinev1.ListDecisionsRequest{Contradictory: true}))(t)
	if len(l.GetDecisions()) != 1 || len(l.GetContradictory()) != 1 || l.GetContradictory()[0] != cut.GetDecision() {
		t.Errorf("contradictory: %v", l)
	}
}

// Pages of decisions hold each once, the newest first, those withdrawn between the others.
func TestListDecisions_InPages(t *testing.T) {
	g := newRig(t)
	c := g.as(steward)
	who := g.customers(c, 8)
	var want []string
	for i := range 7 {
		g.pass(time.Second)
		d := must(c.Match.Decide(t.Context(), &branchlinev1.DecideRequest{Verdict: branchlinev1.Verdict_SAME, A: who[i : i+1], B: who[i+1 : i+2]}))(t)
		want = append([]string{d.GetDecision()}, want...)
	}
	for _, i := range []int{0, 3, 4} {
		must(c.Match.WithdrawDecision(t.Context(), &branchlinev1.WithdrawDecisionRequest{Name: want[i]}))(t)
	}
	for _, size := range []int32{1, 2, 3, 7, 50} {
		var got []string
		req := &branchlinev1.ListDecisionsRequest{PageSize: size, Withdrawn: true}
		for {
			l := must(c.Match.ListDecisions(t.Context(), req))(t)
			if len(l.GetDecisions()) > int(size) {
				t.Fatalf("%d on a page of %d", len(l.GetDecisions()), size)
			}
			for _, d := range l.GetDecisions() {
				got = append(got, d.GetName())
			}
			if req.PageToken = l.GetNextPageToken(); req.PageToken == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %q, want %q", size, got, want)
		}
	}
	l := must(c.Match.ListDecisions(t.Context(), &branchlinev1.ListDecisionsRequest{PageSize: 2}))(t)
	_, err := c.Match.ListDecisions(t.Context(), &branchlinev1.ListDecisionsRequest{PageToken: l.GetNextPageToken(), Withdrawn: true})
	wantsField(t, "a token of another list", err, "page_token")
}

func TestDecide_Refuses(t *testing.T) {
	g := newRig(t)
	c := g.as(steward)
	who := g.customers(c, 2)
	same := branchlinev1.Verdict_SAME
	_, err := c.Match.Decide(t.Context(), &branchlinev1.DecideRequest{Verdict: same, A: who, B: who[1:]})
	wantsField(t, "one on both sides", err, "b")
	_, err = c.Match.Decide(t.Context(), &branchlinev1.DecideRequest{A: who[:1], B: who[1:]})
	wants(t, "no verdict", err, schema.ErrInvalid)
	_, err = c.Match.Decide(t.Context(), &branchlinev1.DecideRequest{Verdict: same, A: who[:1], B: []string{"customers/" + g.id().String()}})
	wants(t, "an unknown customer", err, schema.ErrNotFound)
	_, err = c.Match.Decide(t.Context(), &branchlinev1.DecideRequest{Verdict: same, A: who[:1], B: []string{"vehicles/" + g.id().String()}})
	wantsField(t, "a car", err, "b[0]")
	_, err = c.Match.WithdrawDecision(t.Context(), &branchlinev1.WithdrawDecisionRequest{Name: "matchDecisions/" + g.id().String()})
	wants(t, "an unknown decision", err, schema.ErrNotFound)
	_, err = c.Match.Explain(t.Context(), &branchlinev1.ExplainMatchRequest{A: who[0], B: who[0]})
	wantsField(t, "a registration and itself", err, "b")

	made := must(c.Match.Decide(t.Context(), &branchlinev1.DecideRequest{Verdict: same, A: who[:1], B: who[1:]}))(t)
	r := must(c.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: made.GetDecision()}))(t)
	r.GetMatchDecision().Verdict = branchlinev1.Verdict_DIFFERENT.Enum()
	_, err = c.Records.UpdateRecord(t.Context(), &branchlinev1.UpdateRecordRequest{Record: r, UpdateMask: []string{"verdict"}})
	wantsField(t, "another verdict", err, "update_mask")
	_, err = c.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: record(t, r.GetMatchDecision())})
	wantsField(t, "a decision made as any record", err, "record")

	for _, role := range []branchlinev1.Role{auditor, privacy, analyst} {
		_, err := g.as(role).Match.Decide(t.Context(), &branchlinev1.DecideRequest{Verdict: same, A: who[:1], B: who[1:]})
		wants(t, "decided by "+role.String(), err, schema.ErrForbidden)
	}
	_, err = g.as(analyst).Match.ListQuestions(t.Context(), &branchlinev1.ListQuestionsRequest{})
	wants(t, "questions asked by the analyst", err, schema.ErrForbidden)
}

func TestExplain_HidesWhatTheCallerMayNotSee(t *testing.T) {
	g := newRig(t)
	st, au := g.as(steward), g.as(auditor)
	who := g.customers(st, 2)
	a, b := parsed(t, who[0]), parsed(t, who[1])
	said := g.id()
	g.match.why = &golden.Explanation{Said: said, Explanation: match.Explanation{
		Model: "m", Same: true, Score: 321, Decision: "same", Story: "sharers", Odds: -900, Found: true,
		Lines: []match.Evidence{
			{Type: match.Name, A: "陈建国", B: "陳建國", Level: "the same", Weight: 300, Rarity: 700},
			{Type: match.Phone, A: "13900002207", B: "13900002207", Level: "the same", Weight: 900, Rarity: 1500},
			{Type: match.NationalID, A: "abc", B: "abc", Level: "the same", Weight: 900},
			{Type: match.Plate, A: "沪A8K362", B: "", Level: "not compared: one says nothing"},
		},
		Path: []match.Step{{From: a.String(), To: b.String(), Score: 321}},
	}}
	req := &branchlinev1.ExplainMatchRequest{A: who[0], B: b.String()}
	x := must(st.Match.Explain(t.Context(), req))(t)
	if x.GetVerdict() != branchlinev1.Verdict_SAME || x.GetDecision() != "matchDecisions/"+said.String() || x.GetB() != who[1] || x.GetPath()[0].GetTo() != who[1] {
		t.Errorf("explained: %v", x)
	}
	if e := x.GetEvidence(); e[1].GetA() != "13900002207" || e[2].GetA() != "" || e[2].GetWeight() != 900 || e[3].GetA() != "沪A8K362" {
		t.Errorf("the steward sees %v", e)
	}
	if e := must(au.Match.Explain(t.Context(), req))(t).GetEvidence(); e[0].GetA() != "陈建国" || e[1].GetA() != "" || e[1].GetWeight() != 900 || e[1].GetLevel() != "the same" {
		t.Errorf("the auditor sees %v", e)
	}
}

func TestQuestionsAndEvents(t *testing.T) {
	g := newRig(t)
	c := g.as(steward)
	who := g.customers(c, 2)
	a, b := parsed(t, who[0]), parsed(t, who[1])
	g.match.list = []golden.Question{{Question: match.Question{A: a.String(), B: b.String(), Score: 120, Gain: 2500}, First: a, Second: b, GroupA: []schema.RecordID{a}, GroupB: []schema.RecordID{b}, Contradiction: true}}
	r := must(c.Match.ListQuestions(t.Context(), &branchlinev1.ListQuestionsRequest{Customer: who[0], PageSize: 3, PageToken: "t"}))(t)
	if q := r.GetQuestions(); r.GetOpen() != 17 || r.GetNextPageToken() != "more" || len(q) != 1 || q[0].GetA() != who[0] || q[0].GetGroupB()[0] != who[1] || q[0].GetGain() != 2500 || !q[0].GetContradiction() {
		t.Errorf("questions: %v", r)
	}
	if want := fmt.Sprintf("questions %v %q %d", &a, "t", 3); len(g.match.asked) != 1 || g.match.asked[0] != want {
		t.Errorf("asked %q, want %q", g.match.asked, want)
	}
	g.match.events = []golden.Event{{At: 5, Before: []golden.Group{{ID: a, Members: []schema.RecordID{a}}, {ID: b, Members: []schema.RecordID{b}}}, After: []golden.Group{{ID: a, Members: []schema.RecordID{a, b}}}}}
	e := must(c.Match.ListEvents(t.Context(), &branchlinev1.ListMatchEventsRequest{}))(t).GetEvents()
	if len(e) != 1 || len(e[0].GetBefore()) != 2 || e[0].GetAfter()[0].GetId() != who[0] || len(e[0].GetAfter()[0].GetMembers()) != 2 {
		t.Errorf("events: %v", e)
	}
}
