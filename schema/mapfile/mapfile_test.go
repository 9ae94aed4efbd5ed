package mapfile

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// The example of the design, as it stands there.
const designMap = `
kind     = "service_order"      # a kind of the schema (import only)
source   = "sakila"             # with key: the source id = idempotence, and evidence of sameness
key      = ["rental_id"]
encoding = "auto"               # utf-8, gb18030; header = false -> columns are "1","2",…
where    = { store_id = "1" }   # after joins
[[join]]
file = "inventory.csv"          # beside the input
on   = { inventory_id = "inventory_id" }
take = ["store_id"]
[[field]]
column = "rental_date"
to     = "opened_at"            # path in the message, lines.0.amount
type   = "time"                 # text name phone plate vin day time money number hours bool ref
format = "2006-01-02 15:04:05"
zone   = "Asia/Shanghai"
[[field]]
column = "customer_id"
to     = "customer"
type   = "ref"                  # resolved by source id; absent -> reject, or create = true: a stub
`

func files(m map[string]string) fstest.MapFS {
	f := fstest.MapFS{}
	for n, s := range m {
		f[n] = &fstest.MapFile{Data: []byte(s)}
	}
	return f
}

func mustParse(t *testing.T, text string) *Map {
	t.Helper()
	m, err := Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// convertAll gives one line of text a row: "out", the reasons, or the records in short.
func convertAll(t *testing.T, m *Map, fsys fstest.MapFS, name string) (rows []Row, conv []Converted) {
	t.Helper()
	r, err := m.Open(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, conv
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
		var c Converted
		if row.Bad == nil && !row.Out {
			c = r.Convert(row)
		}
		conv = append(conv, c)
	}
}

func TestParse_DesignExample(t *testing.T) {
	m := mustParse(t, designMap)
	rows, conv := convertAll(t, m, files(map[string]string{
		"rental.csv":    "rental_id,rental_date,inventory_id,customer_id\n7,2005-05-24 22:53:30,11,130\n8,2005-05-24 22:54:33,12,459\n9,2005-05-25 00:00:00,99,1\n",
		"inventory.csv": "inventory_id,store_id\n11,1\n12,2\n",
	}), "rental.csv")
	if len(rows) != 3 || rows[0].Out || !rows[1].Out || rows[2].Bad == nil {
		t.Fatalf("rows: %+v", rows)
	}
	r := conv[0].Row
	o := r.GetRecords()[0].GetServiceOrder()
	want := time.Date(2005, 5, 24, 14, 53, 30, 0, time.UTC).UnixMilli()
	if r.GetKey() != "7" || o.GetOpenedAt() != want || o.GetSourceIds()[0].GetSource() != "sakila" || o.GetSourceIds()[0].GetId() != "7" {
		t.Errorf("got %v", r)
	}
	if ref := r.GetRefs()[0]; ref.GetField() != "customer" || ref.GetSource() != "sakila" || ref.GetKey() != "130" || ref.GetStub() != nil {
		t.Errorf("ref: %v", ref)
	}
	if got := rows[2].Bad[0]; got.Field != "inventory_id" || got.Value != "99" || rows[2].Line != 4 {
		t.Errorf("an unmatched row: %+v", rows[2])
	}
}

func TestParse_EmbeddedMapsAreGood(t *testing.T) {
	if len(Names()) < 3 {
		t.Fatal(Names())
	}
	for _, n := range Names() {
		if _, err := Named(n); err != nil {
			t.Error(err)
		}
	}
	if _, err := Named("nothing"); !errors.Is(err, schema.ErrNotFound) {
		t.Error(err)
	}
}

func TestParse_Refusals(t *testing.T) {
	const head = "kind = \"customer\"\nsource = \"x\"\nkey = [\"id\"]\n"
	for _, c := range []struct{ text, want string }{
		{head + "sauce = 1", `line 4: unknown key "sauce"`},
		{head + "[[field]]\ncolumn = \"a\"\nto = \"name\"\ncoloumn = \"b\"", `line 7: unknown key "field.coloumn"`},
		{head + "[[join]]\nfile=\"a.csv\"\ntke=[\"x\"]", `line 6: unknown key "join.tke"`},
		{head + "[[field]]\ncolumn = \"a\"\nto = \"nam\"", "line 4: to nam: Customer has no field \"nam\""},
		{head + "[[field]]\ncolumn = \"a\"\nto = \"name\"\ntype = \"money\"", "does not go into"},
		{head + "[[field]]\ncolumn = \"a\"\nto = \"name\"\ntype = \"nmae\"", "none of text name"},
		{head + "[[field]]\ncolumn = \"a\"\nvalue = \"b\"\nto = \"name\"", "one of column"},
		{head + "[[field]]\nto = \"name\"", "column is missing"},
		{head + "[[field]]\ncolumn = \"a\"\nto = \"phones\"", "phones is a list"},
		{head + "[[field]]\ncolumn = \"a\"\nto = \"phones.50.number\"", "no entry"},
		{head + "[[field]]\ncolumn = \"a\"\nto = \"phones.0\"", "name a field"},
		{head + "[[field]]\ncolumn = \"a\"\nto = \"lines.0.item\"", "no field \"lines\""},
		{head + "[[field]]\ncolumn = \"a\"\nto = \"birthday\"\ntype = \"text\"", "does not go into"},
		{head + "[[field]]\ncolumn = \"a\"\nto = \"birthday\"\ntype = \"day\"\nformat = \"DD.MM.YYYY\"", "not a layout"},
		{head + "[[field]]\ncolumn = \"a\"\nto = \"birthday\"\ntype = \"day\"\nformat = \"02-01\"", "not a layout"},
		{head + "[[field]]\ncolumn = \"a\"\nto = \"birthday\"\ntype = \"day\"\nzone = \"UTC\"", "zone is for time"},
		{head + "[[field]]\nvalue = \"MAYBE\"\nto = \"type\"", "is none of PERSON, COMPANY"},
		{head + "[[field]]\ncolumn = \"a\"\nto = \"name\"\n[[field]]\ncolumn = \"b\"\nto = \"name\"", "line 7: to: \"name\" is given twice"},
		{head + "[[join]]\nfile=\"../a.csv\"\non={a=\"a\"}\ntake=[\"x\"]", "beside the input"},
		{head + "encoding = \"latin1\"", "line 4: encoding"},
		{head + "where = { a = 1 }", "line 4"},
		{head + "[shard]\ncolumn=\"a\"\nof=3\nindex=3", "not possible"},
		{"kind = \"customers\"\nsource = \"x\"\nkey = [\"id\"]", "line 1: kind: there is no kind"},
		{"kind = \"customer\"\nkey = [\"id\"]", "source is missing"},
		{"kind = \"customer\"\nsource = \"x\"", "key is missing"},
		{"kind = ", "line 1"},
		{"id = [\"a\"]\nkind = \"customer\"\nsource=\"x\"\nkey=[\"a\"]", "line 1: id: is for matching"},
		{"id = [\"a\"]\nkey=[\"a\"]", "names its rows by id"},
		{"id = [\"a\"]\n[[field]]\ncolumn=\"v\"\ntype=\"money\"", "line 2: field: type \"money\" is none of name given_name"},
		{"id = [\"a\"]\n[[field]]\ncolumn=\"v\"", "type is missing"},
		{"id = [\"a\"]\n[[field]]\ntype=\"name\"", "column is missing"},
		{"id = [\"a\"]\n[[field]]\ncolumn=\"v\"\ntype=\"name\"\nto=\"name\"", "column and type only"},
		{"kind = \"tie\"\nsource=\"x\"\nkey=[\"a\"]\n[[field]]\ncolumn=\"v\"\nto=\"vehicle.vin\"", "create = true"},
		{"kind = \"tie\"\nsource=\"x\"\nkey=[\"a\"]\n[[field]]\ncolumn=\"v\"\nto=\"vehicle\"", "type is ref"},
		{"kind = \"service_order\"\nsource=\"x\"\nkey=[\"a\"]\n[[field]]\ncolumn=\"v\"\nto=\"lines.0.order\"\ntype=\"ref\"", "own references"},
		{"\xff\xfe", "UTF-8"},
	} {
		_, err := Parse("t", []byte(c.text))
		if err == nil || !errors.Is(err, schema.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

const people = `
kind   = "customer"
source = "old"
key    = ["id"]
[[field]]
column = "name"
to     = "name"
type   = "name"
required = true
[[field]]
column = "tel"
to     = "phones.0.number"
type   = "phone"
[[field]]
value  = "mobile"
to     = "phones.0.label"
[[field]]
column = "tel2"
to     = "phones.1.number"
type   = "phone"
[[field]]
column = "born"
to     = "birthday"
type   = "day"
[[field]]
column = "ok"
to     = "consent_survey.given"
type   = "bool"
[[field]]
column = "class"
to     = "value_class"
type   = "number"
`

func TestConvert_Paths(t *testing.T) {
	rows, conv := convertAll(t, mustParse(t, people), files(map[string]string{"p.csv": "id,name,tel,tel2,born,ok,class\n" +
		"1,  王　小明 ,,13812345678,1980年3月7日,否,４\n" + // full-width space and digit; only the second phone
		"2,,,,1980/3/7,,\n" +
		"3,李四,none,,03/04/1980,maybe,9\n" +
		"4,赵六,,,,,2147483648\n" +
		",x,,,,,\n" +
		"6," + strings.Repeat("长", 201) + ",,,,,\n"}), "p.csv")
	c := conv[0].Row.GetRecords()[0].GetCustomer()
	if c.GetName() != "王 小明" || len(c.GetPhones()) != 1 || c.GetPhones()[0].GetNumber() != "13812345678" || c.GetPhones()[0].Label != nil ||
		c.GetBirthday() != "1980-03-07" || c.GetConsentSurvey() == nil || c.GetConsentSurvey().GetGiven() || c.GetValueClass() != 4 {
		t.Errorf("got %v", c)
	}
	for i, want := range map[int]string{
		1: "name:is empty",
		2: "phones.0.number:is no telephone number|birthday:is no date that can be read one way only|consent_survey.given:is neither yes nor no",
		3: "value_class:is too large a number",
		4: "id:the key is empty",
		5: "name:must be at most 200 characters",
	} {
		var got []string
		for _, v := range conv[i].Bad {
			got = append(got, v.Field+":"+v.Reason)
		}
		for _, w := range strings.Split(want, "|") {
			if !strings.Contains(strings.Join(got, "|"), w) {
				t.Errorf("line %d: %q lacks %q", rows[i].Line, got, w)
			}
		}
		if conv[i].Row != nil {
			t.Errorf("line %d was taken", rows[i].Line)
		}
	}
}

func TestConvert_LinesAndStubs(t *testing.T) {
	m := mustParse(t, `
kind="service_order"
source="dms"
key=["shop","no"]
[[field]]
column="vin"
to="vehicle"
type="ref"
create=true
[[field]]
column="vin"
to="vehicle.vin"
type="vin"
[[field]]
column="plate"
to="vehicle.plates.0.plate"
type="plate"
[[field]]
value="LABOUR"
to="lines.0.kind"
[[field]]
column="work"
to="lines.0.item"
[[field]]
column="hours"
to="lines.0.billed_minutes"
type="hours"
[[field]]
value="PART"
to="lines.3.kind"
[[field]]
column="total"
minus="work_price"
to="lines.3.amount"
type="money"
[[field]]
value="MAKER"
to="lines.3.payer"
[[field]]
column="qty"
to="lines.3.part_quantity"
type="number"
[[field]]
column="tax"
to="lines.3.tax_rate"
type="number"
`)
	_, conv := convertAll(t, m, files(map[string]string{"o.csv": "shop,no,vin,plate,work,hours,total,work_price,qty,tax\n" +
		"a/b,1,1M8GDM9AXKP042788,沪a·12345,oil,1.5h,\"¥1,000.10\",0.2,0.75,13%\n" +
		"a,2,,,oil,0:45,,,,\n" +
		"a,3,,沪A12345,,,,,,\n" +
		"a,4,LSVAA4182E2123456,,,,1.005,,,\n"}), "o.csv")
	r := conv[0].Row
	if r == nil || r.GetKey() != `a\/b/1` || len(r.GetRecords()) != 3 {
		t.Fatalf("got %v %v", r, conv[0].Bad)
	}
	l0, l3 := r.GetRecords()[1].GetServiceLine(), r.GetRecords()[2].GetServiceLine()
	if l0.GetOrder() != "$0" || l0.GetPosition() != 1 || l0.GetBilledMinutes() != 90 || l0.GetItem() != "oil" {
		t.Errorf("line 0: %v", l0)
	}
	if l3.GetPosition() != 4 || l3.GetAmount() != 999_90 || l3.GetPayer() != branchlinev1.Payer_PAYER_MAKER || l3.GetPartQuantity() != 750 || l3.GetTaxRate() != 1300 {
		t.Errorf("line 3: %v", l3)
	}
	v := r.GetRefs()[0].GetStub().GetVehicle()
	if v.GetVin() != "1M8GDM9AXKP042788" || !v.GetVinChecked() || v.GetPlates()[0].GetPlate() != "沪A12345" || v.GetSourceIds()[0].GetId() != "1M8GDM9AXKP042788" {
		t.Errorf("stub: %v", v)
	}
	if c := conv[1]; c.Row == nil || len(c.Row.GetRecords()) != 2 || len(c.Row.GetRefs()) != 0 || c.Row.GetRecords()[1].GetServiceLine().GetBilledMinutes() != 45 {
		t.Errorf("without a car: %v %v", c.Row, c.Bad)
	}
	if c := conv[2]; c.Row != nil || c.Bad[0].Field != "vehicle" {
		t.Errorf("a plate without the car's key: %v", c.Row)
	}
	if c := conv[3]; c.Row != nil || c.Bad[0].Field != "lines.3.amount" || len(c.Warnings) != 1 {
		t.Errorf("three decimals, bad VIN: %v %v %v", c.Row, c.Bad, c.Warnings)
	}
}

func TestJoin(t *testing.T) {
	m := mustParse(t, `
kind="service_order"
source="s"
key=["id"]
where={ site="1" }
[[join]]
file="pay.csv"
on={ id="rental" }
sum=["amount"]
optional=true
[[join]]
file="site.csv"
on={ item="item" }
take=["site"]
[[field]]
column="amount"
to="lines.0.amount"
type="money"
`)
	in := map[string]string{
		"in.csv":   "id,item\n1,a\n2,a\n3,b\n4,c\n",
		"pay.csv":  "rental,amount\n1,0.99\n1,\"1,000.01\"\n1,1\n3,x\n",
		"site.csv": "item,site\na,1\nb,1\nb,2\n",
	}
	rows, conv := convertAll(t, m, files(in), "in.csv")
	if got := conv[0].Row.GetRecords()[1].GetServiceLine().GetAmount(); got != 1002_00 {
		t.Errorf("sum %d", got)
	}
	if len(conv[1].Row.GetRecords()) != 1 {
		t.Errorf("no payment, no line: %v", conv[1].Row)
	}
	if !strings.Contains(rows[2].Bad[0].Reason, "pay.csv line 5") {
		t.Errorf("an amount that is none: %+v", rows[2])
	}
	if !strings.Contains(rows[3].Bad[0].Reason, "no row") {
		t.Errorf("no item: %+v", rows[3])
	}
	in["pay.csv"] = "rental,amount\n"
	rows, _ = convertAll(t, m, files(in), "in.csv")
	if !strings.Contains(rows[2].Bad[0].Reason, "2 rows") {
		t.Errorf("two items: %+v", rows[2])
	}
	for name, content := range map[string]string{"pay.csv": "rental,amnt\n", "site.csv": "item,site\na\n", "in.csv": "id,item,site\n"} {
		broken := map[string]string{}
		for k, v := range in {
			broken[k] = v
		}
		broken[name] = content
		if _, err := m.Open(files(broken), "in.csv"); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%s as %q: %v", name, content, err)
		}
		delete(broken, name)
		if _, err := m.Open(files(broken), "in.csv"); !errors.Is(err, schema.ErrNotFound) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestOpen_Encodings(t *testing.T) {
	text := "id,name,tel,tel2,born,ok,class\n1,欧阳娜娜𠮷,,,,,\n"
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	u16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]string{"utf-8": text, "utf-8 with mark": "\ufeff" + text, "gb18030": gb, "utf-16": u16, "crlf": strings.ReplaceAll(text, "\n", "\r\n")} {
		_, conv := convertAll(t, mustParse(t, people), files(map[string]string{"p.csv": b}), "p.csv")
		if len(conv) != 1 || conv[0].Row == nil || conv[0].Row.GetRecords()[0].GetCustomer().GetName() != "欧阳娜娜𠮷" {
			t.Errorf("%s: %v", name, conv)
		}
	}
	// One bad row of a file declared UTF-8 costs that row only.
	m := mustParse(t, "encoding=\"utf-8\"\n"+people)
	rows, conv := convertAll(t, m, files(map[string]string{"p.csv": text + "2,\xc0\xc0,,,,,\n3,张三,,,,,\n"}), "p.csv")
	if len(rows) != 3 || rows[1].Bad == nil || conv[2].Row == nil {
		t.Errorf("rows %+v", rows)
	}
}

func TestOpen_NoHeader(t *testing.T) {
	m := mustParse(t, "kind=\"customer\"\nsource=\"s\"\nkey=[\"1\"]\nheader=false\nseparator=\"\\t\"\n[[field]]\ncolumn=\"2\"\nto=\"name\"\n")
	_, conv := convertAll(t, m, files(map[string]string{"p": "7\tx\n8\ty"}), "p")
	if len(conv) != 2 || conv[0].Row.GetKey() != "7" || conv[1].Row.GetRecords()[0].GetCustomer().GetName() != "y" {
		t.Errorf("%v", conv)
	}
}

func TestOpen_Refusals(t *testing.T) {
	m := mustParse(t, people)
	for name, c := range map[string]struct{ text, want string }{
		"empty":     {"", "empty"},
		"no column": {"id,nam,tel,tel2,born,ok,class\n", "no column \"name\"; it has id, nam"},
		"twice":     {"id,id\n", "twice"},
		"quote":     {"id,\"name\n", "never closed"},
	} {
		_, err := m.Open(files(map[string]string{"p": c.text}), "p")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestScanner_BrokenRowsCostThemselvesOnly(t *testing.T) {
	long := strings.Repeat("x", MaxRow+10)
	text := "a,b\n" + // 1
		"\"x, y\",\"say \"\"hi\"\"\"\n" + // 2
		"\n" +
		"\"two\nlines\",z\n" + // 4, 5
		"open,\"never\n" + // 6
		"q,w\n" + // 7
		long + "\n" + // 8
		"\"done\" x,1\n" + // 9
		"1,\"" + strings.Repeat("y", MaxField+1) + "\"\n" + // 10
		"5'10\",last" // 11
	var got []string
	s := newScanner(strings.NewReader(text), ',')
	for {
		cells, line, err := s.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if b, ok := errors.AsType[*brokenRow](err); ok {
			got = append(got, fmt.Sprintf("%d!%s", line, b.reason))
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%d:%q", line, cells))
	}
	want := []string{
		`1:["a" "b"]`, `2:["x, y" "say \"hi\""]`, `4:["two\nlines" "z"]`,
		`6!a quote`, `7:["q" "w"]`, `8!the row is longer`, `9!cell 1: text after`, `10!cell 2 is longer`, `11:["5'10\"" "last"]`,
	}
	if len(got) != len(want) {
		t.Fatalf("got %d rows: %.300q", len(got), got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got %.100s, want %s", got[i], want[i])
		}
	}
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte("a,b\n\"c\nd\",e\n\"x"), byte(','))
	f.Fuzz(func(t *testing.T, b []byte, sep byte) {
		if sep == '"' || sep == '\n' || sep == '\r' || sep >= 0x80 {
			return
		}
		s := newScanner(strings.NewReader(string(b)), sep)
		for range len(b) + 2 {
			_, _, err := s.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if _, broken := errors.AsType[*brokenRow](err); err != nil && !broken {
				t.Fatal(err)
			}
		}
		t.Fatal("more rows than bytes")
	})
}

func TestParse_MatchMap(t *testing.T) {
	m := mustParse(t, "id = [\"b\", \"n\"]\n[[field]]\ncolumn=\"who\"\ntype=\"name\"\n")
	if !m.Matching() || m.Kind != nil || strings.Join(m.ID, "/") != "b/n" || m.Fields[0].Type != "name" {
		t.Errorf("%+v", m)
	}
	if _, err := m.Open(files(map[string]string{"p": "b,n,name\n1,2,x\n"}), "p"); err == nil || !strings.Contains(err.Error(), "no column \"who\"") {
		t.Error(err)
	}
	if _, err := m.Open(files(map[string]string{"p": "b,who\n1,x\n"}), "p"); err == nil || !strings.Contains(err.Error(), "no column \"n\"") {
		t.Error(err)
	}
	if mustParse(t, people).Matching() {
		t.Error("a map with a kind is for an import")
	}
}

func TestEnumValue_ByItsNameOrCode(t *testing.T) {
	languages := branchlinev1.Language(0).Descriptor()
	for text, want := range map[string]branchlinev1.Language{
		"LANGUAGE_EN": branchlinev1.Language_LANGUAGE_EN, "en": branchlinev1.Language_LANGUAGE_EN, "zh-TW": branchlinev1.Language_LANGUAGE_ZH_TW, "zh_cn": branchlinev1.Language_LANGUAGE_ZH_CN,
	} {
		if got, err := enumValue(languages, text); err != nil || got.Enum() != want.Number() {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"fr", "UNSPECIFIED", ""} {
		if got, err := enumValue(languages, text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
