package workshop

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

const (
	proposed = branchlinev1.LineState_LINE_PROPOSED
	approved = branchlinev1.LineState_LINE_APPROVED
	declined = branchlinev1.LineState_LINE_DECLINED
	done     = branchlinev1.LineState_LINE_DONE
)

func (r *rig) quote(state branchlinev1.OrderState, amounts ...int64) (order schema.RecordID, lines []schema.RecordID) {
	r.t.Helper()
	order = r.create(&branchlinev1.ServiceOrder{Branch: proto.String("pd"), State: state.Enum(), Day: proto.String("2026-11-22")})
	for i, n := range amounts {
		lines = append(lines, r.create(&branchlinev1.ServiceLine{
			Order: act.Ref(order), Position: proto.Int32(int32(i + 1)), State: proposed.Enum(), Item: proto.String(fmt.Sprint("line ", i)), Amount: proto.Int64(n),
			Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(),
		}))
	}
	return order, lines
}

func (r *rig) line(id schema.RecordID) *branchlinev1.ServiceLine { return r.get(id).GetServiceLine() }

func (r *rig) state(id schema.RecordID) branchlinev1.OrderState {
	return r.get(id).GetServiceOrder().GetState()
}

// said is an answer to a line as it is now.
func (r *rig) said(line schema.RecordID, s branchlinev1.LineState, reason ...string) *branchlinev1.LineAnswer {
	a := &branchlinev1.LineAnswer{Line: &branchlinev1.SeenLine{Line: line.String(), Etag: r.get(line).GetEtag()}, State: s}
	if len(reason) > 0 {
		a.Reason = reason[0]
	}
	if len(reason) > 1 {
		a.ReviveOn = reason[1]
	}
	return a
}

func byWord(order schema.RecordID, lines ...*branchlinev1.LineAnswer) *branchlinev1.AnswerRequest {
	return &branchlinev1.AnswerRequest{Order: order.String(), Lines: lines, Way: branchlinev1.ApprovalWay_BY_WORD, SaidBy: "王芳", Phone: "13900002207"}
}

