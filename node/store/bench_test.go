package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// feedOf is a bootstrap: customers of about 300 bytes and orders of about 500, in pages as HQ cuts them.
func feedOf(tb testing.TB, customers, orders int, search bool) []*wirev1.Page {
	tb.Helper()
	at := time.Date(2026, 1, 5, 7, 0, 0, 0, time.UTC)
	var pages []*wirev1.Page
	p, size, rev := &wirev1.Page{Epoch: 7}, 0, int64(0)
	id := func(i int) schema.RecordID {
		var r schema.RecordID
		binary.BigEndian.PutUint64(r[:], uint64(at.Add(time.Duration(i)*time.Second).UnixMilli())<<16|7<<12)
		binary.BigEndian.PutUint64(r[8:], uint64(i)*0x9e3779b97f4a7c15)
		return r
	}
	add := func(i int, k schema.Kind, m proto.Message) {
		rev++
		r := id(i)
		row := recordRow(rev, r, k, "xh", foreignState(tb, "xh", 5, rev, at, m))
		p.Rows = append(p.Rows, row)
		p.LastRev = rev
		if size += len(row.State) + 40; size > 768<<10 {
			pages = append(pages, p)
			p, size = &wirev1.Page{Epoch: 7}, 0
		}
	}
	text := strings.Repeat("brake pads worn front axle noise at low speed ", 3)
	family := []string{"王", "李", "张", "刘", "陈", "杨", "赵", "黄"}
	given := []string{"小明", "伟", "秀英", "建国", "晓红", "志强"}
	for i := range customers {
		c := &branchlinev1.Customer{
			Remark: proto.String(text[:40]), Birthday: proto.String("1980-01-02"), PreferredChannel: proto.String("phone"),
		}
		if search {
			c.Name = proto.String(family[i%len(family)] + given[i/8%len(given)])
			c.Phones = []*branchlinev1.Phone{{Number: proto.String(fmt.Sprintf("138%08d", i*7919%100000000))}}
			c.Addresses = []*branchlinev1.Address{{City: proto.String("上海"), Street: proto.String(fmt.Sprintf("淮海中路%d号", i))}}
			c.Emails = []string{fmt.Sprintf("a.b%d@example.net", i)}
		} else {
			c.Preferences = []string{text[:60], text[:80]}
		}
		add(i, schema.Customer, c)
	}
	for i := range orders {
		o := &branchlinev1.ServiceOrder{
			Customer: proto.String(id(i % customers).String()), Branch: proto.String("xh"), Vin: proto.String("WAUZZZ8K1DA006278"), Plate: proto.String("沪A8K362"),
			Model: proto.String("Belmar"), OpenedAt: proto.Int64(at.UnixMilli()), State: branchlinev1.OrderState_IN_WORK.Enum(), Adviser: proto.String("Anna Abel"),
			Complaint: proto.String(text[:100]), Work: proto.String(text[:90]), Parts: proto.String(text[:40]), EstimateMinutes: proto.Int64(90), EstimateAmount: proto.Int64(12300),
			Day: proto.String("2026-01-05"),
		}
		if search {
			o.Number = proto.String(fmt.Sprintf("XHa-260105-%04d-K", i))
		}
		add(customers+i, schema.ServiceOrder, o)
	}
	p.Full, p.HqRev = true, rev
	return append(pages, p)
}

