package workshop

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"branchline/node/act"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
)

// as is somebody of the branch by their staff code.
func (r *rig) as(who string, roles ...branchlinev1.Role) context.Context {
	return access.With(r.t.Context(), access.Caller{Account: strings.ToLower(who), Staff: who, Roles: roles})
}

// jobCar takes a car in with lines of labour that the customer has said yes to.
func (r *rig) jobCar(state branchlinev1.OrderState, lines int) (order schema.RecordID, ids []schema.RecordID) {
	r.t.Helper()
	order = r.create(&branchlinev1.ServiceOrder{
		Number: proto.String("PDa-261122-0001-K"), Branch: proto.String("pd"), Day: proto.String("2026-11-22"), OpenedAt: proto.Int64(r.now.UnixMilli()),
		Plate: proto.String("沪A52H17"), State: state.Enum(),
	})
	for i := range lines {
		ids = append(ids, r.jobLine(order, &branchlinev1.ServiceLine{Position: proto.Int32(int32(i + 1)), Item: proto.String("换机油"), State: branchlinev1.LineState_LINE_APPROVED.Enum()}))
	}
	return order, ids
}

func (r *rig) jobLine(order schema.RecordID, l *branchlinev1.ServiceLine) schema.RecordID {
	r.t.Helper()
	l.Order, l.Branch = act.Ref(order), proto.String("pd")
	if l.Kind == nil {
		l.Kind = branchlinev1.LineKind_LABOUR.Enum()
	}
	return r.create(l)
}

func (r *rig) staff(code, name string) {
	r.t.Helper()
	r.create(&branchlinev1.Staff{Code: &code, Name: &name, Branches: []string{"pd"}, Roles: []branchlinev1.Role{technician}})
}

func (r *rig) after(d time.Duration) { r.now = r.now.Add(d) }

func (r *rig) clock(who string, line schema.RecordID, on, done bool) error {
	_, err := r.Clock(r.as(who, technician), &branchlinev1.ClockRequest{Line: line.String(), On: on, Done: done})
	return err
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) wantInvalid(err error, say string) {
	r.t.Helper()
	if !errors.Is(err, schema.ErrInvalid) || !strings.Contains(err.Error(), say) {
		r.t.Errorf("want %q, got %v", say, err)
	}
}

func (r *rig) orderNow(id schema.RecordID) *branchlinev1.ServiceOrder {
	return r.get(id).GetServiceOrder()
}

func (r *rig) lineNow(id schema.RecordID) *branchlinev1.ServiceLine {
	return r.get(id).GetServiceLine()
}

func (r *rig) wantState(id schema.RecordID, want branchlinev1.OrderState, by string) {
	r.t.Helper()
	o := r.orderNow(id)
	var last *branchlinev1.StateChange
	for _, s := range o.GetStates() {
		if last == nil || s.GetAt() >= last.GetAt() {
			last = s
		}
	}
	if o.GetState() != want || last.GetState() != want || last.GetBy() != by {
		r.t.Errorf("the order is %s, last dated %v; want %s by %s", o.GetState(), last, want, by)
	}
}

func TestClock_fromTheFirstHandToTheQualityCheck(t *testing.T) {
	r := newRig(t)
	order, lines := r.jobCar(branchlinev1.OrderState_APPROVED, 2)
	part := r.jobLine(order, &branchlinev1.ServiceLine{Kind: branchlinev1.LineKind_PART.Enum(), Item: proto.String("机油"), State: branchlinev1.LineState_LINE_APPROVED.Enum()})
	r.must(r.clock("LQ", lines[0], true, false))
	r.wantState(order, branchlinev1.OrderState_IN_WORK, "LQ")
	if l := r.lineNow(lines[0]); l.GetTechnician() != "LQ" || openOf(l, "LQ") == nil {
		t.Errorf("the line was not begun: %v", l)
	}
	r.after(30 * time.Minute)
	r.must(r.clock("LQ", lines[1], true, false)) // ends the other
	if l := r.lineNow(lines[0]); openOf(l, "LQ") != nil || l.GetClockedMinutes() != 30 {
		t.Errorf("beginning the second did not end the first: %v", l)
	}
	r.must(r.clock("WF", lines[1], true, false)) // two at one line
	r.after(20 * time.Minute)
	_, err := r.Clock(r.as("LQ", technician), &branchlinev1.ClockRequest{Line: lines[1].String(), Done: true, Cause: "衬套受损", Correction: "更换"})
	r.must(err)
	l := r.lineNow(lines[1])
	if l.GetState() != branchlinev1.LineState_LINE_DONE || l.GetCause() != "衬套受损" || l.GetCorrection() != "更换" || l.GetClockedMinutes() != 40 || openOf(l, "WF") != nil {
		t.Errorf("done by two: %v", l)
	}
	r.wantState(order, branchlinev1.OrderState_IN_WORK, "LQ")
	r.must(r.clock("LQ", lines[0], false, true)) // without another beginning
	r.wantState(order, branchlinev1.OrderState_QUALITY_CHECK, "LQ")
	if got := r.lineNow(part).GetState(); got != branchlinev1.LineState_LINE_DONE {
		t.Errorf("the part is %s when its work is done", got)
	}
}

