package web_test

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"
	"google.golang.org/protobuf/proto"

	"branchline/hq/api"
	"branchline/hq/feed"
	"branchline/hq/find"
	"branchline/hq/golden"
	"branchline/hq/inbox"
	"branchline/hq/report"
	"branchline/hq/store"
	"branchline/hq/web"
	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/account"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/serve"
	"branchline/schema/sql"
	"branchline/sync/bus/nkey"
)

// What a page of headquarters asks of the database does not grow with its rows: thirty more of everything it lists are
// thirty more rows of the same answers, and not thirty more questions. Where it does, it is said how much one asks.
func TestPages_AskNoMoreForMoreRows(t *testing.T) {
	const fewRows, manyRows = 6, 36
	aRow := map[string]int64{
		"/customers/{id}/members": 7, // what was decided, with who and when, is read from the changes; twenty at most
		"/match/decisions":        4, // likewise, of the half of them; thirty at most
		"/match":                  1, // who stands in the way from one registration to the other
		"/overdrawn":              4, // a card with its uses
	}
	few, many := stock(t, fewRows), stock(t, manyRows)
	for i, p := range few.pages {
		small, large := few.questions(p.path), many.questions(many.pages[i].path)
		t.Logf("%-50s %4d statements for %d rows, %4d for %d", p.route, small, fewRows, large, manyRows)
		if large > small+15+aRow[p.route]*(manyRows-fewRows) {
			t.Errorf("%s asks %d times for %d rows and %d times for %d", p.path, small, fewRows, large, manyRows)
		}
	}
}

// stocked is a headquarters with n of everything, much of it on one customer and his car, and its pages.
type stocked struct {
	*rig
	token string
	asked sql.Tally
	pages []struct{ route, path string }
}

// nobodyLinked is a headquarters without a road.
type nobodyLinked struct{}

func (nobodyLinked) Kick(schema.BranchID) int { return 0 }

// questions are the statements a page takes, once what is kept between pages has been read.
func (f *stocked) questions(path string) int64 {
	f.t.Helper()
	for range 2 {
		f.asked.Statements.Store(0)
		if a := f.get(path, f.token, look.En); a.status != http.StatusOK {
			f.t.Fatalf("%s: %d", path, a.status)
		}
	}
	return f.asked.Statements.Load()
}

