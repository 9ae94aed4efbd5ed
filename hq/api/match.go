package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/golden"
	"branchline/hq/inbox"
	"branchline/hq/match"
	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	"branchline/sync/desk"
	"branchline/sync/edit"
)

// matchService is the service's name in the table of rules.
const matchService = "MatchService"

// Matcher answers who is one customer; *golden.Golden says what each method promises.
type Matcher interface {
	Catch(ctx context.Context) error
	Questions(ctx context.Context, about *schema.RecordID, after string, limit int) (list []golden.Question, next string, open int, err error)
	Explain(ctx context.Context, a, b schema.RecordID) (*golden.Explanation, error)
	Links(ctx context.Context, from schema.RecordID, to []schema.RecordID) ([]match.Step, error)
	Try(ctx context.Context, verdict branchlinev1.Verdict, a, b []schema.RecordID) (*golden.Effect, error)
	Contradicted(ctx context.Context, about *schema.RecordID) ([]schema.RecordID, error)
	Events(ctx context.Context, about *schema.RecordID, after string, limit int) (list []golden.Event, next string, err error)
	Models(ctx context.Context) ([]golden.Epoch, error)
	Train(ctx context.Context, show int) (*golden.Trained, error)
	Take(ctx context.Context, version string) error
	Check(ctx context.Context) (*golden.Checked, error)
}

// Match is the MatchService.
type Match struct{ *API }

var _ branchlinev1connect.MatchServiceHandler = (*Match)(nil)

// Match serves branchline.v1.MatchService. Config.Match is required for it.
func (a *API) Match() *Match { return &Match{API: a} }

// customer reads the name of a customer in a field of a request; "" is nil.
func customer(field, name string) (*schema.RecordID, error) {
	if name == "" {
		return nil, nil
	}
	id, err := desk.NameOf(field, name, schema.Customer)
	return &id, err
}

func customerNames(ids []schema.RecordID) []string { return namesOf(schema.Customer, ids) }

func namesOf(k schema.Kind, ids []schema.RecordID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = schema.ResourceName(k, id)
	}
	return out
}

func groupsOf(list []golden.Group) []*branchlinev1.MatchGroup {
	out := make([]*branchlinev1.MatchGroup, len(list))
	for i, g := range list {
		out[i] = &branchlinev1.MatchGroup{Id: schema.ResourceName(schema.Customer, g.ID), Members: customerNames(g.Members)}
	}
	return out
}

// ListQuestions are the open questions, those first whose answer changes most.
func (h *Match) ListQuestions(ctx context.Context, req *branchlinev1.ListQuestionsRequest) (*branchlinev1.ListQuestionsResponse, error) {
	if err := may(ctx, matchService, "ListQuestions"); err != nil {
		return nil, err
	}
	about, err := customer("customer", req.GetCustomer())
	if err != nil {
		return nil, err
	}
	list, next, open, err := h.c.Match.Questions(ctx, about, req.GetPageToken(), pageSize(req.GetPageSize()))
	if err != nil {
		return nil, err
	}
	out := &branchlinev1.ListQuestionsResponse{NextPageToken: next, Open: int32(open)}
	for _, q := range list {
		out.Questions = append(out.Questions, &branchlinev1.MatchQuestion{
			A: schema.ResourceName(schema.Customer, q.First), B: schema.ResourceName(schema.Customer, q.Second),
			Score: int32(q.Score), Joined: q.Joined, Gain: q.Gain, GroupA: customerNames(q.GroupA), GroupB: customerNames(q.GroupB),
			Contradiction: q.Contradiction, Alarm: q.Alarm,
		})
	}
	return out, nil
}

// Explain says why two registrations are one customer or not. What the caller may not
// see of a customer is left out of the evidence; how it compares is not.
func (h *Match) Explain(ctx context.Context, req *branchlinev1.ExplainMatchRequest) (*branchlinev1.MatchExplanation, error) {
	if err := may(ctx, matchService, "Explain"); err != nil {
		return nil, err
	}
	a, err := desk.NameOf("a", req.GetA(), schema.Customer)
	if err != nil {
		return nil, err
	}
	b, err := desk.NameOf("b", req.GetB(), schema.Customer)
	if err != nil {
		return nil, err
	}
	if a == b {
		return nil, schema.Invalid("b", "is the same registration as a: name another")
	}
	x, err := grouped(ctx, h, func() (*golden.Explanation, error) { return h.c.Match.Explain(ctx, a, b) })
	if err != nil {
		return nil, err
	}
	out := &branchlinev1.MatchExplanation{
		A: schema.ResourceName(schema.Customer, a), B: schema.ResourceName(schema.Customer, b), Model: x.Model, Same: x.Same,
		Score: int32(x.Score), Story: x.Story, Odds: int32(x.Odds), Veto: x.Veto, Compared: x.Found,
	}
	switch x.Decision {
	case "same":
		out.Verdict = branchlinev1.Verdict_SAME
	case "different":
		out.Verdict = branchlinev1.Verdict_DIFFERENT
	}
	if !x.Said.IsZero() {
		out.Decision = schema.ResourceName(schema.MatchDecision, x.Said)
	}
	hidden := hiddenTypes(access.CallerFrom(ctx).Roles)
	for _, l := range x.Lines {
		e := &branchlinev1.MatchEvidence{Type: string(l.Type), A: l.A, B: l.B, Level: l.Level, Weight: int32(l.Weight), Rarity: int32(l.Rarity)}
		if hidden(l.Type) {
			e.A, e.B = "", ""
		}
		out.Evidence = append(out.Evidence, e)
	}
	out.Path = steps(x.Path)
	return out, nil
}

