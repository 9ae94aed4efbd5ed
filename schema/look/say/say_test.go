package say_test

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
	"branchline/schema/reason"
)

func sayer(t testing.TB, lang look.Lang) say.Sayer {
	t.Helper()
	l, err := look.New(look.Config{Words: []fs.FS{say.Words()}, Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	return say.Sayer{Look: l, Lang: lang, Now: time.Date(2026, 11, 21, 10, 40, 0, 0, time.UTC).UnixMilli()}
}

func TestValues_AsPeopleWriteThem(t *testing.T) {
	c := &branchlinev1.Customer{
		Name:   new("陈建国"),
		Phones: []*branchlinev1.Phone{{Number: new("13900002207"), Label: new("手机")}, {Number: new("分机 8")}},
		Addresses: []*branchlinev1.Address{
			{Region: new("上海市"), City: new("上海市"), District: new("浦东新区"), Street: new("锦绣路 1888 弄")},
		},
		Type:             branchlinev1.CustomerType_COMPANY.Enum(),
		ConsentMarketing: &branchlinev1.Consent{Day: new("2024-09-30")},
	}
	v := &branchlinev1.Vehicle{
		Plates:     []*branchlinev1.PlateTerm{{Plate: new("沪A8K362"), From: new("2025-01-10")}},
		Warranties: []*branchlinev1.Warranty{{Name: new("整车"), From: new("2025-01-10"), Months: new(int32(36)), Km: new(int64(100000))}},
		ModelYear:  new(int32(2024)),
		RetiredAt:  new(time.Date(2026, 11, 20, 8, 5, 0, 0, time.UTC).UnixMilli()),
	}
	at, later, next := time.Date(2026, 11, 20, 8, 5, 0, 0, time.UTC).UnixMilli(), time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC).UnixMilli(), time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).UnixMilli()
	order := &branchlinev1.ServiceOrder{Promises: []*branchlinev1.PromiseChange{{At: &at, Was: &later, Now: &next, Reason: new("等配件"), By: new("li")}}}
	line := &branchlinev1.ServiceLine{
		Approvals: []*branchlinev1.Approval{{
			At: &at, State: branchlinev1.LineState_LINE_APPROVED.Enum(), Way: branchlinev1.ApprovalWay_BY_WORD.Enum(), SaidBy: new("王芳"), Phone: new("13900002207"),
			Amount: new(int64(50000)), TakenBy: new("li"),
		}},
		Clockings: []*branchlinev1.Clocking{{Technician: new("赵师傅"), From: &at, Until: &later}, {Technician: new("赵师傅"), From: &later}},
		Checks:    []*branchlinev1.QualityCheck{{At: &at, By: new("qian"), Reason: new("有异响")}, {At: &later, By: new("qian"), Passed: new(true)}},
	}
	check := &branchlinev1.Inspection{
		Damages:     []*branchlinev1.Damage{{Part: new("door_fl"), What: new("scratch"), Note: new("掉漆"), X: new(int32(200))}},
		Points:      []*branchlinev1.CheckPoint{{Item: new("brake_pads_front"), Finding: branchlinev1.Finding_FINDING_SOON.Enum(), Measured: new("3.5 mm"), Note: new("下次换")}},
		FuelEighths: new(int32(5)), ChargePercent: new(int32(80)), WarningLamps: []string{"engine", "my_lamp"},
	}
	pack := &branchlinev1.Package{Lines: []*branchlinev1.PackageLine{{
		Kind: branchlinev1.LineKind_LABOUR.Enum(), Item: new("更换机油"), PartName: new("机油 5W-30"), PartQuantity: new(int64(4000)), BilledMinutes: new(int64(30)), Amount: new(int64(50000)),
	}}}
	closed := &branchlinev1.CashClose{Counts: []*branchlinev1.CashCount{{
		Method: branchlinev1.PayMethod_METHOD_CASH.Enum(), Recorded: new(int64(50000)), Counted: new(int64(45000)), Note: new("少一张"),
	}}}
	claim := &branchlinev1.Claim{
		Lines:  []*branchlinev1.ClaimLine{{Item: new("左前门钣喷"), Supplement: new(true), Asked: new(int64(80000)), Assessed: new(int64(75000))}},
		States: []*branchlinev1.ClaimChange{{State: branchlinev1.ClaimState_CLAIM_SENT.Enum(), At: &at}},
	}
	c.InvoiceTitles = []*branchlinev1.InvoiceTitle{{Title: new("上海甲公司"), TaxNumber: new("91310115")}}
	s := sayer(t, look.ZhCN)
	for _, x := range []struct {
		m     proto.Message
		field string
		want  string
	}{
		{c, "name", "陈建国"},
		{c, "phones", "139 0000 2207（手机）|分机 8"},
		{c, "addresses", "上海市 浦东新区 锦绣路 1888 弄"},
		{c, "type", "单位"},
		{c, "consent_marketing", "不同意 2024-09-30"},
		{c, "birthday", ""},
		{v, "plates", "沪A·8K362 2025-01-10 起"},
		{v, "warranties", "整车 2025-01-10 起 36 个月 100,000 km"},
		{v, "model_year", "2024"},
		{v, "retired_at", "11-20 08:05"},
		{order, "promises", "11-20 08:05：今天 18:00 → 11-22 12:00 等配件（li）"},
		{line, "approvals", "11-20 08:05 同意 口头 王芳（139 0000 2207） ¥ 500.00 li"},
		{line, "clockings", "赵师傅 11-20 08:05 → 今天 18:00|赵师傅 今天 18:00 起"},
		{line, "checks", "11-20 08:05 不合格 有异响（qian）|今天 18:00 合格（qian）"},
		{check, "damages", "左前门 刮痕（掉漆）"},
		{check, "points", "前刹车片 近期处理 3.5 mm（下次换）"},
		{check, "fuel_eighths", "5/8"},
		{check, "charge_percent", "80 %"},
		{check, "warning_lamps", "发动机|my_lamp"},
		{pack, "lines", "工时 更换机油 机油 5W-30 4 0.5 h ¥ 500.00"},
		{closed, "counts", "现金：应有 ¥ 500.00，实点 ¥ 450.00（少一张）"},
		{claim, "lines", "左前门钣喷（增补） 报 ¥ 800.00 核 ¥ 750.00"},
		{claim, "states", "已提交 11-20 08:05"},
		{c, "invoice_titles", "上海甲公司 91310115"},
	} {
		if got := strings.Join(s.Values(schema.KindOfMessage(x.m).Field(x.field), x.m), "|"); got != x.want {
			t.Errorf("%s: %q, want %q", x.field, got, x.want)
		}
	}
}

