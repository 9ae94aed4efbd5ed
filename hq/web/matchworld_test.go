package web_test

import (
	"context"
	"fmt"
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Who is one customer, in a made-up headquarters: open questions vanish when they are answered and come back when the
// answer is withdrawn, as the matcher's do.

func said(n int) string { return "matchDecisions/" + schema.RecordID{0: 2, 15: byte(n)}.String() }

// wide makes a record id of a number above 255.
func wide(n int) string { return schema.RecordID{0: 3, 14: byte(n >> 8), 15: byte(n)}.String() }

// twins are registrations that somebody is asked about: one that was typed twice, a couple at one telephone, one that
// stands in a group too large, and one about which two decisions contradict each other.
func (f *fake) twins() {
	at := func(n int, home, name, phone, birthday, tail string) string {
		c := &branchlinev1.Customer{
			Name: new(name), Type: branchlinev1.CustomerType_PERSON.Enum(), Birthday: new(birthday), IdLast: new(tail),
			Addresses: []*branchlinev1.Address{{Region: new("上海市"), City: new("上海市"), District: new("浦东新区"), Street: new("锦绣路 1888 弄 26 号")}},
		}
		if phone != "" {
			c.Phones = phones(phone)
		}
		if birthday == "" {
			c.Birthday = nil
		}
		r := record("customers/"+wide(n), home, c)
		for i, field := range []string{"name", "birthday", "id_last"} {
			r.Sources = append(r.Sources, &branchlinev1.FieldSource{Field: field, Index: -1, Branch: home, Actor: "zm", At: ms("2024-05-0"+fmt.Sprint(i+1), "10:00"), Change: home + "/2s0b9p1q7z3k/5"})
		}
		for _, field := range []string{"phones", "addresses"} {
			r.Sources = append(r.Sources, &branchlinev1.FieldSource{Field: field, Branch: home, Actor: "zm", At: ms("2025-08-12", "10:00"), Change: home + "/2s0b9p1q7z3k/5"})
		}
		f.records = append(f.records, r)
		return r.GetName()
	}
	a := at(1, "pd", "陈建国", "13900002207", "1974-06-08", "0612")
	b := at(2, "ks", "陳建國", "13900002270", "", "0618")
	c := at(3, "hqi", "欧阳丽华", "13817001234", "1980-02-03", "221X")
	d := at(4, "hqi", "李志强", "13817001234", "1979-11-30", "0031")
	e := at(5, "sj", "Nguyễn Thị Minh Khai-Müller", "15000000001", "1991-01-31", "")
	g := at(6, "nt", "Nguyen Thi Minh Khai Mueller", "15000000001", "1991-01-13", "4410")
	var crowd []string
	for i := range 14 {
		crowd = append(crowd, at(20+i, []string{"pd", "sj", "jd", "sz"}[i%4], "张伟", "13800138000", "", ""))
	}
	f.questions = []*branchlinev1.MatchQuestion{
		{A: crowd[0], B: crowd[9], Score: 110, Joined: true, Gain: 40_000, GroupA: crowd, GroupB: crowd, Alarm: true},
		{A: c, B: d, Score: -140, Gain: 9_000, GroupA: []string{c, chen, chen2}, GroupB: []string{d}, Contradiction: true},
		{A: a, B: b, Score: 320, Gain: 2_000, GroupA: []string{a}, GroupB: []string{b}},
		{A: e, B: g, Score: -30, Gain: 500, GroupA: []string{e}, GroupB: []string{g}},
	}
	decision := func(n int, at int64, d *branchlinev1.MatchDecision) {
		r := record(said(n), "hq", d)
		r.CreateTime = at
		r.Sources = []*branchlinev1.FieldSource{{Field: "verdict", Index: -1, Branch: "hq", Actor: "zl", At: at}}
		if d.RetiredAt != nil {
			r.Sources = append(r.Sources, &branchlinev1.FieldSource{Field: "retired_at", Index: -1, Branch: "hq", Actor: "zl", At: d.GetRetiredAt()})
		}
		f.decisions = append(f.decisions, r)
		f.records = append(f.records, r)
	}
	decision(1, ms("2026-10-08", "16:20"), &branchlinev1.MatchDecision{Verdict: branchlinev1.Verdict_SAME.Enum(), A: []string{wide(3)}, B: []string{id(1)}, Reason: new("本人来店，出示了证件")})
	decision(2, ms("2026-11-20", "09:05"), &branchlinev1.MatchDecision{
		Verdict: branchlinev1.Verdict_DIFFERENT.Enum(), A: []string{wide(3)}, B: []string{id(1)}, RetiredAt: new(ms("2026-11-21", "10:01")), RetiredReason: new("弄错了"),
	})
	decision(3, ms("2026-11-21", "10:30"), &branchlinev1.MatchDecision{Verdict: branchlinev1.Verdict_DIFFERENT.Enum(), A: []string{wide(20), wide(21), wide(22), wide(23), wide(24)}, B: []string{wide(30), wide(31)}})
}

// many are n open questions about pairs that have nothing to do with one another.
func (f *fake) many(n int) {
	f.questions = nil
	for i := range n {
		x, y := 1000+2*i, 1001+2*i
		for _, k := range []int{x, y} {
			r := record("customers/"+wide(k), []string{"pd", "ks"}[k%2], &branchlinev1.Customer{Name: new(fmt.Sprintf("顾客%d", k)), Phones: phones(fmt.Sprintf("139%08d", k))})
			f.records = append(f.records, r)
		}
		a, b := "customers/"+wide(x), "customers/"+wide(y)
		f.questions = append(f.questions, &branchlinev1.MatchQuestion{A: a, B: b, Score: 50, Gain: int64(1000 - i), GroupA: []string{a}, GroupB: []string{b}})
	}
}

func ids(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n[len("customers/"):]
	}
	return out
}

