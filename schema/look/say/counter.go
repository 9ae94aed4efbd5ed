package say

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// Codes are the codes of a group that have a word, in the order a form offers them: "panel" and "damage" of the car
// sketch, "lamp" on the dashboard, "point" of an inspection. Another code is shown as it was written.
func Codes(group string) []string {
	switch group {
	case "panel":
		return strings.Fields(`bumper_front hood fender_fl fender_fr windscreen mirror_l mirror_r door_fl door_fr roof door_rl door_rr
			sill_l sill_r quarter_rl quarter_rr rear_window trunk bumper_rear headlight_l headlight_r taillight_l taillight_r
			wheel_fl wheel_fr wheel_rl wheel_rr interior`)
	case "damage":
		return strings.Fields("scratch dent crack chip broken missing rust stain")
	case "lamp":
		return strings.Fields("engine oil temperature battery abs brake esp airbag tyre steering drive_battery service")
	case "point":
		return strings.Fields(`tyre_fl tyre_fr tyre_rl tyre_rr spare brake_pads_front brake_pads_rear brake_fluid engine_oil coolant battery
			wipers lights air_filter cabin_filter belts suspension steering exhaust`)
	}
	return nil
}

// Code is the word for a code of a group (Codes); a code without a word comes out as it was written.
func (s Sayer) Code(group, code string) string {
	if key := group + "." + code; s.Look.Has(key) {
		return s.t(key)
	}
	return code
}

func (s Sayer) when(at int64) string {
	if at == 0 {
		return ""
	}
	return s.Look.When(s.Lang, s.Now, at)
}

func (s Sayer) money(n *int64) string {
	if n == nil {
		return ""
	}
	return look.Cash(*n, "CNY")
}

// aside is a text in brackets, nothing for none.
func (s Sayer) aside(text string) string {
	if text == "" {
		return ""
	}
	return s.t("say.paren", text)
}

func joined(parts ...string) string {
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

// counterMessage says the messages within the records of the counter, orders and lines.
func (s Sayer) counterMessage(m proto.Message) string {
	switch m := m.(type) {
	case *branchlinev1.InvoiceTitle:
		return joined(m.GetTitle(), m.GetTaxNumber(), m.GetBank(), m.GetBankAccount(), m.GetAddress(), Phone(m.GetPhone()), m.GetEmail())
	case *branchlinev1.PromiseChange:
		return joined(s.t("say.moved", s.when(m.GetAt()), s.when(m.GetWas()), s.when(m.GetNow())), m.GetReason()) + s.aside(m.GetBy())
	case *branchlinev1.Approval:
		who := m.GetSaidBy() + s.aside(Phone(m.GetPhone()))
		return joined(s.when(m.GetAt()), s.word("item", m.GetState()), s.word("approvalway", m.GetWay()), who, s.money(m.Amount), m.GetTakenBy())
	case *branchlinev1.Clocking:
		if m.GetUntil() == 0 {
			return joined(m.GetTechnician(), s.t("say.from", s.when(m.GetFrom())))
		}
		return joined(m.GetTechnician(), s.when(m.GetFrom()), "→", s.when(m.GetUntil()), m.GetReason()) + s.aside(m.GetBy())
	case *branchlinev1.QualityCheck:
		verdict := s.t("say.failed")
		if m.GetPassed() {
			verdict = s.t("say.passed")
		}
		return joined(s.when(m.GetAt()), verdict, m.GetReason()) + s.aside(m.GetBy())
	case *branchlinev1.Damage:
		return joined(s.Code("panel", m.GetPart()), s.Code("damage", m.GetWhat())) + s.aside(m.GetNote())
	case *branchlinev1.CheckPoint:
		return joined(s.Code("point", m.GetItem()), s.word("finding", m.GetFinding()), m.GetMeasured()) + s.aside(m.GetNote())
	case *branchlinev1.PackageLine:
		qty, hours := "", ""
		if m.GetPartQuantity() != 0 {
			qty = look.Qty(m.GetPartQuantity())
		}
		if m.GetBilledMinutes() != 0 {
			hours = Hours(m.GetBilledMinutes())
		}
		return joined(s.word("kind", m.GetKind()), m.GetItem(), m.GetPartName(), qty, hours, s.money(m.Amount))
	case *branchlinev1.CashCount:
		return s.t("say.counted", s.word("paymethod", m.GetMethod()), look.Cash(m.GetRecorded(), "CNY"), look.Cash(m.GetCounted(), "CNY")) + s.aside(m.GetNote())
	case *branchlinev1.ClaimLine:
		out := m.GetItem()
		if m.GetSupplement() {
			out += s.t("say.paren", s.t("say.supplement"))
		}
		if m.Asked != nil {
			out = joined(out, s.t("say.asked", s.money(m.Asked)))
		}
		if m.Assessed != nil {
			out = joined(out, s.t("say.assessed", s.money(m.Assessed)))
		}
		return out + s.aside(m.GetNote())
	case *branchlinev1.ClaimChange:
		return joined(s.word("claimstate", m.GetState()), s.when(m.GetAt()), m.GetReason())
	}
	return ""
}

// word is the word for an enum's value, nothing for one that says nothing.
func (s Sayer) word(group string, value protoreflect.Enum) string {
	if value.Number() == 0 {
		return ""
	}
	return s.Look.Word(s.Lang, group, value)
}