func TestClock_whatStandsStillIsRefusedWithWhatToDo(t *testing.T) {
	r := newRig(t)
	order, _ := r.jobCar(branchlinev1.OrderState_IN_WORK, 1)
	extra := r.jobLine(order, &branchlinev1.ServiceLine{Item: proto.String("传感器"), State: branchlinev1.LineState_LINE_PROPOSED.Enum(), Extra: proto.Bool(true)})
	no := r.jobLine(order, &branchlinev1.ServiceLine{Item: proto.String("制动片"), State: branchlinev1.LineState_LINE_DECLINED.Enum(), DeclinedReason: proto.String("下次")})
	r.wantInvalid(r.clock("LQ", extra, true, false), "ask the adviser for the customer's yes first")
	r.wantInvalid(r.clock("LQ", extra, false, true), "ask the adviser for the customer's yes first")
	r.wantInvalid(r.clock("LQ", no, true, false), "the customer has said no to it")
	for _, id := range []schema.RecordID{extra, no} {
		if l := r.lineNow(id); len(l.GetClockings()) > 0 || l.GetState() == branchlinev1.LineState_LINE_DONE {
			t.Errorf("it was worked on: %v", l)
		}
	}
	_, err := r.Clock(r.as("LQ", technician), &branchlinev1.ClockRequest{Line: extra.String(), Technician: "WF", On: true})
	r.wantInvalid(err, "an adviser or a manager clocks for another")
}

func TestClock_onceHoweverOftenItIsPressed(t *testing.T) {
	r := newRig(t)
	_, lines := r.jobCar(branchlinev1.OrderState_APPROVED, 1)
	on := &branchlinev1.ClockRequest{Line: lines[0].String(), On: true, RequestId: "a"}
	for range 2 {
		_, err := r.Clock(r.as("LQ", technician), on)
		r.must(err)
	}
	r.must(r.clock("LQ", lines[0], true, false)) // another tab
	r.after(10 * time.Minute)
	off := &branchlinev1.ClockRequest{Line: lines[0].String(), RequestId: "b"}
	_, err := r.Clock(r.as("LQ", technician), off)
	r.must(err)
	_, err = r.Clock(r.as("LQ", technician), on) // the first comes late, once more
	r.must(err)
	if l := r.lineNow(lines[0]); len(l.GetClockings()) != 1 || l.GetClockedMinutes() != 10 || openOf(l, "LQ") != nil {
		t.Errorf("pressed twice: %v", l)
	}
}

// However technicians begin, end and finish: each is at one line at most, and what is clocked is the sum of what has ended.
func TestClock_law(t *testing.T) {
	r := newRig(t)
	rapid.Check(t, func(rt *rapid.T) {
		var lines []schema.RecordID
		for range rapid.IntRange(1, 3).Draw(rt, "cars") {
			_, some := r.jobCar(branchlinev1.OrderState_APPROVED, 2)
			lines = append(lines, some...)
		}
		who := rapid.SampledFrom([]string{"LQ", "WF", "wf"}) // two codes that differ in a capital are two people
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			r.after(time.Duration(rapid.IntRange(0, 600).Draw(rt, "seconds")) * time.Second)
			line, on := rapid.SampledFrom(lines).Draw(rt, "line"), rapid.Bool().Draw(rt, "on")
			if err := r.clock(who.Draw(rt, "who"), line, on, !on && rapid.Bool().Draw(rt, "done")); err != nil {
				rt.Fatal(err)
			}
			open := map[string]int{}
			for _, id := range lines {
				l := r.lineNow(id)
				var sum time.Duration
				for _, c := range l.GetClockings() {
					if c.GetUntil() == 0 {
						open[c.GetTechnician()]++
					} else {
						sum += time.Duration(c.GetUntil()-c.GetFrom()) * time.Millisecond
					}
				}
				if got := time.Duration(l.GetClockedMinutes()) * time.Minute; got != sum.Round(time.Minute) {
					rt.Fatalf("%s is clocked with %v, worked on for %v: %v", id, got, sum, l.GetClockings())
				}
				if l.GetState() == branchlinev1.LineState_LINE_DONE && clockedOn(l) {
					rt.Fatalf("somebody is at a line that is done: %v", l)
				}
			}
			for who, n := range open {
				if n > 1 {
					rt.Fatalf("%s is at %d lines", who, n)
				}
			}
		}
		for _, id := range lines { // the next run begins with nobody at work
			for _, who := range []string{"LQ", "WF", "wf"} {
				if err := r.clock(who, id, false, false); err != nil {
					rt.Fatal(err)
				}
			}
		}
	})
}