// answered tells whether a decision in force is about just this pair.
func (f *fake) answered(q *branchlinev1.MatchQuestion) bool {
	return slices.ContainsFunc(f.decisions, func(r *branchlinev1.Record) bool {
		d := r.GetMatchDecision()
		return d.GetRetiredAt() == 0 && slices.Equal(d.GetA(), ids([]string{q.GetA()})) && slices.Equal(d.GetB(), ids([]string{q.GetB()}))
	})
}

func (f *fake) ListQuestions(_ context.Context, req *branchlinev1.ListQuestionsRequest) (*branchlinev1.ListQuestionsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &branchlinev1.ListQuestionsResponse{}
	from := 0
	if _, err := fmt.Sscan(req.GetPageToken(), &from); err != nil && req.GetPageToken() != "" {
		return nil, schema.Invalid("page_token", "no such")
	}
	seen := 0
	for _, q := range f.questions {
		if f.answered(q) {
			continue
		}
		if c := req.GetCustomer(); c != "" && !slices.Contains(q.GetGroupA(), c) && !slices.Contains(q.GetGroupB(), c) {
			continue
		}
		out.Open++
		if seen++; seen > from && len(out.GetQuestions()) < int(req.GetPageSize()) {
			out.Questions = append(out.Questions, q)
		} else if seen > from && out.NextPageToken == "" {
			out.NextPageToken = fmt.Sprint(seen - 1)
		}
	}
	return out, nil
}

func (f *fake) Explain(_ context.Context, req *branchlinev1.ExplainMatchRequest) (*branchlinev1.MatchExplanation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, b := f.find(req.GetA()), f.find(req.GetB())
	if a == nil || b == nil {
		return nil, fmt.Errorf("%s: %w", req.GetA(), schema.ErrNotFound)
	}
	x := &branchlinev1.MatchExplanation{A: req.GetA(), B: req.GetB(), Model: "m1", Score: 320, Story: "strangers", Odds: -1500, Compared: true}
	for _, q := range f.questions {
		if q.GetA() == x.GetA() && q.GetB() == x.GetB() {
			x.Score, x.Same = q.GetScore(), q.GetJoined()
		}
	}
	add := func(typ, p, q, level string, weight, rarity int32) {
		x.Evidence = append(x.Evidence, &branchlinev1.MatchEvidence{Type: typ, A: p, B: q, Level: level, Weight: weight, Rarity: rarity})
	}
	p, q := a.GetCustomer(), b.GetCustomer()
	switch {
	case p.GetName() == q.GetName():
		add("name", p.GetName(), q.GetName(), "the same", 180, 610)
	case x.GetScore() < -100:
		add("name", p.GetName(), q.GetName(), "nothing in common", -900, 0)
		x.Story, x.Veto = "sharers", true
	default:
		add("name", p.GetName(), q.GetName(), "the same by sound", 260, 700)
	}
	phone := func(c *branchlinev1.Customer) string {
		if len(c.GetPhones()) == 0 {
			return ""
		}
		return c.GetPhones()[0].GetNumber()
	}
	if phone(p) == phone(q) {
		add("phone", phone(p), phone(q), "the same", 1100, 1530)
	} else {
		add("phone", phone(p), phone(q), "nearly the same", 430, 0)
	}
	add("birthday", p.GetBirthday(), q.GetBirthday(), map[bool]string{true: "one slip", false: noLevel}[p.GetBirthday() != "" && q.GetBirthday() != ""], 90, 0)
	add("last4", p.GetIdLast(), q.GetIdLast(), map[bool]string{true: "different", false: noLevel}[p.GetIdLast() != "" && q.GetIdLast() != ""], -560, 0)
	add("address", "锦绣路 1888 弄 26 号", "锦绣路 1888 弄 26 号", "the same", 30, 900)
	add("national_id", "", "", noLevel, 0, 0)
	add("vin", "LSVCZ6C40P2031877", "LSVCZ6C40P2031877; LFV3A23C8D3000001", "the same", 820, 1600)
	add("plate", "", "沪A8K362", noLevel, 0, 0)
	if g := f.golden[x.GetA()]; g != nil && slices.Contains(g.GetGroup(), x.GetB()) {
		x.Same = true
		x.Path = []*branchlinev1.MatchStep{{From: x.GetA(), To: x.GetB(), Score: 840}}
	}
	if x.GetSame() && len(x.GetPath()) == 0 {
		x.Path = []*branchlinev1.MatchStep{{From: x.GetA(), To: "customers/" + wide(23), Score: 110}, {From: "customers/" + wide(23), To: x.GetB(), Said: true}}
	}
	return x, nil
}

