package api

import (
	"context"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
	"google.golang.org/protobuf/proto"

	"branchline/node/intake"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/mapfile"
	"branchline/schema/number"
)

// sheets are a file for every map of the counter: a head, two rows that go in, and one that does not, with the field
// and the code of the reason that it is rejected for.
var sheets = []struct {
	name  string
	rows  []string
	field string
	why   string
	list  func(c, v, o string) *branchlinev1.ListRecordsRequest
	find  string // what a person types to find the first
}{
	{
		"appointments",
		[]string{
			"预约号,客户号,车辆号,日期,到店时间,姓名,电话,车牌,车型,事由,顾问,状态",
			"Y1,C1,V1,2026-11-23,2026-11-23 09:30,王芳,139 0000 2207,沪a·8k362,朗逸,保养,li,已预约",
			"Y2,,,2026-11-23,2026-11-23 10:00,赵刚,,,,异响,li,没来",
			"Y3,,,2026-11-23,,,,,,异响,li,已预约",
		},
		"name", "say who comes", func(c, _, _ string) *branchlinev1.ListRecordsRequest {
			return &branchlinev1.ListRecordsRequest{Customer: c, DayFrom: "2026-11-23", DayTo: "2026-11-23", State: "appointment_booked"}
		}, "沪A8K362",
	},
	{
		"inspections",
		[]string{
			"检查号,工单号,车辆号,日期,检查时间,检查人,里程,油量,警告灯,损伤一部位,损伤一,损伤二部位,损伤二,贵重物品,旧件带走",
			"J1,W1,V1,2026-11-21,2026-11-21 08:40,qian,45231,5,胎压,door_fl,scratch,roof,dent,墨镜一副,是",
			"J2,W1,,2026-11-21,,qian,45232,0,,,,,,,否",
			"J3,,,2026-11-21,,qian,,,,,,,,,",
		},
		"vehicle", "say which", func(_, v, o string) *branchlinev1.ListRecordsRequest {
			return &branchlinev1.ListRecordsRequest{Vehicle: v, Order: o}
		}, "",
	},
	{
		"packages",
		[]string{
			"套餐代码,套餐名,车型,公里,月数,价钱,项目一,工时一,金额一,项目二,数量二,金额二,卡次数",
			"TC01,小保养,朗逸,10000,6,\"1,280.00\",换机油,0.5,100.00,机油,4,1180.00,",
			"TC02,洗车五次,,,,200,,,,,,,5",
			"TC03,大保养,,,,-5,,,,,,,",
		},
		"price", "must be greater", func(string, string, string) *branchlinev1.ListRecordsRequest {
			return &branchlinev1.ListRecordsRequest{OrderBy: "number"}
		}, "小保养",
	},
	{
		"package-cards",
		[]string{
			"卡号,客户号,车辆号,售卡日,卡类,卡名,次数,储值,赠送,售价,有效到,售卡人",
			"K1,C1,,2026-01-05,次卡,洗车五次,5,,,200,2027-01-04,li",
			"K2,C1,V1,2026-02-05,储值卡,储值,,2200,200,2000,,li",
			"K3,C1,,2026-01-05,次卡,洗车五次,0,,,200,2027-01-04,li",
		},
		"uses", "must be more than 0", func(c, _, _ string) *branchlinev1.ListRecordsRequest {
			return &branchlinev1.ListRecordsRequest{Customer: c, OrderBy: "day", DayTo: "2026-01-31"}
		}, "洗车五次",
	},
	{
		"card-uses",
		[]string{
			"用卡号,卡号,客户号,车辆号,工单号,日期,时间,次数,经手人",
			"U1,K1,C1,V1,W1,2026-11-21,2026-11-21 09:00,1,li",
			"U2,K1,C1,,,2026-11-21,,1,li",
			"U3,K9,C1,,,2026-11-21,,1,li",
		},
		"card", "there is no package_card", func(_, v, o string) *branchlinev1.ListRecordsRequest {
			return &branchlinev1.ListRecordsRequest{Order: o, Vehicle: v}
		}, "",
	},
	{
		"payments",
		[]string{
			"收款号,工单号,客户号,日期,时间,付法,用途,谁付,金额,流水号,收款人,原因",
			"SK2026001,W1,C1,2026-11-21,2026-11-21 17:00,微信,结算款,客户,\"1,280.00\",4200001,li,",
			"SK2026002,W1,C1,2026-11-21,,现金,退款,客户,-80,,li,多收",
			"S3,W1,,2026-11-21,,现金,结算款,客户,0,,li,",
		},
		"amount", "must not be 0", func(c, _, o string) *branchlinev1.ListRecordsRequest {
			return &branchlinev1.ListRecordsRequest{Customer: c, Order: o, OrderBy: "number", DayFrom: "2026-11-21"}
		}, "SK2026001",
	},
	{
		"settlements",
		[]string{
			"结算单号,工单号,客户号,日期,时间,谁付,各项合计,优惠,抹零,应付,经手人",
			"JS1,W1,C1,2026-11-21,2026-11-21 16:50,客户,1300,20,0,1280,li",
			"JS2,W1,,2026-11-21,,保险,900,0,0,900,li",
			"JS3,W1,,2026-11-21,,厂家,900,0,0,800,li",
		},
		"amount", "its parts make", func(_, _, o string) *branchlinev1.ListRecordsRequest {
			return &branchlinev1.ListRecordsRequest{Order: o, OrderBy: "number"}
		}, "JS1",
	},
	{
		"cash-closes",
		[]string{
			"日期,结账时间,收款人,现金应有,现金实点,微信应有,微信实点,差额,原因",
			"2026-11-19,2026-11-19 18:00,li,500,500,1200,1200,0,",
			"2026-11-20,2026-11-20 18:00,li,500,450,0,0,-50,找错钱",
			"2026-11-21,2026-11-21 18:00,li,500,450,0,0,-50,",
		},
		"reason", "say why", func(string, string, string) *branchlinev1.ListRecordsRequest {
			return &branchlinev1.ListRecordsRequest{DayFrom: "2026-11-19", DayTo: "2026-11-21", OrderBy: "day"}
		}, "",
	},
	{
		"contacts",
		[]string{
			"联系号,客户号,车辆号,工单号,日期,时间,方式,谁找谁,结果,事由,内容,电话,下一步,下一步日期,经手人",
			"L1,C1,V1,W1,2026-11-20,2026-11-20 10:00,电话,呼出,答应了,报价,同意更换刹车片,13900002207,打印报价,2026-11-22,li",
			"L2,C1,,,2026-11-20,,短信,呼出,联系上了,取车提醒,车已洗好,,,,li",
			"L3,,,,2026-11-20,,电话,呼入,,,问价,,,,li",
		},
		"customer", "say which", func(c, _, _ string) *branchlinev1.ListRecordsRequest {
			return &branchlinev1.ListRecordsRequest{Customer: c, OrderBy: "day", DayFrom: "2026-11-20"}
		}, "刹车片",
	},
	{
		"insurance-policies",
		[]string{
			"保单号,客户号,车辆号,险种,保险公司,保障,生效,到期,保费",
			"BD2026001,C1,V1,商业险,人保财险,第三者责任险 200 万,2026-01-01,2026-12-31,3980",
			"BD2026002,C1,V1,交强险,人保财险,,2026-01-01,2026-12-31,950",
			"BD2026003,C1,V1,交强险,人保财险,,2027-01-01,2026-12-31,950",
		},
		"until", "comes after the last day", func(_, v, _ string) *branchlinev1.ListRecordsRequest {
			return &branchlinev1.ListRecordsRequest{Vehicle: v, DayFrom: "2026-12-01", DayTo: "2026-12-31", OrderBy: "number"}
		}, "BD2026001",
	},
	{
		"claims",
		[]string{
			"报案号,工单号,客户号,车辆号,日期,向谁报,状态,公司,查勘员,项目,报的金额,核定金额,出险日,拒赔原因",
			"BA1,W1,C1,V1,2026-11-20,保险公司,已核准,人保财险,孙工,左前门钣喷,800,750,2026-11-19,",
			"BA2,W1,C1,V1,2026-11-20,厂家,被拒赔,上汽,,,,,,超出质保",
			"BA3,W1,C1,V1,2026-11-20,厂家,被拒赔,上汽,,,,,,",
		},
		"refused_reason", "say why", func(_, _, o string) *branchlinev1.ListRecordsRequest {
			return &branchlinev1.ListRecordsRequest{Order: o, State: "CLAIM_APPROVED", OrderBy: "number"}
		}, "BA1",
	},
	{
		"fapiaos",
		[]string{
			"发票号码,发票代码,工单号,客户号,开票日,种类,状态,抬头,税号,金额,税额,红冲原因",
			"26312000001,031002600111,W1,C1,2026-11-21,专用,已开,上海甲公司,91310115MA1K00001A,1280,147.26,",
			"26312000002,,W1,C1,2026-11-21,普通,已红冲,个人,,80,9.2,抬头错",
			"26312000003,,W1,C1,2026-11-21,专用,已开,上海乙公司,,80,9.2,",
		},
		"tax_number", "value is required", func(c, _, o string) *branchlinev1.ListRecordsRequest {
			return &branchlinev1.ListRecordsRequest{Customer: c, Order: o, State: "FAPIAO_ISSUED", OrderBy: "number"}
		}, "26312000001",
	},
}

