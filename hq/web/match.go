package web

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

const (
	// ahead is how many questions an open page is given at once: the next one is there before the answer is.
	ahead = 4
	// maxNot bounds how many questions a page may say it has.
	maxNot = 1000
	// keepOpen is how long the number of open questions in the rail is shown without asking again.
	keepOpen = 10 * time.Second
)

type matchView struct {
	look.Frame
	Tabs  []pick
	Card  *matchCard
	Open  int64
	May   bool
	Not   string // the questions left for later, as in the address
	Done  *doneNote
	Empty look.Empty
	Found *foundOthers // on the page of any two
}

// doneNote says what was just decided, and offers to take it back.
type doneNote struct {
	Fact, Then string
	Warn       bool
	Decision   string // "": there is nothing to take back
	Undo       bool   // it was withdrawn: taking back restores it
	Next       string // where to be then
}

// matchTabs lead between the pages of who is one customer.
func (a *ask) matchTabs(at string, open int64) []pick {
	return []pick{
		{Text: a.T("match.questions"), Href: "/match", On: at == "questions", Count: int(open)},
		{Text: a.T("match.decisions"), Href: "/match/decisions", On: at == "decisions"},
		{Text: a.T("match.events"), Href: "/match/events", On: at == "events"},
	}
}

// match is the review: one question at a time, that whose answer changes most first.
func (s *Site) match(a *ask) error {
	not := splitNot(a.Query("not"))
	list, open, err := a.questions("", not, 1)
	if err != nil {
		return err
	}
	s.open.set(s.c.Now(), open)
	v := matchView{Frame: a.frame(a.T("match.title"), "match"), Open: open, May: a.May("POST /match"), Not: strings.Join(not, ",")}
	v.Tabs = a.matchTabs("questions", open)
	if len(list) > 0 {
		if v.Card, err = a.card(list[0]); err != nil {
			return err
		}
	} else if v.Empty, err = a.noQuestion(open); err != nil {
		return err
	}
	if v.Done, err = a.doneNote("/match?" + url.Values{"not": {v.Not}}.Encode()); err != nil {
		return err
	}
	return s.pages.match.Render(a.W, a.status, v)
}

// noQuestion says what it means that nothing is asked, and when something last was.
func (a *ask) noQuestion(open int64) (look.Empty, error) {
	if open > 0 {
		return look.Empty{Head: a.T("match.later_head", open), Text: a.T("match.later_text"), Act: &look.Act{Href: "/match", Text: a.T("match.again"), Kind: "go"}}, nil
	}
	e := look.Empty{Head: a.T("match.none_head"), Text: a.T("match.none_text")}
	last, err := a.s.api.Match.ListDecisions(a.R.Context(), &branchlinev1.ListDecisionsRequest{PageSize: 1, Withdrawn: true})
	if err != nil {
		return e, err
	}
	if d := last.GetDecisions(); len(d) > 0 {
		e.Text += " " + a.T("match.none_last", a.when(d[0].GetCreateTime()))
	} else {
		e.Text += " " + a.T("match.none_ever")
	}
	return e, nil
}

// matchNext gives an open page its next questions: those it does not say it has. With pair it gives that one, as it
// is now, if it is still asked; with any also if it is not.
func (s *Site) matchNext(a *ask) error {
	var list []*branchlinev1.MatchQuestion
	var open int64
	var err error
	if x, y, ok := strings.Cut(a.Query("pair"), ","); ok {
		list, open, err = a.questionOf(x, y, a.Query("any") != "")
	} else {
		list, open, err = a.questions("", splitNot(a.Query("not")), ahead)
	}
	if err != nil {
		return err
	}
	v := struct {
		Cards []*matchCard
		Open  int64
	}{Open: open}
	for _, q := range list {
		c, err := a.card(q)
		switch {
		case errors.Is(err, schema.ErrNotFound): // it went while it was being drawn
		case err != nil:
			return err
		default:
			v.Cards = append(v.Cards, c)
		}
	}
	a.W.Header().Set("Cache-Control", "no-store")
	return s.pages.match.Part(a.W, http.StatusOK, "match-next", a.Lang, v)
}