const noLevel = "not compared: one says nothing"

func (f *fake) Decide(_ context.Context, req *branchlinev1.DecideRequest) (*branchlinev1.DecideResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range slices.Concat(req.GetA(), req.GetB()) {
		if f.find(n) == nil {
			return nil, fmt.Errorf("%s: %w", n, schema.ErrNotFound)
		}
	}
	out := &branchlinev1.DecideResponse{Groups: []*branchlinev1.MatchGroup{{Id: req.GetA()[0], Members: req.GetA()}, {Id: req.GetB()[0], Members: req.GetB()}}}
	if req.GetVerdict() == branchlinev1.Verdict_SAME {
		out.Groups = []*branchlinev1.MatchGroup{{Id: req.GetA()[0], Members: slices.Concat(req.GetA(), req.GetB())}}
	}
	if req.GetDryRun() && req.GetA()[0] == "customers/"+wide(3) { // where decisions contradict each other
		out.Groups = nil
	}
	if req.GetDryRun() {
		out.Contradicts = []string{said(1)}
		return out, nil
	}
	if f.lost > 0 {
		f.lost--
		return nil, fmt.Errorf("no answer: %w", schema.ErrUnavailable)
	}
	if name := f.requests[req.GetRequestId()]; name != "" {
		out.Decision = name
		return out, nil
	}
	r := record(said(50+len(f.decisions)), "hq", &branchlinev1.MatchDecision{Verdict: req.GetVerdict().Enum(), A: ids(req.GetA()), B: ids(req.GetB()), Reason: new(req.GetReason())})
	r.CreateTime = now().UnixMilli()
	f.decisions, f.records = append(f.decisions, r), append(f.records, r)
	if f.requests == nil {
		f.requests = map[string]string{}
	}
	if req.GetRequestId() != "" {
		f.requests[req.GetRequestId()] = r.GetName()
	}
	out.Decision = r.GetName()
	return out, nil
}

func (f *fake) WithdrawDecision(_ context.Context, req *branchlinev1.WithdrawDecisionRequest) (*branchlinev1.Empty, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.find(req.GetName())
	if r.GetMatchDecision() == nil {
		return nil, fmt.Errorf("%s: %w", req.GetName(), schema.ErrNotFound)
	}
	r.GetMatchDecision().RetiredAt = nil
	if !req.GetUndo() {
		r.GetMatchDecision().RetiredAt = new(now().UnixMilli())
	}
	return &branchlinev1.Empty{}, nil
}

func (f *fake) ListDecisions(_ context.Context, req *branchlinev1.ListDecisionsRequest) (*branchlinev1.ListDecisionsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &branchlinev1.ListDecisionsResponse{}
	for _, r := range slices.Backward(f.decisions) {
		d := r.GetMatchDecision()
		clash := r.GetName() == said(1)
		if d.GetRetiredAt() > 0 && !req.GetWithdrawn() || req.GetContradictory() && !clash {
			continue
		}
		if c := req.GetCustomer(); c != "" && !slices.Contains(slices.Concat(d.GetA(), d.GetB()), c[len("customers/"):]) {
			continue
		}
		if len(out.GetDecisions()) == int(req.GetPageSize()) {
			out.NextPageToken = "t"
			break
		}
		out.Decisions = append(out.Decisions, clone(r))
		if clash {
			out.Contradictory = append(out.Contradictory, r.GetName())
		}
	}
	return out, nil
}

func (f *fake) ListEvents(_ context.Context, req *branchlinev1.ListMatchEventsRequest) (*branchlinev1.ListMatchEventsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.questions) == 0 {
		return &branchlinev1.ListMatchEventsResponse{}, nil
	}
	one := &branchlinev1.MatchGroup{Id: chen, Members: []string{chen, chen2}}
	return &branchlinev1.ListMatchEventsResponse{Events: []*branchlinev1.MatchEvent{
		{At: ms("2026-11-21", "09:41"), Before: []*branchlinev1.MatchGroup{{Id: chen, Members: []string{chen}}, {Id: chen2, Members: []string{chen2}}}, After: []*branchlinev1.MatchGroup{one}},
		{At: ms("2026-11-19", "14:02"), Before: []*branchlinev1.MatchGroup{one}, After: []*branchlinev1.MatchGroup{{Id: chen, Members: []string{chen}}, {Id: chen2, Members: []string{chen2}}}},
	}}, nil
}