// Every kind of the counter comes in from a file in GB18030 through its own map, is listed by what it is tied to, and
// found by what people look for it by; a row that says nothing sensible is turned away with line, field and reason.
func TestImport_EveryKindOfTheCounter(t *testing.T) {
	s := newSite(t)
	source := func(id string) []*branchlinev1.SourceId {
		return []*branchlinev1.SourceId{{Source: proto.String("dms"), Id: proto.String(id)}}
	}
	c := s.create(&branchlinev1.Customer{Name: proto.String("王芳"), SourceIds: source("C1")}).GetName()
	v := s.create(&branchlinev1.Vehicle{Model: proto.String("朗逸"), SourceIds: source("V1")}).GetName()
	o := s.create(&branchlinev1.ServiceOrder{Complaint: proto.String("保养"), SourceIds: source("W1")}).GetName()
	send := func(_ context.Context, r *branchlinev1.ImportRowsRequest) (*branchlinev1.ImportRowsResponse, error) {
		return s.rec.ImportRows(s.ctx, r)
	}
	for _, x := range sheets {
		m, err := mapfile.Named("counter-" + x.name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := simplifiedchinese.GB18030.NewEncoder().String(strings.Join(x.rows, "\r\n") + "\r\n")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), x.name+".csv")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		run := func(dry bool) intake.Result {
			in, err := intake.New(intake.Config{Map: m, File: file, Send: send, DryRun: dry})
			if err != nil {
				t.Fatal(err)
			}
			res, err := in.Run(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", x.name, err)
			}
			return res
		}
		if res := run(true); res.Done != 2 || res.Rejected != 1 || res.Encoding != "gb18030" {
			b, _ := os.ReadFile(res.Rejects)
			t.Errorf("%s: a dry run says %+v\n%s", x.name, res, b)
			continue
		}
		all := &branchlinev1.ListRecordsRequest{Collection: m.Kind.Collection}
		if list, err := s.rec.ListRecords(s.ctx, all); err != nil || len(list.GetRecords()) != 0 {
			t.Errorf("%s: a dry run stored %v, %v", x.name, list, err)
		}
		if res := run(false); res.Done != 2 || res.Rejected != 1 {
			t.Errorf("%s: %+v", x.name, res)
		}
		if res := run(false); res.Skipped != 2 || res.Rejected != 1 {
			t.Errorf("%s: once more: %+v", x.name, res)
		}
		rejects(t, x.name, file+".rejects.csv", x.field, x.why)

		req := x.list(c, v, o)
		req.Collection = m.Kind.Collection
		list, err := s.rec.ListRecords(s.ctx, req)
		if err != nil || len(list.GetRecords()) == 0 {
			t.Fatalf("%s: listed %v, %v", x.name, list, err)
		}
		first := list.GetRecords()[0]
		_, body, err := schema.BodyOf(first)
		if err != nil {
			t.Fatal(err)
		}
		if f := m.Kind.Field("branch"); f != nil && body.ProtoReflect().Get(f.Desc).String() != "pd" {
			t.Errorf("%s does not say where it was made: %v", x.name, body)
		}
		if x.find == "" {
			continue
		}
		found, err := s.rec.Search(s.ctx, &branchlinev1.SearchRequest{Query: x.find, Collections: []string{m.Kind.Collection}})
		if err != nil || !slices.ContainsFunc(found.GetHits(), func(h *branchlinev1.SearchHit) bool { return h.GetRecord().GetName() == first.GetName() }) {
			t.Errorf("%s: %q finds %v, %v", x.name, x.find, found, err)
		}
	}
	// Inner messages come out as they went in.
	packs, err := s.rec.ListRecords(s.ctx, &branchlinev1.ListRecordsRequest{Collection: "packages", OrderBy: "number"})
	if err != nil {
		t.Fatal(err)
	}
	want := []*branchlinev1.PackageLine{
		{Kind: branchlinev1.LineKind_LABOUR.Enum(), Item: proto.String("换机油"), BilledMinutes: proto.Int64(30), Amount: proto.Int64(10000)},
		{Kind: branchlinev1.LineKind_PART.Enum(), Item: proto.String("机油"), PartQuantity: proto.Int64(4000), Amount: proto.Int64(118000)},
	}
	if got := packs.GetRecords()[0].GetPackage(); got.GetPrice() != 128000 || len(got.GetLines()) != 2 || !proto.Equal(got.GetLines()[0], want[0]) || !proto.Equal(got.GetLines()[1], want[1]) {
		t.Errorf("%v", got)
	}
}