func splitNot(text string) []string {
	out := strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
	return out[:min(len(out), maxNot)]
}

// pairID is a short name of a question, for addresses.
func pairID(q *branchlinev1.MatchQuestion) string {
	h := fnv.New64a()
	_, _ = io.WriteString(h, q.GetA()+" "+q.GetB()) // never fails
	return hex.EncodeToString(h.Sum(nil)[2:])
}

// questions are the first n that are not among those named.
func (a *ask) questions(customer string, not []string, n int) ([]*branchlinev1.MatchQuestion, int64, error) {
	has := make(map[string]bool, len(not))
	for _, x := range not {
		has[x] = true
	}
	req := &branchlinev1.ListQuestionsRequest{Customer: customer, PageSize: int32(min(n+len(not), 200))}
	var out []*branchlinev1.MatchQuestion
	for {
		res, err := a.s.api.Match.ListQuestions(a.R.Context(), req)
		if err != nil {
			return nil, 0, err
		}
		for _, q := range res.GetQuestions() {
			if !has[pairID(q)] && len(out) < n {
				out = append(out, q)
			}
		}
		if req.PageToken = res.GetNextPageToken(); len(out) >= n || req.PageToken == "" {
			return out, int64(res.GetOpen()), nil
		}
	}
}

// questionOf is the question about two registrations. any: also where nothing is asked about them.
func (a *ask) questionOf(x, y string, any bool) ([]*branchlinev1.MatchQuestion, int64, error) {
	res, err := a.s.api.Match.ListQuestions(a.R.Context(), &branchlinev1.ListQuestionsRequest{Customer: x, PageSize: 200})
	if err != nil {
		return nil, 0, err
	}
	all, err := a.s.api.Match.ListQuestions(a.R.Context(), &branchlinev1.ListQuestionsRequest{PageSize: 1})
	if err != nil {
		return nil, 0, err
	}
	open := int64(all.GetOpen())
	for _, q := range res.GetQuestions() {
		if q.GetA() == x && q.GetB() == y || q.GetA() == y && q.GetB() == x {
			return []*branchlinev1.MatchQuestion{q}, open, nil
		}
	}
	if !any {
		return nil, open, nil
	}
	q, err := a.pair(x, y)
	if err != nil {
		return nil, 0, err
	}
	return []*branchlinev1.MatchQuestion{q}, open, nil
}

// pair is a question about two registrations that nobody asked.
func (a *ask) pair(x, y string) (*branchlinev1.MatchQuestion, error) {
	q := &branchlinev1.MatchQuestion{A: x, B: y}
	for _, side := range []struct {
		name string
		to   *[]string
	}{{x, &q.GroupA}, {y, &q.GroupB}} {
		r, err := a.s.api.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: side.name})
		if err != nil {
			return nil, notFound(err)
		}
		*side.to = r.GetGroup()
		if len(*side.to) == 0 {
			*side.to = []string{r.GetName()}
		}
	}
	q.Joined = slices.Contains(q.GetGroupA(), y)
	return q, nil
}

// decide is the form of the verdict. A program gets JSON, a person without scripts the next question.
func (s *Site) decide(a *ask) error {
	verdict, ok := map[string]branchlinev1.Verdict{"same": branchlinev1.Verdict_SAME, "different": branchlinev1.Verdict_DIFFERENT}[a.Form("verdict")]
	if !ok {
		return schema.Invalid("verdict", "%q is neither same nor different", a.Form("verdict"))
	}
	res, err := s.api.Match.Decide(a.R.Context(), &branchlinev1.DecideRequest{
		Verdict: verdict, A: []string{a.Form("a")}, B: []string{a.Form("b")}, Reason: a.Form("reason"), RequestId: a.Form("request"),
	})
	if err != nil {
		return err
	}
	s.open.forget()
	if wantsJSON(a.R) {
		out := struct {
			Decision    string   `json:"decision"`
			Members     []string `json:"members"`
			Contradicts int      `json:"contradicts"`
		}{res.GetDecision(), []string{a.Form("a"), a.Form("b")}, len(res.GetContradicts())}
		for _, g := range res.GetGroups() {
			out.Members = append(out.Members, g.GetMembers()...)
		}
		return sendJSON(a.W, out)
	}
	next := look.SafeNext(a.Form("next"))
	if next == "/" {
		next = "/match"
	}
	return a.GoTo(withDone(next, res.GetDecision()))
}