func TestJSON_OneValueOrEntries(t *testing.T) {
	s := sayer(t, look.En)
	k := schema.KindOf(schema.Customer)
	for _, x := range [][3]string{
		{"name", `"陈建"`, "陈建"},
		{"phones", `{"number":"13900002207"}`, "139 0000 2207"},
		{"phones", `[{"number":"13900002207"},{"number":"x"}]`, "139 0000 2207; x"},
		{"name", `{`, ""},
		{"no_such", `"x"`, ""},
		{"name", ``, ""},
	} {
		if got := s.JSON(k, x[0], x[1]); got != x[2] {
			t.Errorf("%s %s: %q, want %q", x[0], x[1], got, x[2])
		}
	}
}

// Every field a page may show has a name, every value of an enum a word, in every language.
func TestWords_CoverTheKinds(t *testing.T) {
	for _, lang := range look.Langs() {
		s := sayer(t, lang)
		var enums func(of string, fields []*schema.FieldInfo)
		enums = func(of string, fields []*schema.FieldInfo) {
			for _, f := range fields {
				enums(of+"."+f.Name, f.Sub)
				if f.Desc.Kind() != protoreflect.EnumKind {
					continue
				}
				values := f.Desc.Enum().Values()
				for i := 1; i < values.Len(); i++ {
					got := s.Value(f, protoreflect.ValueOfEnum(values.Get(i).Number()))
					if got == s.Look.T(lang, "order.unknown") || strings.Contains(got, "⟦") {
						t.Errorf("%s: %s.%s %s has no word", lang, of, f.Name, values.Get(i).Name())
					}
				}
			}
		}
		for _, k := range schema.Kinds() {
			if got := s.Kind(k); strings.Contains(got, "⟦") {
				t.Errorf("%s: %s", lang, got)
			}
			for _, f := range k.Fields {
				if got := s.Label(k, f.Name); strings.Contains(got, "⟦") {
					t.Errorf("%s: %s", lang, got)
				}
			}
			enums(k.Name, k.Fields)
		}
		for _, group := range []string{"panel", "damage", "lamp", "point"} {
			for _, code := range say.Codes(group) {
				if got := s.Code(group, code); got == code {
					t.Errorf("%s: %s.%s has no word", lang, group, code)
				}
			}
		}
		if got := s.Value(schema.KindOf(schema.ServiceOrder).Field("state"), protoreflect.ValueOfEnum(99)); got != s.Look.T(lang, "order.unknown") {
			t.Errorf("a state of a newer version: %q", got)
		}
	}
}

