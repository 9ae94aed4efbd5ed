package intake

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/mapfile"
	"branchline/schema/sample"
)

// site answers as a node does: keys are known by kind and source, references resolve to them, stubs
// are made.
type site struct {
	keys   map[string]int // "kind source key" -> how often written
	amount int64
	lines  int
	calls  int
	// likes are who is here that the customers with a key are like, by key.
	likes map[string][]*branchlinev1.ImportLike
	// before is asked before each request; an error of it is the answer.
	before func(call int, r *branchlinev1.ImportRowsRequest) error
}

func (s *site) ImportRows(_ context.Context, r *branchlinev1.ImportRowsRequest) (*branchlinev1.ImportRowsResponse, error) {
	s.calls++
	if s.before != nil {
		if err := s.before(s.calls, r); err != nil {
			return nil, err
		}
	}
	if err := schema.Validate(r); err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	if s.keys == nil {
		s.keys = map[string]int{}
	}
	out := &branchlinev1.ImportRowsResponse{}
	for _, row := range r.GetRows() {
		res := s.row(r, row)
		if r.GetLikes() && !res.GetSkipped() {
			res.Made, res.Likes = []string{"customers/" + row.GetKey()}, s.likes[row.GetKey()]
		}
		out.Results = append(out.Results, res)
	}
	return out, nil
}

func (s *site) row(r *branchlinev1.ImportRowsRequest, row *branchlinev1.ImportRow) *branchlinev1.ImportResult {
	k, _, err := schema.BodyOf(row.GetRecords()[0])
	if err != nil {
		return &branchlinev1.ImportResult{Violations: []*branchlinev1.ImportViolation{{Reason: err.Error()}}}
	}
	key := k.Name + " " + r.GetSource() + " " + row.GetKey()
	if s.keys[key] > 0 {
		return &branchlinev1.ImportResult{Skipped: true}
	}
	for _, ref := range row.GetRefs() {
		to := schema.KindOf(k.Field(ref.GetField()).Ref).Name + " " + ref.GetSource() + " " + ref.GetKey()
		if s.keys[to] == 0 {
			if ref.GetStub() == nil {
				return &branchlinev1.ImportResult{Violations: []*branchlinev1.ImportViolation{{Field: ref.GetField(), Reason: "there is no such record"}}}
			}
			if !r.GetDryRun() {
				s.keys[to]++
			}
		}
	}
	if r.GetDryRun() {
		return &branchlinev1.ImportResult{}
	}
	s.keys[key]++
	for _, rec := range row.GetRecords() {
		if l := rec.GetServiceLine(); l != nil {
			s.lines++
			s.amount += l.GetAmount()
		}
	}
	return &branchlinev1.ImportResult{Name: "x"}
}

func (s *site) count(kind string) (n int) {
	for k, times := range s.keys {
		if strings.HasPrefix(k, kind+" ") {
			if times != 1 {
				return -1
			}
			n++
		}
	}
	return n
}

const testMap = `
kind="customer"
source="s"
key=["id"]
where={ site="1" }
[[field]]
column="name"
to="name"
required=true
[[field]]
column="vin"
to="remark"
`