func TestCorrectClock_aForgottenClockIsShownAndPutRight(t *testing.T) {
	r := newRig(t)
	_, lines := r.jobCar(branchlinev1.OrderState_APPROVED, 1)
	r.must(r.clock("LQ", lines[0], true, false))
	from := r.lineNow(lines[0]).GetClockings()[0].GetFrom()
	work := func(ctx context.Context) *branchlinev1.ListWorkResponse {
		t.Helper()
		out, err := r.ListWork(ctx, &branchlinev1.ListWorkRequest{})
		r.must(err)
		return out
	}
	if got := work(r.as("LQ", technician)).GetForgotten(); len(got) != 0 {
		t.Errorf("forgotten on its own day: %v", got)
	}
	r.after(22 * time.Hour)
	for _, x := range []struct {
		ctx  context.Context
		want int
	}{{r.as("LQ", technician), 1}, {r.as("WF", technician), 0}, {r.as("ZM", adviser), 1}} {
		if got := work(x.ctx).GetForgotten(); len(got) != x.want {
			t.Errorf("%v is shown %v", access.CallerFrom(x.ctx).Staff, got)
		}
	}
	fix := func(until time.Duration, reason string) error {
		_, err := r.CorrectClock(r.as("ZM", adviser), &branchlinev1.CorrectClockRequest{
			Line: lines[0].String(), Technician: "LQ", From: from, Until: from + until.Milliseconds(), Reason: reason,
		})
		return err
	}
	r.wantInvalid(fix(-time.Hour, "x"), "is before the work began")
	r.wantInvalid(fix(30*time.Hour, "x"), "has not come yet")
	r.must(fix(5*time.Hour, "忘了打卡"))
	l := r.lineNow(lines[0])
	if c := l.GetClockings(); len(c) != 1 || c[0].GetReason() != "忘了打卡" || c[0].GetBy() != "ZM" || l.GetClockedMinutes() != 300 {
		t.Errorf("put right: %v", l)
	}
	if got := work(r.as("ZM", adviser)).GetForgotten(); len(got) != 0 {
		t.Errorf("still forgotten: %v", got)
	}
	_, err := r.CorrectClock(r.as("ZM", adviser), &branchlinev1.CorrectClockRequest{Line: lines[0].String(), Technician: "WF", From: from, Until: from + 1, Reason: "x"})
	if !errors.Is(err, schema.ErrConflict) {
		t.Errorf("a clocking that is not there: %v", err)
	}
}