// put edits a record past all rules, as another desk might have.
func (r *rig) put(id schema.RecordID, m proto.Message, mask ...string) {
	r.t.Helper()
	_, err := r.st.Put(r.t.Context(), store.Edit{
		Kind: schema.KindOfMessage(m).Kind, ID: id, Message: m, Mask: mask, Etag: r.get(id).GetEtag(), Actor: "LI", Role: boss,
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestAnswer_HalfYesHalfNo(t *testing.T) {
	r := newRig(t)
	order, lines := r.quote(branchlinev1.OrderState_QUOTED, 36_600, 12_000)
	req := byWord(order, r.said(lines[0], approved), r.said(lines[1], declined, "太贵", "2027-02-22"))
	req.RequestId = "one"
	res, err := r.Answer(r.by(adviser), req)
	if err != nil {
		t.Fatal(err)
	}
	if got := res.GetServiceOrder().GetState(); got != branchlinev1.OrderState_APPROVED || len(res.GetServiceOrder().GetStates()) != 1 {
		t.Errorf("the order is %v", res.GetServiceOrder())
	}
	yes, no := r.line(lines[0]), r.line(lines[1])
	if a := yes.GetApprovals(); yes.GetState() != approved || len(a) != 1 || a[0].GetAmount() != 36_600 || a[0].GetSaidBy() != "王芳" ||
		a[0].GetPhone() != "13900002207" || a[0].GetTakenBy() != "LI" || a[0].GetAt() == 0 || a[0].GetWay() != branchlinev1.ApprovalWay_BY_WORD {
		t.Errorf("approved: %v", yes)
	}
	if no.GetState() != declined || no.GetDeclinedReason() != "太贵" || no.GetReviveOn() != "2027-02-22" || no.GetApprovals()[0].GetState() != declined || !standsStill(no) {
		t.Errorf("declined: %v", no)
	}
	if _, err := r.Answer(r.by(adviser), req); err != nil || len(r.line(lines[0]).GetApprovals()) != 1 {
		t.Errorf("sent again: %v, %v", err, r.line(lines[0]))
	}
	// The declined one is asked again later, and the reason goes with the no.
	if _, err := r.Answer(r.by(adviser), byWord(order, r.said(lines[1], approved))); err != nil {
		t.Fatal(err)
	}
	if no = r.line(lines[1]); no.GetState() != approved || no.GetDeclinedReason() != "" || no.GetReviveOn() != "" || len(no.GetApprovals()) != 2 {
		t.Errorf("revived: %v", no)
	}
}

func TestAnswer_IsRefused(t *testing.T) {
	r := newRig(t)
	order, lines := r.quote(branchlinev1.OrderState_QUOTED, 100, 200)
	other, others := r.quote(branchlinev1.OrderState_QUOTED, 300)
	photo := r.create(&branchlinev1.Attachment{
		Order: act.Ref(order), Role: branchlinev1.AttachmentRole_ATTACHMENT_PHOTO.Enum(), Hash: make([]byte, 32), Size: proto.Int64(9), MediaType: proto.String("image/png"),
	})
	for _, x := range []struct {
		name, field string
		req         *branchlinev1.AnswerRequest
	}{
		{"without a reason", "lines.0.reason", byWord(order, r.said(lines[0], declined))},
		{"no answer", "lines.1.state", byWord(order, r.said(lines[0], approved), r.said(lines[1], proposed))},
		{"twice", "lines.1.line", byWord(order, r.said(lines[0], approved), r.said(lines[0], approved))},
		{"another order's", "lines.0.line", byWord(order, r.said(others[0], approved))},
		{"by nobody", "said_by", &branchlinev1.AnswerRequest{Order: order.String(), Lines: []*branchlinev1.LineAnswer{r.said(lines[0], approved)}, Way: branchlinev1.ApprovalWay_BY_WORD, Phone: "1"}},
		{"by no phone", "phone", &branchlinev1.AnswerRequest{Order: order.String(), Lines: []*branchlinev1.LineAnswer{r.said(lines[0], approved)}, Way: branchlinev1.ApprovalWay_BY_WORD, SaidBy: "王"}},
		{"in no way", "way", &branchlinev1.AnswerRequest{Order: order.String(), Lines: []*branchlinev1.LineAnswer{r.said(lines[0], approved)}}},
		{"signed on a photo", "signature", &branchlinev1.AnswerRequest{
			Order: order.String(), Lines: []*branchlinev1.LineAnswer{r.said(lines[0], approved)}, Way: branchlinev1.ApprovalWay_BY_SIGNATURE, Signature: photo.String(),
		}},
	} {
		_, err := r.Answer(r.by(adviser), x.req)
		var bad *schema.FieldsError
		if !errors.As(err, &bad) || bad.Violations[0].Field != x.field {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	for _, id := range slices.Concat(lines, others) {
		if l := r.line(id); l.GetState() != proposed || len(l.GetApprovals()) != 0 {
			t.Errorf("a refused answer left a trace: %v", l)
		}
	}
	r.put(lines[0], &branchlinev1.ServiceLine{State: done.Enum()}, "state")
	if _, err := r.Answer(r.by(adviser), byWord(order, r.said(lines[0], declined, "x"))); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("what is done is declined: %v", err)
	}
	if _, err := r.Answer(r.by(adviser), byWord(order, r.said(lines[0], approved))); err != nil || r.line(lines[0]).GetState() != done {
		t.Errorf("what is done and approved: %v %v", err, r.line(lines[0]))
	}
	if r.state(other) != branchlinev1.OrderState_QUOTED {
		t.Error("another order moved")
	}
}

// What somebody said yes to is what they saw: a line that is another question by now is not answered, one on which
// somebody only works is.
func TestAnswer_ToWhatWasSeen(t *testing.T) {
	r := newRig(t)
	order, lines := r.quote(branchlinev1.OrderState_IN_WORK, 100, 200)
	req := byWord(order, r.said(lines[0], approved), r.said(lines[1], approved))
	r.put(lines[1], &branchlinev1.ServiceLine{Amount: proto.Int64(250)}, "amount")
	if _, err := r.Answer(r.by(adviser), req); !errors.Is(err, schema.ErrConflict) {
		t.Fatalf("a price that nobody saw was agreed to: %v", err)
	}
	if r.line(lines[0]).GetState() != proposed {
		t.Error("half of the answers were written")
	}
	req = byWord(order, r.said(lines[0], approved), r.said(lines[1], approved))
	r.put(lines[1], &branchlinev1.ServiceLine{Technician: proto.String("LQ"), Supplier: proto.String("博世")}, "technician", "supplier")
	if _, err := r.Answer(r.by(adviser), req); err != nil || r.line(lines[1]).GetState() != approved {
		t.Errorf("a technician was named meanwhile: %v", err)
	}
	if r.state(order) != branchlinev1.OrderState_IN_WORK {
		t.Error("an order in work went back")
	}
}

func TestAnswer_BySignature(t *testing.T) {
	r := newRig(t)
	order, lines := r.quote(0, 100)
	sign := r.create(&branchlinev1.Attachment{
		Order: act.Ref(order), Role: branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE.Enum(), Hash: make([]byte, 32), Size: proto.Int64(9), MediaType: proto.String("image/png"),
	})
	_, err := r.Answer(r.by(adviser), &branchlinev1.AnswerRequest{
		Order: schema.ResourceName(schema.ServiceOrder, order), Lines: []*branchlinev1.LineAnswer{r.said(lines[0], approved)}, Way: branchlinev1.ApprovalWay_BY_SIGNATURE,
		Signature: schema.ResourceName(schema.Attachment, sign),
	})
	if err != nil || r.line(lines[0]).GetApprovals()[0].GetSignature() != sign.String() || r.state(order) != branchlinev1.OrderState_APPROVED {
		t.Errorf("%v %v", err, r.line(lines[0]))
	}
}

// A name typed in place of a signature is said by whoever it names, and by no phone.
func TestAnswer_ByName(t *testing.T) {
	r := newRig(t)
	order, lines := r.quote(0, 100)
	req := &branchlinev1.AnswerRequest{Order: order.String(), Lines: []*branchlinev1.LineAnswer{r.said(lines[0], approved)}, Way: branchlinev1.ApprovalWay_BY_NAME}
	if _, err := r.Answer(r.by(adviser), req); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("nobody's name: %v", err)
	}
	req.SaidBy = "王芳"
	if _, err := r.Answer(r.by(adviser), req); err != nil {
		t.Fatal(err)
	}
	if a := r.line(lines[0]).GetApprovals()[0]; a.GetWay() != branchlinev1.ApprovalWay_BY_NAME || a.GetSaidBy() != "王芳" || a.GetPhone() != "" {
		t.Errorf("%v", a)
	}
}

// Answering is idempotent, and the order in which lines are answered, one by one or at once, makes no difference.
func TestAnswer_Laws(t *testing.T) {
	r := newRig(t)
	before := []branchlinev1.OrderState{branchlinev1.OrderState_RECEIVED, branchlinev1.OrderState_QUOTED, branchlinev1.OrderState_IN_WORK, branchlinev1.OrderState_READY}
	rapid.Check(t, func(t *rapid.T) {
		r.t.Helper()
		state := rapid.SampledFrom(before).Draw(t, "order")
		says := rapid.SliceOfN(rapid.SampledFrom([]branchlinev1.LineState{approved, declined}), 1, 5).Draw(t, "says")
		amounts := make([]int64, len(says))
		one, ones := r.quote(state, amounts...)
		two, twos := r.quote(state, amounts...)
		tell := func(order schema.RecordID, answers ...*branchlinev1.LineAnswer) {
			if _, err := r.Answer(r.by(adviser), byWord(order, answers...)); err != nil {
				t.Fatal(err)
			}
		}
		var all []*branchlinev1.LineAnswer
		for i, s := range says {
			all = append(all, r.said(ones[i], s, "later", "2027-01-01"))
		}
		tell(one, all...)
		at := make([]int, len(says))
		for i := range at {
			at[i] = i
		}
		for _, i := range rapid.Permutation(at).Draw(t, "turn") {
			a := r.said(twos[i], says[i], "later", "2027-01-01")
			tell(two, a)
			tell(two, a) // the same page again, by another desk
		}
		if r.state(one) != r.state(two) {
			t.Fatalf("%v: at once %v, one by one %v", says, r.state(one), r.state(two))
		}
		want := state
		if state < branchlinev1.OrderState_APPROVED && slices.Contains(says, approved) {
			want = branchlinev1.OrderState_APPROVED
		}
		if r.state(one) != want {
			t.Fatalf("%v of %v made the order %v", says, state, r.state(one))
		}
		for i, s := range says {
			for _, id := range []schema.RecordID{ones[i], twos[i]} {
				if l := r.line(id); l.GetState() != s || len(l.GetApprovals()) != 1 {
					t.Fatalf("line %d: %v", i, l)
				}
			}
		}
	})
}