// Every reason there can be is said in every language, with all that the sentence says, and not in English on a
// Chinese page.
func TestReason_EveryCodeInEveryLanguage(t *testing.T) {
	for _, lang := range look.Langs() {
		s := sayer(t, lang)
		for _, code := range reason.Codes() {
			key := "reason." + string(code)
			if !s.Look.Has(key) {
				t.Errorf("%s has no words in %s", code, lang)
				continue
			}
			var args []any
			for i := range code.Arguments() {
				args = append(args, fmt.Sprintf("«%d»", i))
			}
			text := s.Look.T(lang, key, args...)
			if strings.ContainsAny(text, "⟦…{}") {
				t.Errorf("%s in %s: %s", code, lang, text)
			}
			if bare := strings.ReplaceAll(text, "VIN", ""); lang != look.En && regexp.MustCompile(`[a-z]{3}`).MatchString(bare) {
				t.Errorf("%s in %s speaks English: %s", code, lang, text)
			}
			for _, word := range []string{"sync", "queue", "conflict", "offline", "同步", "队列", "冲突", "佇列", "衝突", "离线", "離線"} {
				if strings.Contains(strings.ToLower(text), word) {
					t.Errorf("%s in %s says %q", code, lang, word)
				}
			}
		}
	}
}

func TestReason_SaysItsArgumentsToo(t *testing.T) {
	for _, x := range [][3]string{
		{"zh-CN", "customer.name has 201 characters, allowed are 0 to 200", "“姓名”有 201 个字，应是 0 到 200 个"},
		{"zh-CN", "not allowed: a branch cannot give the role hq-steward; HQ gives it", "分店不能给出这个职务（客户数据），由总部给"},
		{"zh-TW", "a VIN has 17 characters, this one 16; perhaps LSVAA is meant. Is it really so?", "VIN 是 17 碼，這個有 16 碼。可能是 LSVAA。真是這樣嗎？"},
		{"en", "a VIN has 17 characters, this one 16. Is it really so?", "A VIN has 17 characters, this one 16. Is it really so?"},
		{"zh-CN", `"x y" is no home for a record`, "x y 不能管资料"},
		{"zh-CN", "a peer of next year says so", "a peer of next year says so"},
		{"zh-CN", "", ""},
	} {
		if got := sayer(t, look.Lang(x[0])).Reason(x[1]); got != x[2] {
			t.Errorf("%s: %q, want %q", x[1], got, x[2])
		}
	}
}