func TestAssign_andWhatATechnicianHasToDo(t *testing.T) {
	r := newRig(t)
	r.staff("LQ", "李强")
	r.staff("WF", "吴凡")
	r.create(&branchlinev1.Staff{Code: proto.String("HG"), Branches: []string{"hg"}, Roles: []branchlinev1.Role{technician}})
	order, lines := r.jobCar(branchlinev1.OrderState_APPROVED, 3)
	r.jobLine(order, &branchlinev1.ServiceLine{Kind: branchlinev1.LineKind_PART.Enum(), Item: proto.String("机油"), State: branchlinev1.LineState_LINE_APPROVED.Enum()})
	no := r.jobLine(order, &branchlinev1.ServiceLine{Item: proto.String("制动片"), State: branchlinev1.LineState_LINE_DECLINED.Enum(), DeclinedReason: proto.String("下次")})
	quoted, _ := r.jobCar(branchlinev1.OrderState_QUOTED, 0) // nobody takes up what the customer is being asked about
	r.jobLine(quoted, &branchlinev1.ServiceLine{Item: proto.String("大修"), State: branchlinev1.LineState_LINE_PROPOSED.Enum()})
	_, err := r.Assign(r.by(adviser), &branchlinev1.AssignRequest{Order: order.String(), Technician: "XX"})
	r.wantInvalid(err, "is nobody of this branch")
	_, err = r.Assign(r.by(adviser), &branchlinev1.AssignRequest{Order: order.String(), Technician: "LQ", Bay: "3"})
	r.must(err)
	if o := r.orderNow(order); o.GetTechnician() != "LQ" || o.GetBay() != "3" || r.lineNow(lines[2]).GetTechnician() != "LQ" || r.lineNow(no).GetTechnician() != "" {
		t.Errorf("given as a whole: %v", o)
	}
	seen := &branchlinev1.SeenLine{Line: schema.ResourceName(schema.ServiceLine, lines[1]), Etag: r.get(lines[1]).GetEtag()}
	give := func(who string) error {
		_, err := r.Assign(r.by(adviser), &branchlinev1.AssignRequest{Order: order.String(), Technician: who, Lines: []*branchlinev1.SeenLine{seen}})
		return err
	}
	r.must(give("WF"))
	if err := give(""); !errors.Is(err, schema.ErrConflict) || r.lineNow(lines[1]).GetTechnician() != "WF" {
		t.Errorf("a second desk took away what was given meanwhile: %v", err)
	}
	_, err = r.Assign(r.by(adviser), &branchlinev1.AssignRequest{Order: order.String(), Lines: []*branchlinev1.SeenLine{{Line: lines[2].String()}}})
	r.must(err)

	r.must(r.clock("LQ", lines[0], true, false))
	out, err := r.ListWork(r.as("LQ", technician), &branchlinev1.ListWorkRequest{})
	r.must(err)
	var got []string
	for _, l := range out.GetLines() {
		got = append(got, act.Bare(l.GetLine().GetName())+" "+l.GetLine().GetServiceLine().GetTechnician())
	}
	want := []string{lines[0].String() + " LQ", lines[2].String() + " "}
	if strings.Join(got, ",") != strings.Join(want, ",") || act.Bare(out.GetOpen()) != lines[0].String() || out.GetLines()[0].GetCar().GetBay() != "3" {
		t.Errorf("LQ has %v to do, open %s; want %v", got, out.GetOpen(), want)
	}
	hands, err := r.ListTechnicians(r.by(adviser), &branchlinev1.ListTechniciansRequest{})
	r.must(err)
	var told []string
	for _, x := range hands.GetTechnicians() {
		told = append(told, x.String())
	}
	if len(hands.GetTechnicians()) != 2 || hands.GetTechnicians()[1].GetLines() != 1 || !hands.GetTechnicians()[1].GetWorking() || hands.GetTechnicians()[0].GetLines() != 1 {
		t.Errorf("the technicians are %v", told)
	}
}

func TestListWork_hasNoPricesNorNames(t *testing.T) {
	r := newRig(t)
	owner := r.create(&branchlinev1.Customer{Name: proto.String("王芳")})
	order := r.create(&branchlinev1.ServiceOrder{
		Customer: act.Ref(owner), Branch: proto.String("pd"), Day: proto.String("2026-11-22"), State: branchlinev1.OrderState_APPROVED.Enum(),
	})
	r.jobLine(order, &branchlinev1.ServiceLine{Item: proto.String("x"), State: branchlinev1.LineState_LINE_APPROVED.Enum(), Amount: proto.Int64(12_300)})
	for role, sees := range map[branchlinev1.Role]bool{technician: false, adviser: true} {
		out, err := r.ListWork(r.as("LQ", role), &branchlinev1.ListWorkRequest{})
		r.must(err)
		text := out.String()
		if len(out.GetLines()) != 1 || strings.Contains(text, "王芳") != sees || strings.Contains(text, "12300") != sees {
			t.Errorf("%s is told %s", role, text)
		}
	}
}