func TestApplyPage_Bootstrap(t *testing.T) {
	if testing.Short() {
		t.Skip("20,000 records")
	}
	b := open(t, "pd", 11)
	pages := feedOf(t, 5000, 15000, true)
	start := time.Now()
	for _, p := range pages {
		b.page(p)
	}
	took := time.Since(start)
	t.Logf("20,000 records with search in %v: %.0f records/s", took, 20000/took.Seconds())
	if l := b.line(); l.Records != 20000 || l.Pending != 0 {
		t.Fatalf("%+v", l)
	}
	start = time.Now()
	for _, q := range []string{"王小明", "ouyang", "lxm", "0000", "13800007919", "260105-0042-K"} {
		if _, _, err := b.Search(t.Context(), Asked{Query: q, Limit: 20, Today: "2026-01-05"}); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("six searches in %v", time.Since(start))
	// Everything again, as a full pass over the same revs: nothing changes.
	before, err := b.StateHash(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.BeginFullPass(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		b.page(p)
	}
	if after, err := b.StateHash(t.Context()); err != nil || after != before {
		t.Fatal("a second pass over the same rows changed something", err)
	}
}

func BenchmarkApplyPage(b *testing.B) {
	for _, search := range []bool{false, true} {
		b.Run(fmt.Sprintf("search=%t", search), func(b *testing.B) {
			pages := feedOf(b, 20000, 60000, search)
			for b.Loop() {
				b.StopTimer()
				br := open(b, "pd", 11)
				if err := br.BeginFullPass(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				for _, p := range pages {
					br.page(p)
				}
			}
			b.ReportMetric(80000*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func BenchmarkPut(b *testing.B) {
	br := open(b, "pd", 11)
	o := &branchlinev1.ServiceOrder{Number: proto.String("N"), Complaint: proto.String(strings.Repeat("x", 100)), Work: proto.String(strings.Repeat("y", 90)), Model: proto.String("Belmar")}
	for b.Loop() {
		br.put(Edit{Message: o})
	}
}

// BenchmarkPutAll is the cost of an edit without its fsync.
func BenchmarkPutAll(b *testing.B) {
	br := open(b, "pd", 11)
	o := &branchlinev1.ServiceOrder{Complaint: proto.String(strings.Repeat("x", 100)), Work: proto.String(strings.Repeat("y", 90)), Model: proto.String("Belmar")}
	for b.Loop() {
		if _, err := br.PutAll(context.Background(), 500, false, func(bt *Batch, i int) error {
			_, err := bt.Put(Edit{Kind: schema.ServiceOrder, Message: o, Actor: "li", Role: branchlinev1.Role_ROLE_CLERK})
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(500*float64(b.N)/b.Elapsed().Seconds(), "edits/s")
}

// BenchmarkPutBare is the same statements in one bare transaction: the ceiling of Put.
func BenchmarkPutBare(b *testing.B) {
	br := open(b, "pd", 11)
	o := &branchlinev1.ServiceOrder{Number: proto.String("N"), Complaint: proto.String(strings.Repeat("x", 100)), Work: proto.String(strings.Repeat("y", 90)), Model: proto.String("Belmar")}
	state := foreignState(b, "pd", 11, 1, br.now, o)
	k := schema.KindOf(schema.ServiceOrder)
	change, err := br.db.W.Prepare("INSERT INTO change (id, record, salt, payload, chain, at) VALUES ($1, $2, $3, $4, $5, $6)")
	if err != nil {
		b.Fatal(err)
	}
	defer change.Close()
	payload, salt, chain := make([]byte, len(state)+40), make([]byte, 16), make([]byte, 32)
	n := int64(0)
	for b.Loop() {
		n++
		id := br.mint()
		r := &row{n: n, id: id, kind: k, home: "pd", base: []byte{}, shown: state, own: n}
		p, err := r.prepare("")
		if err != nil {
			b.Fatal(err)
		}
		tx, err := br.db.W.Begin()
		if err != nil {
			b.Fatal(err)
		}
		_, err = tx.Stmt(change).Exec(n, id[:], salt, payload, chain, n)
		if err == nil {
			_, err = tx.Stmt(br.st.insert).Exec(p.insertArgs(nil)...)
		}
		if err == nil {
			_, err = tx.Stmt(br.st.term).Exec(p.facts.found.Terms[0], n)
		}
		if err == nil {
			_, err = tx.Stmt(br.st.pend).Exec(n, n)
		}
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFold is the full page after a long time offline: 20,000 own changes at once.
func BenchmarkFold(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		br := open(b, "pd", 11)
		o := &branchlinev1.ServiceOrder{Complaint: proto.String(strings.Repeat("x", 100))}
		if _, err := br.PutAll(context.Background(), 20000, false, func(bt *Batch, i int) error {
			_, err := bt.Put(Edit{Kind: schema.ServiceOrder, Message: o, Actor: "li", Role: branchlinev1.Role_ROLE_CLERK})
			return err
		}); err != nil {
			b.Fatal(err)
		}
		marks := br.marks(20000)
		b.StartTimer()
		br.page(&wirev1.Page{HqRev: 1, LastRev: 1, Full: true, Marks: marks})
		if l := br.line(); l.Pending != 0 {
			b.Fatal(l.Pending)
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	br := open(b, "pd", 11)
	for _, p := range feedOf(b, 20000, 60000, true) {
		br.page(p)
	}
	for _, q := range []string{"王小明", "小明", "wangxiaoming", "wxm", "wang", "0000", "13800007919", "沪A8K362", "006278", "260105-0042-K", "王 7919"} {
		b.Run(q, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := br.Search(context.Background(), Asked{Query: q, Limit: 20}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