// Links are the links on the ways from the first registration to the others, as far as they are one customer, each once.
// schema.ErrForbidden; schema.ErrNotFound: the first is none.
func (h *Match) Links(ctx context.Context, names []string) ([]*branchlinev1.MatchStep, error) {
	if err := may(ctx, matchService, "Explain"); err != nil {
		return nil, err
	}
	var ids []schema.RecordID
	for _, name := range names {
		id, err := desk.NameOf("names", name, schema.Customer)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if len(ids) < 2 {
		return nil, nil
	}
	way, err := grouped(ctx, h, func() ([]match.Step, error) { return h.c.Match.Links(ctx, ids[0], ids[1:]) })
	return steps(way), err
}

func steps(way []match.Step) (out []*branchlinev1.MatchStep) {
	for _, s := range way {
		out = append(out, &branchlinev1.MatchStep{From: customerText(s.From), To: customerText(s.To), Score: int32(s.Score), Said: s.Said})
	}
	return out
}

// customerText is the resource name of a registration that the matcher knows by the text of its id.
func customerText(id string) string {
	if r, err := schema.ParseRecordID(id); err == nil {
		return schema.ResourceName(schema.Customer, r)
	}
	return id
}

// evidenceField is the field of a customer, or of its cars, that a type of evidence is read from.
var evidenceField = map[match.Type]struct {
	kind  schema.Kind
	field string
}{
	match.Name: {schema.Customer, "name"}, match.Phone: {schema.Customer, "phones"}, match.Email: {schema.Customer, "emails"},
	match.Address: {schema.Customer, "addresses"}, match.Birthday: {schema.Customer, "birthday"}, match.Last4: {schema.Customer, "id_last"},
	match.Category: {schema.Customer, "type"}, match.Plate: {schema.Vehicle, "plates"}, match.VIN: {schema.Vehicle, "vin"},
}

// hiddenTypes tells of which evidence somebody with these roles does not see the values.
// A type that is no field's is nobody's to see: the hash of an id says nothing to people.
func hiddenTypes(roles []branchlinev1.Role) func(match.Type) bool {
	hide := access.HideFor(roles)
	return func(t match.Type) bool {
		f, ok := evidenceField[t]
		return !ok || hide(schema.KindOf(f.kind).Field(f.field))
	}
}

// sides reads the two sides of a decision: customers that are known, each on one side.
func (h *Match) sides(ctx context.Context, req *branchlinev1.DecideRequest) (a, b []schema.RecordID, err error) {
	read := func(field string, names []string) ([]schema.RecordID, error) {
		var out []schema.RecordID
		for i, name := range names {
			id, err := desk.NameOf(fmt.Sprintf("%s[%d]", field, i), name, schema.Customer)
			if err != nil {
				return nil, err
			}
			out = append(out, id)
		}
		slices.SortFunc(out, func(x, y schema.RecordID) int { return slices.Compare(x[:], y[:]) })
		return slices.Compact(out), nil
	}
	if a, err = read("a", req.GetA()); err != nil {
		return nil, nil, err
	}
	if b, err = read("b", req.GetB()); err != nil {
		return nil, nil, err
	}
	for _, id := range b {
		if slices.Contains(a, id) {
			return nil, nil, schema.Invalid("b", "%s stands on both sides", id)
		}
	}
	k := schema.KindOf(schema.Customer)
	err = h.c.Store.Read(ctx, func(r *store.R) error {
		for _, id := range slices.Concat(a, b) {
			if _, err := recordOf(r, k, id); err != nil {
				return err
			}
		}
		return nil
	})
	return a, b, err
}

// Decide writes a steward's word down, or says what it would change. Two that contradict
// each other both stand: "different" holds, and the contradiction is shown.
func (h *Match) Decide(ctx context.Context, req *branchlinev1.DecideRequest) (*branchlinev1.DecideResponse, error) {
	if err := may(ctx, matchService, "Decide"); err != nil {
		return nil, err
	}
	k := schema.KindOf(schema.MatchDecision)
	who, err := mayWrite(ctx, k)
	if err != nil {
		return nil, err
	}
	a, b, err := h.sides(ctx, req)
	if err != nil {
		return nil, err
	}
	h.catch(ctx, tryFor)
	effect, err := grouped(ctx, h, func() (*golden.Effect, error) { return h.c.Match.Try(ctx, req.GetVerdict(), a, b) })
	if err != nil {
		return nil, err
	}
	out := &branchlinev1.DecideResponse{Groups: groupsOf(effect.After), Contradicts: namesOf(schema.MatchDecision, effect.Contradicts)}
	if req.GetDryRun() {
		return out, nil
	}
	d := &branchlinev1.MatchDecision{Verdict: req.GetVerdict().Enum(), Reason: proto.String(req.GetReason())}
	for _, id := range a {
		d.A = append(d.A, id.String())
	}
	for _, id := range b {
		d.B = append(d.B, id.String())
	}
	if d.GetReason() == "" {
		d.Reason = nil
	}
	desk.Uniform(d)
	if err := schema.Validate(d); err != nil {
		return nil, err
	}
	if _, err := edit.Create(k, d); err != nil {
		return nil, err
	}
	id, err := h.writeDecision(ctx, req.GetRequestId(), who, d)
	if err != nil {
		return nil, err
	}
	out.Decision = schema.ResourceName(k.Kind, id)
	h.follow(ctx)
	return out, nil
}

// writeDecision commits a decision, or finds the one that this request made before.
func (h *Match) writeDecision(ctx context.Context, request string, who inbox.By, d *branchlinev1.MatchDecision) (schema.RecordID, error) {
	k, rec := schema.KindOf(schema.MatchDecision), h.Records()
	h.desk.Lock()
	defer h.desk.Unlock()
	if id, ok, err := rec.again(ctx, k, madeBy, request); err != nil || ok {
		return id, err
	}
	ids, err := h.c.Inbox.Edit(ctx, inbox.Edit{
		Kind: k.Kind, Values: d, Actor: who.Actor, Role: who.Role,
		Also: func(w *store.W, id schema.RecordID) error { return rec.remember(w, k, madeBy, request, id) },
	})
	if err != nil {
		return schema.RecordID{}, err
	}
	return ids[0], nil
}

// grouped asks the matcher, and once more when it did not know a registration that it has
// not come to yet. It is not waited for otherwise: while much comes in, it is behind.
func grouped[T any](ctx context.Context, h *Match, ask func() (T, error)) (T, error) {
	x, err := ask()
	if !errors.Is(err, schema.ErrNotFound) {
		return x, err
	}
	if err := h.c.Match.Catch(ctx); err != nil {
		return x, err
	}
	return ask()
}

// followFor is how long an answer waits for the groups to follow a decision; tryFor how
// long it waits for them before it says what one would do.
const (
	followFor = 3 * time.Second
	tryFor    = 500 * time.Millisecond
)

// follow has the groups follow a decision before its answer goes out, so that what is
// asked next is asked of them. The decision stands whatever comes of it.
func (h *Match) follow(ctx context.Context) { h.catch(ctx, followFor) }

// catch waits for the groups, but no longer than d.
func (h *Match) catch(ctx context.Context, d time.Duration) {
	ctx, stop := context.WithTimeout(ctx, d)
	defer stop()
	if err := h.c.Match.Catch(ctx); err != nil {
		h.log.Warn("groups are behind", "err", err)
	}
}

// WithdrawDecision takes a decision back, or its withdrawal; one that is as it should be stays so.
func (h *Match) WithdrawDecision(ctx context.Context, req *branchlinev1.WithdrawDecisionRequest) (*branchlinev1.Empty, error) {
	if err := may(ctx, matchService, "WithdrawDecision"); err != nil {
		return nil, err
	}
	id, err := desk.NameOf("name", req.GetName(), schema.MatchDecision)
	if err != nil {
		return nil, err
	}
	if req.GetUndo() && req.GetReason() != "" {
		return nil, schema.Invalid("reason", "is of a withdrawal, which this takes back")
	}
	rec, k := h.Records(), schema.KindOf(schema.MatchDecision)
	for range 3 { // somebody may do the same at the same moment
		r, err := rec.show(ctx, k, id, false)
		if err != nil {
			return nil, err
		}
		if (r.GetMatchDecision().GetRetiredAt() == 0) == req.GetUndo() {
			return &branchlinev1.Empty{}, nil
		}
		d := new(branchlinev1.MatchDecision)
		if !req.GetUndo() {
			d.RetiredAt, d.RetiredReason = proto.Int64(h.c.Now().UnixMilli()), proto.String(req.GetReason())
		}
		u := &branchlinev1.UpdateRecordRequest{Record: &branchlinev1.Record{Name: r.GetName(), Etag: r.GetEtag()}, UpdateMask: []string{"retired_at", "retired_reason"}}
		if err := schema.SetBody(u.Record, d); err != nil {
			return nil, err
		}
		_, err = rec.UpdateRecord(ctx, u)
		if errors.Is(err, schema.ErrConflict) {
			continue
		}
		if err == nil {
			h.follow(ctx)
		}
		return &branchlinev1.Empty{}, err
	}
	return nil, fmt.Errorf("decision %s is changed by others at this moment: %w", id, schema.ErrConflict)
}