func TestCheck_sendsBackWhatFailedAndCounts(t *testing.T) {
	r := newRig(t)
	order, lines := r.jobCar(branchlinev1.OrderState_APPROVED, 2)
	r.must(r.clock("LQ", lines[0], false, true))
	r.must(r.clock("LQ", lines[1], false, true))
	seen := func(id schema.RecordID) *branchlinev1.SeenLine {
		return &branchlinev1.SeenLine{Line: schema.ResourceName(schema.ServiceLine, id), Etag: r.get(id).GetEtag()}
	}
	check := func(who string, checks ...*branchlinev1.LineCheck) error {
		_, err := r.Check(r.as(who, technician), &branchlinev1.CheckRequest{Order: order.String(), Lines: checks})
		return err
	}
	r.wantInvalid(check("WF", &branchlinev1.LineCheck{Line: seen(lines[0])}), "say why")
	old := seen(lines[1])
	r.must(check("WF", &branchlinev1.LineCheck{Line: seen(lines[0]), Passed: true}, &branchlinev1.LineCheck{Line: seen(lines[1]), Reason: "有渗油"}))
	r.wantState(order, branchlinev1.OrderState_IN_WORK, "WF")
	if l := r.lineNow(lines[1]); l.GetState() != branchlinev1.LineState_LINE_APPROVED || len(l.GetChecks()) != 1 || l.GetChecks()[0].GetReason() != "有渗油" || l.GetChecks()[0].GetBy() != "WF" {
		t.Errorf("what failed: %v", l)
	}
	if err := check("ZM", &branchlinev1.LineCheck{Line: old, Passed: true}); !errors.Is(err, schema.ErrConflict) {
		t.Errorf("a second desk judged what had gone back: %v", err)
	}
	r.must(r.clock("LQ", lines[1], true, false))
	r.must(r.clock("LQ", lines[1], false, true))
	r.wantState(order, branchlinev1.OrderState_QUALITY_CHECK, "LQ")
	r.must(check("WF", &branchlinev1.LineCheck{Line: seen(lines[1]), Passed: true}))
	r.wantState(order, branchlinev1.OrderState_READY, "WF")
	if l := r.lineNow(lines[1]); len(l.GetChecks()) != 2 || l.GetState() != branchlinev1.LineState_LINE_DONE {
		t.Errorf("passed in the end: %v", l)
	}
}

// A part that a check sends back is somebody's work, though parts are nobody's otherwise.
func TestCheck_aPartThatFailedIsToBeDone(t *testing.T) {
	r := newRig(t)
	order, lines := r.jobCar(branchlinev1.OrderState_APPROVED, 1)
	part := r.jobLine(order, &branchlinev1.ServiceLine{Kind: branchlinev1.LineKind_PART.Enum(), Item: proto.String("大灯"), State: branchlinev1.LineState_LINE_APPROVED.Enum()})
	r.must(r.clock("LQ", lines[0], false, true))
	_, err := r.Check(r.by(adviser), &branchlinev1.CheckRequest{Order: order.String(), Lines: []*branchlinev1.LineCheck{
		{Line: &branchlinev1.SeenLine{Line: lines[0].String()}, Passed: true}, {Line: &branchlinev1.SeenLine{Line: part.String()}, Reason: "装错型号"},
	}})
	r.must(err)
	out, err := r.ListWork(r.as("WF", technician), &branchlinev1.ListWorkRequest{})
	r.must(err)
	if len(out.GetLines()) != 1 || act.Bare(out.GetLines()[0].GetLine().GetName()) != part.String() {
		t.Errorf("to do is %v", out)
	}
	r.must(r.clock("WF", part, false, true))
	r.wantState(order, branchlinev1.OrderState_QUALITY_CHECK, "WF")
}

func TestStep_everyStateButThoseThatTakeMore(t *testing.T) {
	r := newRig(t)
	order, lines := r.jobCar(branchlinev1.OrderState_RECEIVED, 1)
	step := func(s branchlinev1.OrderState, edit ...func(*branchlinev1.StepRequest)) error {
		q := &branchlinev1.StepRequest{Order: order.String(), State: s}
		for _, f := range edit {
			f(q)
		}
		_, err := r.Step(r.by(adviser), q)
		return err
	}
	for _, s := range []branchlinev1.OrderState{branchlinev1.OrderState_READY, branchlinev1.OrderState_DIAGNOSING, branchlinev1.OrderState_WAITING_INSURER, branchlinev1.OrderState_BOOKED} {
		r.must(step(s))
		r.wantState(order, s, "LI")
	}
	r.wantInvalid(step(0), "is no state of an order")
	r.wantInvalid(step(branchlinev1.OrderState_SETTLED), "an order is settled payer by payer")
	r.wantInvalid(step(branchlinev1.OrderState_CANCELLED), "say why")
	stale := r.get(order).GetEtag()
	r.must(r.clock("LQ", lines[0], true, false))
	if err := step(branchlinev1.OrderState_READY, func(q *branchlinev1.StepRequest) { q.Etag = stale }); !errors.Is(err, schema.ErrConflict) {
		t.Errorf("a second desk moved what had moved: %v", err)
	}
	r.after(6 * time.Minute)
	r.must(step(branchlinev1.OrderState_CANCELLED, func(q *branchlinev1.StepRequest) { q.Reason = "客户不修了" }))
	if o := r.orderNow(order); o.GetCancelReason() != "客户不修了" {
		t.Errorf("given up: %v", o)
	}
	if l := r.lineNow(lines[0]); clockedOn(l) || l.GetClockedMinutes() != 6 {
		t.Errorf("somebody works on what was given up: %v", l)
	}
	r.must(step(branchlinev1.OrderState_IN_WORK))
	if o := r.orderNow(order); o.GetCancelReason() != "" {
		t.Errorf("taken up again: %v", o)
	}
}