func rejects(t *testing.T, name, file, field, why string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%s: rejects %q, %v", name, rows, err)
	}
	if row := rows[1]; row[0] != "4" || row[1] != field || !strings.Contains(row[3], why) {
		t.Errorf("%s: rejected %q, want line 4, %s, %s", name, row, field, why)
	}
}

// Files and settings do not come in from lists: a file's bytes are handed in, and settings are headquarters'.
func TestImport_NotFilesNorSettings(t *testing.T) {
	s := newSite(t)
	for _, m := range []proto.Message{&branchlinev1.Attachment{}, &branchlinev1.Setting{}} {
		req := &branchlinev1.ImportRowsRequest{Source: "x", Rows: []*branchlinev1.ImportRow{{Key: "1", Records: []*branchlinev1.Record{record(t, m)}}}}
		if _, err := s.rec.ImportRows(s.ctx, req); !errors.Is(err, schema.ErrInvalid) && !errors.Is(err, schema.ErrForbidden) {
			t.Errorf("%T: %v", m, err)
		}
	}
}

// What a branch numbers itself has a number of its own series; what others number has none until they say it.
func TestCreate_NumbersOfTheCounter(t *testing.T) {
	s := newSite(t)
	a := s.create(&branchlinev1.Appointment{Name: proto.String("王芳")}).GetAppointment()
	if n, err := number.Parse(a.GetNumber()); err != nil || n.Series != number.Appointments || n.Counter != 1 || a.GetState() != branchlinev1.AppointmentState_APPOINTMENT_BOOKED {
		t.Errorf("%v: %+v, %v", a, n, err)
	}
	o := s.create(&branchlinev1.ServiceOrder{Complaint: proto.String("保养")})
	order := strings.TrimPrefix(o.GetName(), "serviceOrders/")
	cl := s.create(&branchlinev1.Claim{Order: &order, Party: branchlinev1.ClaimParty_CLAIM_ON_MAKER.Enum()})
	if b := cl.GetClaim(); b.GetNumber() != "" || len(b.GetStates()) != 1 || b.GetStates()[0].GetState() != branchlinev1.ClaimState_CLAIM_DRAFT {
		t.Errorf("%v", b)
	}
	up, err := s.rec.UpdateRecord(s.ctx, &branchlinev1.UpdateRecordRequest{
		Record: &branchlinev1.Record{Name: cl.GetName(), Etag: cl.GetEtag(), Body: &branchlinev1.Record_Claim{Claim: &branchlinev1.Claim{State: branchlinev1.ClaimState_CLAIM_REFUSED.Enum()}}}, UpdateMask: []string{"state"},
	})
	if !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("refused without a reason: %v, %v", up, err)
	}
	up, err = s.rec.UpdateRecord(s.ctx, &branchlinev1.UpdateRecordRequest{
		Record: &branchlinev1.Record{Name: cl.GetName(), Etag: cl.GetEtag(), Body: &branchlinev1.Record_Claim{Claim: &branchlinev1.Claim{
			State: branchlinev1.ClaimState_CLAIM_REFUSED.Enum(), RefusedReason: proto.String("超出质保"),
		}}}, UpdateMask: []string{"state", "refused_reason"},
	})
	if err != nil || len(up.GetClaim().GetStates()) != 2 {
		t.Errorf("%v, %v", up, err)
	}
}