func withDone(path, decision string) string {
	u, err := url.Parse(path)
	if err != nil {
		return path
	}
	q := u.Query()
	q.Set("done", decision)
	u.RawQuery = q.Encode()
	return u.String()
}

// withdraw takes a decision back, or its withdrawal.
func (s *Site) withdraw(a *ask) error {
	name, undo := a.Form("name"), a.Form("undo") != ""
	_, err := s.api.Match.WithdrawDecision(a.R.Context(), &branchlinev1.WithdrawDecisionRequest{Name: name, Reason: a.Form("reason"), Undo: undo})
	if err != nil {
		return err
	}
	s.open.forget()
	if wantsJSON(a.R) {
		return sendJSON(a.W, struct{}{})
	}
	next := look.SafeNext(a.Form("next"))
	if next == "/" {
		next = "/match/decisions"
	}
	return a.GoTo(withDone(next, name))
}

func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}

func sendJSON(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b) // fails only when the reader has gone
	return nil
}

// doneNote reads the decision that the address says was just made or withdrawn.
func (a *ask) doneNote(next string) (*doneNote, error) {
	name := a.Query("done")
	if name == "" {
		return nil, nil
	}
	r, err := a.s.api.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
	if errors.Is(err, schema.ErrNotFound) || errors.Is(err, schema.ErrInvalid) {
		return nil, nil // an address that somebody made up
	}
	if err != nil {
		return nil, err
	}
	d := r.GetMatchDecision()
	if d == nil {
		return nil, nil
	}
	n := &doneNote{Next: next, Fact: a.T("match.done", a.verdict(d)), Then: a.T("match.done_then")}
	if a.May("POST /match/withdraw") {
		n.Decision = r.GetName()
	}
	if d.GetRetiredAt() > 0 {
		n.Undo, n.Fact, n.Then = true, a.T("match.withdrawn_now"), a.T("match.withdrawn_then")
	}
	return n, nil
}

// verdict is what was decided, in a few words.
func (a *ask) verdict(d *branchlinev1.MatchDecision) string {
	key := "match.said_different"
	switch {
	case d.GetVerdict() == branchlinev1.Verdict_SAME:
		key = "match.said_same"
	case len(d.GetA())+len(d.GetB()) > 2:
		return a.T("match.said_cut", len(d.GetA()), len(d.GetB()))
	}
	return a.T(key)
}

// openCount is the number of open questions, kept for a while: every page shows it.
type openCount struct {
	mu sync.Mutex
	n  int64
	at time.Time
}

func (o *openCount) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at = time.Time{}
}

func (o *openCount) set(now time.Time, n int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n, o.at = n, now
}

func (o *openCount) read(now time.Time, ask func() (int64, error)) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.at.IsZero() && now.Sub(o.at) < keepOpen && !now.Before(o.at) {
		return o.n
	}
	n, err := ask()
	if err != nil {
		return 0 // the page of questions says why
	}
	o.n, o.at = n, now
	return n
}

// openQuestions is the number in the rail.
func (a *ask) openQuestions() int64 {
	return a.s.open.read(a.s.c.Now(), func() (int64, error) {
		res, err := a.s.api.Match.ListQuestions(context.WithoutCancel(a.R.Context()), &branchlinev1.ListQuestionsRequest{PageSize: 1})
		return int64(res.GetOpen()), err
	})
}

// nameOf is what a customer's record is called.
func (a *ask) nameOf(c *branchlinev1.Customer) string {
	return cmp.Or(c.GetName(), a.T("customer.nameless"))
}