func intake(t *testing.T, s *site, m, csvText string, change func(*Config)) (*Intake, string) {
	t.Helper()
	mp, err := mapfile.Parse("test", []byte(m))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(file, []byte(csvText), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Config{Map: mp, File: file, Send: s.ImportRows}
	if change != nil {
		change(&c)
	}
	x, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return x, file
}

func readRejects(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestRun_RejectsAndTheRestGoesIn(t *testing.T) {
	s := &site{}
	x, file := intake(t, s, strings.Replace(testMap, "column=\"vin\"\nto=\"remark\"", "column=\"vin\"\nto=\"birthday\"\ntype=\"day\"", 1),
		"id,name,vin,site\n1,a,1980-01-01,1\n2,,x,1\n3,c,,2\n4,d\n5,\"e,\",1980-13-01,1\n1,a,1980-01-01,1\n1,b,,1\n6,f,,1\n", nil)
	res, err := x.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := (Counts{Rows: 8, Out: 1, Done: 2, Skipped: 1, Rejected: 4}); res.Counts != want {
		t.Errorf("got %+v, want %+v", res.Counts, want)
	}
	got := readRejects(t, res.Rejects)
	want := [][]string{
		{"line", "field", "value", "reason", "id", "name", "vin", "site"},
		{"3", "name", "", "name: is empty; birthday: is no date that can be read one way only: say format in the map", "2", "", "x", "1"},
		{"5", "", "", "the row has 2 cells instead of 4", "4", "d"},
		{"6", "birthday", "1980-13-01", "is no date that can be read one way only: say format in the map", "5", "e,", "1980-13-01", "1"},
		{"8", "id", "1", "the key stands in line 2 already, with other content", "1", "b", "", "1"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("rejects\n%q\nwant\n%q", got, want)
	}
	if st, err := os.Stat(res.Rejects); err != nil || st.Mode().Perm() != 0o600 || res.Rejects != file+".rejects.csv" {
		t.Errorf("%v %v", st.Mode(), err)
	}
	if s.count("customer") != 2 {
		t.Errorf("written %v", s.keys)
	}
}

// Whom customers look like is counted and written down, but for those that came in with the same run.
func TestRun_WritesDownWhoLooksAlike(t *testing.T) {
	like := func(names ...string) (out []*branchlinev1.ImportLike) {
		for _, n := range names {
			out = append(out, &branchlinev1.ImportLike{Record: "customers/" + n, Agrees: []string{"phone", "name"}})
		}
		return out
	}
	var rows strings.Builder
	for i := range batchRows + 3 {
		fmt.Fprintf(&rows, "%d,n,,1\n", i)
	}
	last := strconv.Itoa(batchRows + 2)
	for _, dry := range []bool{true, false} {
		// The last row comes in another request than row 3, which it is like.
		s := &site{likes: map[string][]*branchlinev1.ImportLike{"3": like("x", "y"), last: like("3", "y"), "7": like("5")}}
		x, file := intake(t, s, testMap, "id,name,vin,site\n"+rows.String(), func(c *Config) { c.DryRun = dry })
		res, err := x.Run(t.Context())
		if err != nil || res.Alike != 2 || res.Likes != file+".likes.csv" || res.Done != batchRows+3 {
			t.Fatalf("dry %v: %+v, %v", dry, res, err)
		}
		got, want := readRejects(t, res.Likes), [][]string{
			{"line", "key", "customer_here", "agrees", "id", "name", "vin", "site"},
			{"5", "3", "customers/x", "phone name", "3", "n", "", "1"},
			{"5", "3", "customers/y", "phone name", "3", "n", "", "1"},
			{strconv.Itoa(batchRows + 4), last, "customers/y", "phone name", last, "n", "", "1"},
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("dry %v: likes\n%q\nwant\n%q", dry, got, want)
		}
	}
}

func TestRun_CleanRunLeavesNoRejects(t *testing.T) {
	x, file := intake(t, &site{}, testMap, "id,name,vin,site\n1,a,,1\n", nil)
	if err := os.WriteFile(file+".rejects.csv", []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	res, err := x.Run(t.Context())
	if err != nil || res.Rejects != "" {
		t.Fatal(res, err)
	}
	if _, err := os.Stat(file + ".rejects.csv"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the rejects of an earlier run are still there: %v", err)
	}
}

func many(n int) string {
	var b strings.Builder
	b.WriteString("id,name,vin,site\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,name %d,,1\n", i, i)
	}
	return b.String()
}

func TestRun_AgainIsTheResume(t *testing.T) {
	cut := errors.New("the node went away")
	s := &site{before: func(call int, _ *branchlinev1.ImportRowsRequest) error {
		if call == 3 {
			return cut
		}
		return nil
	}}
	var told []Progress
	x, _ := intake(t, s, testMap, many(1700), func(c *Config) { c.Progress = func(p Progress) { told = append(told, p) } })
	res, err := x.Run(t.Context())
	if !errors.Is(err, cut) || res.Done != 1000 {
		t.Fatalf("%+v, %v", res, err)
	}
	s.before = nil
	if res, err = x.Run(t.Context()); err != nil || res.Done != 700 || res.Skipped != 1000 || s.count("customer") != 1700 {
		t.Errorf("%+v, %v, written %d", res, err, s.count("customer"))
	}
	if last := told[len(told)-1]; last.Done != 700 || last.Read != last.Size || last.Size == 0 {
		t.Errorf("progress %+v", last)
	}
}

func TestRun_OneRowTheNodeCannotReadCostsItselfOnly(t *testing.T) {
	s := &site{before: func(_ int, r *branchlinev1.ImportRowsRequest) error {
		for _, row := range r.GetRows() {
			if row.GetKey() == "333" {
				return connect.NewError(connect.CodeInvalidArgument, errors.New("unreadable"))
			}
		}
		return nil
	}}
	x, _ := intake(t, s, testMap, many(800), nil)
	res, err := x.Run(t.Context())
	if err != nil || res.Done != 799 || res.Rejected != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	if got := readRejects(t, res.Rejects); got[1][0] != "335" || !strings.Contains(got[1][3], "unreadable") {
		t.Errorf("%q", got)
	}
}

func TestRun_BatchesStayWithinBounds(t *testing.T) {
	s := &site{before: func(_ int, r *branchlinev1.ImportRowsRequest) error {
		if n := proto.Size(r); len(r.GetRows()) > batchRows || n > batchBytes+batchBytes/10 {
			return fmt.Errorf("%d rows, %d bytes", len(r.GetRows()), n)
		}
		return nil
	}}
	text := "id,name,vin,site\n"
	for i := range 1200 {
		text += fmt.Sprintf("%d,n,%s,1\n", i, strings.Repeat("字", 660))
	}
	x, _ := intake(t, s, testMap, text, nil)
	if res, err := x.Run(t.Context()); err != nil || res.Done != 1200 || s.calls < 3 {
		t.Errorf("%+v in %d calls, %v", res, s.calls, err)
	}
}

func TestRun_DryRunStoresNothing(t *testing.T) {
	s := &site{}
	x, _ := intake(t, s, testMap, many(10), func(c *Config) { c.DryRun = true })
	if res, err := x.Run(t.Context()); err != nil || res.Done != 10 || len(s.keys) != 0 {
		t.Errorf("%+v, %v, %v", res, err, s.keys)
	}
}

func TestRun_Stops(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := &site{before: func(call int, _ *branchlinev1.ImportRowsRequest) error {
		if call == 2 {
			stop()
			return ctx.Err()
		}
		return nil
	}}
	x, _ := intake(t, s, testMap, many(5000), nil)
	if res, err := x.Run(ctx); !errors.Is(err, context.Canceled) || res.Done != 500 {
		t.Errorf("%+v, %v", res, err)
	}
	short := &site{}
	y, _ := intake(t, short, testMap, many(5), func(c *Config) {
		c.Send = func(context.Context, *branchlinev1.ImportRowsRequest) (*branchlinev1.ImportRowsResponse, error) {
			return &branchlinev1.ImportRowsResponse{}, nil
		}
	})
	if _, err := y.Run(t.Context()); err == nil {
		t.Error("an answer without results was taken")
	}
}

func TestNew_Refusals(t *testing.T) {
	m, err := mapfile.Named("sakila-customers")
	if err != nil {
		t.Fatal(err)
	}
	noKind, err := mapfile.Parse("x", nil)
	if err != nil {
		t.Fatal(err)
	}
	send := (&site{}).ImportRows
	for _, c := range []Config{{}, {Map: noKind, File: "a", Send: send}, {Map: m, Send: send}, {Map: m, File: "-", Send: send}, {Map: m, File: "a"}, {Map: m, File: "a", Send: send, Rejects: "./a"}, {Map: m, File: "a", Send: send, Likes: "./a"}, {Map: m, File: "a", Send: send, Likes: "b", Rejects: "./b"}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	x, err := New(Config{Map: m, File: filepath.Join(t.TempDir(), "none.csv"), Send: send})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Run(t.Context()); !errors.Is(err, schema.ErrNotFound) {
		t.Errorf("no file: %v", err)
	}
}

// real imports one map from the shared data into a site; rejects go elsewhere, the data is read-only.
func real(t *testing.T, s *site, name, file string, c mapfile.Choice) Result {
	t.Helper()
	dir := sample.Path(t, "data", "real")
	m, err := mapfile.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = m.With(c); err != nil {
		t.Fatal(err)
	}
	x, err := New(Config{Map: m, File: filepath.Join(dir, file), Send: s.ImportRows, Rejects: filepath.Join(t.TempDir(), "r.csv")})
	if err != nil {
		t.Fatal(err)
	}
	res, err := x.Run(t.Context())
	if err != nil || res.Rejected > 0 {
		t.Fatalf("%s: %+v, %v", name, res, err)
	}
	return res
}

// Each site takes its own part; what they have together is what the data's SOURCE.md says.
func TestRun_RealFiles(t *testing.T) {
	var amount int64
	for store, want := range map[string]int{"1": 7_923, "2": 8_121} {
		s := &site{}
		where := mapfile.Choice{Where: map[string]string{"store_id": store}}
		c := real(t, s, "sakila-customers", "sakila-two-stores/customer.csv", where)
		real(t, s, "sakila-rentals", "sakila-two-stores/rental.csv", where)
		if s.count("service_order") != want || s.count("customer") != 599 || s.lines != want {
			t.Errorf("store %s: %d orders, %d customers, %d lines; registered %d", store, s.count("service_order"), s.count("customer"), s.lines, c.Done)
		}
		amount += s.amount
		if again := real(t, s, "sakila-rentals", "sakila-two-stores/rental.csv", where); again.Skipped != want || again.Done != 0 {
			t.Errorf("store %s again: %+v", store, again.Counts)
		}
	}
	if amount != 67_416_51 {
		t.Errorf("payments %d", amount)
	}
	orders, cars, warned := 0, map[string]bool{}, 0
	amount = 0
	for i := range 3 {
		s := &site{}
		res := real(t, s, "warranty-repairs", "warranty-repairs/task2.csv", mapfile.Choice{Part: &mapfile.Part{Of: 3, Index: i}})
		orders += s.count("service_order")
		amount += s.amount
		warned += res.Warned
		for k := range s.keys {
			if strings.HasPrefix(k, "vehicle ") {
				cars[k] = true
			}
		}
	}
	if orders != 100 || amount != 53_119_32 || len(cars) != 98 || warned != 98 {
		t.Errorf("repairs: %d orders, %d, %d cars, %d warned", orders, amount, len(cars), warned)
	}
}