func TestFacts_AreNotChanged(t *testing.T) {
	s := newSite(t)
	id := strings.TrimPrefix(s.create(&branchlinev1.Customer{Name: proto.String("王芳")}).GetName(), "customers/")
	p := s.put(&branchlinev1.Payment{
		Customer: &id, Amount: proto.Int64(100), Method: branchlinev1.PayMethod_METHOD_CASH.Enum(), Purpose: branchlinev1.PayPurpose_PURPOSE_ACCOUNT.Enum(),
	})
	_, paid, err := schema.ParseName(p.GetName())
	if err != nil {
		t.Fatal(err)
	}
	for field, body := range map[string]*branchlinev1.Payment{
		"amount": {Amount: proto.Int64(5)}, "retired_at": {RetiredAt: proto.Int64(5)},
	} {
		_, err := s.store.Put(t.Context(), store.Edit{
			Kind: schema.Payment, ID: paid, Message: body, Mask: []string{field}, Etag: p.GetEtag(), Actor: "li", Role: branchlinev1.Role_ROLE_BRANCH_MANAGER,
		})
		if !errors.Is(err, schema.ErrForbidden) {
			t.Errorf("%s of a payment was changed: %v", field, err)
		}
	}
	card := s.put(&branchlinev1.PackageCard{Customer: &id, Form: branchlinev1.CardForm_CARD_STORED_MONEY.Enum(), Stored: proto.Int64(10000), Title: proto.String("储值")})
	cardID := strings.TrimPrefix(card.GetName(), "packageCards/")
	use := &branchlinev1.CardUse{Card: &cardID, Customer: &id, Amount: proto.Int64(100)}
	_, err = s.store.Put(t.Context(), store.Edit{Kind: schema.CardUse, Message: use, Actor: "li", Role: branchlinev1.Role_ROLE_BRANCH_MANAGER})
	if !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("a branch used stored money by itself: %v", err)
	}
	tech := as(t.Context(), branchlinev1.Role_ROLE_TECHNICIAN)
	for _, m := range []proto.Message{use, &branchlinev1.Payment{Customer: &id, Amount: proto.Int64(1)}, &branchlinev1.Package{Name: proto.String("x")}} {
		if _, err := s.rec.CreateRecord(tech, &branchlinev1.CreateRecordRequest{Record: record(t, m)}); !errors.Is(err, schema.ErrForbidden) {
			t.Errorf("a technician writes %T: %v", m, err)
		}
	}
	if _, err := s.rec.GetRecord(tech, &branchlinev1.GetRecordRequest{Name: p.GetName()}); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a technician sees a payment: %v", err)
	}
	clerk := as(t.Context(), branchlinev1.Role_ROLE_CLERK)
	if _, err := s.rec.CreateRecord(clerk, &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Package{Name: proto.String("x")})}); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a clerk writes a package: %v", err)
	}
	if _, err := s.rec.CreateRecord(s.ctx, &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Setting{Name: proto.String("x"), Value: proto.String("1"), From: proto.String("2026-01-01")})}); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a branch writes a setting: %v", err)
	}
}