func stock(t *testing.T, n int) *stocked {
	t.Helper()
	ctx := t.Context()
	f := &stocked{}
	random := rand.NewChaCha8(sha256.Sum256([]byte(t.Name())))
	key := must(nkey.NewSigner(must(nkey.NewSeed(random))(t)))(t)
	dir := t.TempDir()
	st := must(store.Open(ctx, store.Config{Dir: dir, Now: now, Rand: random, Signer: key}))(t)
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	scope := feed.NewScope(st)
	in := must(inbox.New(inbox.Config{Store: st, Scope: scope}))(t)
	gold := must(golden.New(golden.Config{Store: st, Scope: scope}))(t)
	log := slog.New(slog.DiscardHandler)
	a := must(api.New(api.Config{
		Store: st, Inbox: in, Index: must(find.New(st, nil))(t), Reports: must(report.New(report.Config{Store: st}))(t), Links: nobodyLinked{}, Catch: gold.Catch, Match: gold,
		Token: func(*inbox.Token) (string, error) { return "token", nil }, Dir: dir, Version: "1.2.3", Now: now, Log: log,
	}))(t)
	accounts := must(account.New(account.Config{
		Site: access.HQ, DB: st.DB(), Now: now, Rand: random, Log: log,
		Cost: &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	}))(t)
	site := must(web.New(web.Config{Zone: zone, Now: now, Rand: random, Log: log, Views: a.Records(), Links: a.Match(), Files: a.Records()}))(t)
	server := must(serve.New(serve.Config{
		Site: access.HQ, Accounts: accounts, Records: a.Records(), Sites: a.Sites(), Headquarters: a.Headquarters(), Match: a.Match(), Counter: a.Counter(), Now: now, Rand: random, Log: log,
		Pages: site.Register,
	}))(t)
	handler := server.Handler()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(sql.Counted(r.Context(), &f.asked)))
	}))
	t.Cleanup(srv.Close)
	f.rig = &rig{t: t, accounts: accounts, url: srv.URL, http: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	t.Cleanup(f.http.CloseIdleConnections)

	boss := inbox.By{Actor: "zl", Role: branchlinev1.Role_ROLE_HQ_ADMINISTRATOR}
	_ = must(in.AddEntity(ctx, "sl", "申陆", boss))(t)
	for i := range n {
		_ = must(in.AddBranch(ctx, schema.BranchID(fmt.Sprintf("b%02d", i)), fmt.Sprint("店", i), "sl", boss))(t)
	}
	ids := schema.NewIDs(now, random)
	var edits []inbox.Edit
	put := func(m proto.Message) *string {
		id := must(ids.New())(t)
		edits = append(edits, inbox.Edit{Kind: schema.KindOfMessage(m).Kind, Record: id, Create: true, Values: m, Actor: boss.Actor, Role: boss.Role})
		return new(id.String())
	}
	one := func(name, number string) *string {
		return put(&branchlinev1.Customer{Name: &name, Phones: phones(number), Birthday: new("1974-06-08")})
	}
	customer := one("陈建国", "13900002207")
	car := put(&branchlinev1.Vehicle{Vin: new("LSVUB25N5R2086531"), Model: new("途观L"), Plates: []*branchlinev1.PlateTerm{{Plate: new("沪A8K362")}}})
	put(&branchlinev1.Tie{Customer: customer, Vehicle: car, Role: branchlinev1.TieRole_OWNER.Enum(), From: new("2020-01-10")})
	branch := func(i int) *string { return new(fmt.Sprintf("b%02d", i)) }
	for i := range n {
		one("陈建国", "13900002207") // one with him
		other := one(fmt.Sprint("王", string(rune('一'+i*7))), fmt.Sprintf("138%08d", 1000+i*7919))
		like := one(fmt.Sprint("王", string(rune('一'+i*7))), fmt.Sprintf("137%08d", 5000+i*6131)) // somebody is asked
		his := put(&branchlinev1.Vehicle{Model: new("朗逸"), Plates: []*branchlinev1.PlateTerm{{Plate: new(fmt.Sprintf("沪B%05d", i))}}})
		day := new(fmt.Sprintf("2026-%02d-%02d", 1+i%9, 1+i%27))
		put(&branchlinev1.Tie{Customer: customer, Vehicle: his, Role: branchlinev1.TieRole_DRIVER.Enum()})
		put(&branchlinev1.Tie{Customer: other, Vehicle: his, Role: branchlinev1.TieRole_OWNER.Enum(), From: new("2021-02-03")})
		put(&branchlinev1.Tie{Customer: other, Vehicle: car, Role: branchlinev1.TieRole_SENDER.Enum()})
		put(&branchlinev1.Tie{Customer: like, Vehicle: car, Role: branchlinev1.TieRole_OWNER.Enum(), From: day})
		order := put(&branchlinev1.ServiceOrder{
			Number: new(fmt.Sprint("X-", i)), Branch: branch(i), Customer: customer, Vehicle: car, Day: day, SettledOn: day, State: branchlinev1.OrderState_HANDED_OVER.Enum(),
			OdometerKm: new(int64(1000 * (i + 1))), Complaint: new("异响"), Plate: new("沪A8K362"),
		})
		put(&branchlinev1.ServiceLine{Order: order, Item: new("换机油"), Amount: new(int64(100_00)), Currency: new("CNY"), State: branchlinev1.LineState_LINE_DONE.Enum()})
		put(&branchlinev1.Note{Customer: customer, Vehicle: car, Text: new("来电"), Day: day, Branch: branch(i)})
		put(&branchlinev1.OdometerReading{Vehicle: car, Order: order, Day: day, Km: new(int64(1000 * (i + 1)))})
		put(&branchlinev1.Attachment{Vehicle: car, Order: order, Customer: customer, Role: branchlinev1.AttachmentRole_ATTACHMENT_PHOTO.Enum(), Branch: branch(i), Day: day, Hash: make([]byte, 32)})
		card := put(&branchlinev1.PackageCard{Number: new(fmt.Sprint("K-", i)), Branch: branch(i), Customer: customer, Day: day, Form: branchlinev1.CardForm_CARD_COUNTED.Enum(), Title: new("洗车"), Uses: new(int32(1)), Price: new(int64(100_00)), Currency: new("CNY")})
		for j := range 2 {
			put(&branchlinev1.CardUse{Card: card, Order: order, Branch: branch(i), Day: day, UsedAt: new(now().UnixMilli() + int64(j))})
		}
		if i%2 == 0 {
			put(&branchlinev1.MatchDecision{Verdict: branchlinev1.Verdict_DIFFERENT.Enum(), A: []string{*customer}, B: []string{*other}})
		}
	}
	for some := range slices.Chunk(edits, 200) {
		_ = must(in.Edit(ctx, some...))(t)
	}
	if err := gold.Catch(ctx); err != nil {
		t.Fatal(err)
	}
	f.token = f.rig.token("boss", access.HQRoles()...)
	of := strings.NewReplacer("/customers/{id}", "/customers/"+*customer, "/vehicles/{id}", "/vehicles/"+*car, "{report}", "orders", "{$}", "")
	for _, route := range access.Routes() {
		path, is := strings.CutPrefix(route, "GET ")
		if !is || path == "/events" || strings.HasPrefix(path, "/static") || !access.Allowed(access.HQ, route, access.HQRoles()) {
			continue
		}
		f.add(path, of.Replace(path))
	}
	f.add("/search", "/search?q=王")
	f.add("/reports/{report}", "/reports/orders?by=branch")
	f.add("/match/decisions", "/match/decisions?customer=customers/"+*customer)
	f.add("/customers/{id}", "/customers/"+*customer+"?show=all")
	if len(f.pages) < 16 {
		t.Fatalf("%d pages are looked at: %v", len(f.pages), f.pages)
	}
	return f
}

// add asks for a page, and leaves out what is none.
func (f *stocked) add(route, path string) {
	if a := f.get(path, f.token, look.En); a.status == http.StatusOK && strings.Contains(a.body, "<html") {
		f.pages = append(f.pages, struct{ route, path string }{route, path})
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