func TestStep_moneyStandsInTheWayOrIsAskedAbout(t *testing.T) {
	r := newRig(t)
	owner := r.create(&branchlinev1.Customer{Name: proto.String("王芳")})
	order, _ := r.jobCar(branchlinev1.OrderState_READY, 0)
	r.jobLine(order, &branchlinev1.ServiceLine{Item: proto.String("x"), State: branchlinev1.LineState_LINE_DONE.Enum(), Amount: proto.Int64(10_000)})
	step := func(s branchlinev1.OrderState, confirmed ...string) error {
		_, err := r.Step(r.by(adviser), &branchlinev1.StepRequest{Order: order.String(), State: s, Reason: "y", HandedTo: "司机老李", Confirmed: confirmed})
		return err
	}
	err := step(branchlinev1.OrderState_HANDED_OVER)
	var d *desk.DetailedError
	if !errors.As(err, &d) || d.Details()[0].(*branchlinev1.FieldViolation).GetConfirm() != ConfirmUnpaid {
		t.Fatalf("a car that is not paid went without a question: %v", err)
	}
	r.must(step(branchlinev1.OrderState_HANDED_OVER, ConfirmUnpaid))
	if o := r.orderNow(order); o.GetHandedTo() != "司机老李" || o.GetHandedOverAt() == 0 {
		t.Errorf("handed over: %v", o)
	}
	r.must(step(branchlinev1.OrderState_READY))
	if o := r.orderNow(order); o.GetHandedTo() != "" || o.GetHandedOverAt() != 0 {
		t.Errorf("it came back: %v", o)
	}
	if _, err := r.Step(r.as("LQ", technician), &branchlinev1.StepRequest{Order: order.String(), State: branchlinev1.OrderState_HANDED_OVER, HandedTo: "x"}); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a technician wrote down a name: %v", err)
	}
	pay := func(n int64) {
		p := &branchlinev1.Payment{
			Order: act.Ref(order), Customer: act.Ref(owner), Amount: &n, Method: branchlinev1.PayMethod_METHOD_CASH.Enum(), Purpose: branchlinev1.PayPurpose_PURPOSE_DEPOSIT.Enum(),
			Day: proto.String("2026-11-22"), Branch: proto.String("pd"),
		}
		if n < 0 {
			p.Purpose, p.Reason = branchlinev1.PayPurpose_PURPOSE_REFUND.Enum(), proto.String("退")
		}
		r.create(p)
	}
	pay(5_000)
	r.wantInvalid(step(branchlinev1.OrderState_CANCELLED), "give it back first")
	pay(-5_000)
	card := r.create(&branchlinev1.PackageCard{Customer: act.Ref(owner), Form: branchlinev1.CardForm_CARD_COUNTED.Enum(), Uses: proto.Int32(3), Title: proto.String("洗车")})
	use := r.create(&branchlinev1.CardUse{Card: act.Ref(card), Order: act.Ref(order), Uses: proto.Int32(1)})
	r.wantInvalid(step(branchlinev1.OrderState_CANCELLED), "take the use back first")
	r.create(&branchlinev1.CardUse{Card: act.Ref(card), Order: act.Ref(order), Uses: proto.Int32(-1), Reverses: act.Ref(use), Reason: proto.String("错")})
	r.create(&branchlinev1.Settlement{
		Order: act.Ref(order), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), LinesAmount: proto.Int64(10_000), Amount: proto.Int64(10_000), Day: proto.String("2026-11-22"),
		At: proto.Int64(r.now.UnixMilli()), Branch: proto.String("pd"),
	})
	r.wantInvalid(step(branchlinev1.OrderState_CANCELLED), "reverse the settlement first")
	r.must(step(branchlinev1.OrderState_SETTLED)) // it is settled: the state is restored
	r.wantState(order, branchlinev1.OrderState_SETTLED, "LI")
}
