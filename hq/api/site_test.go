package api_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/sql"
)

func TestHeadquarters_aBranchsLife(t *testing.T) {
	g := newRig(t)
	c := g.as(admin)
	e := must(c.Headquarters.AddEntity(t.Context(), &branchlinev1.AddEntityRequest{Code: "e1", Name: " One Ltd "}))(t)
	if e.GetLegalEntity().GetName() != "One Ltd" || e.GetLegalEntity().GetCode() != "e1" {
		t.Errorf("entity %v", e)
	}
	_, err := c.Headquarters.AddEntity(t.Context(), &branchlinev1.AddEntityRequest{Code: "e1", Name: "Two"})
	wants(t, "an entity again", err, schema.ErrExists)
	add := func(code, entity string) (*branchlinev1.EnrolmentToken, error) {
		return c.Headquarters.AddBranch(t.Context(), &branchlinev1.AddBranchRequest{Code: code, Name: "Pudong", Entity: entity})
	}
	_, err = add("pd", "zz")
	wantsField(t, "a branch of no entity", err, "entity")
	for _, bad := range []string{"hq", "PD", "1a", "a-b", "x"} {
		_, err = add(bad, "e1")
		wantsField(t, "the code "+bad, err, "code")
	}
	_, err = c.Headquarters.AddEntity(t.Context(), &branchlinev1.AddEntityRequest{Code: "E 1", Name: "x"})
	wantsField(t, "the code of an entity", err, "code")
	tok := must(add("pd", "e1"))(t)
	if tok.GetToken() != "token of pd" || tok.GetExpiresAt() != g.clock().Add(24*time.Hour).UnixMilli() {
		t.Errorf("token %v", tok)
	}
	_, err = add("pd", "e1")
	wants(t, "a branch again", err, schema.ErrExists)
	_, err = c.Headquarters.RevokeBranch(t.Context(), &branchlinev1.BranchRequest{Code: "pd"})
	wants(t, "revoke a branch without a key", err, schema.ErrNotFound)
	pd := g.enrol(g.tokens[0])
	state := func() *branchlinev1.BranchStatus {
		t.Helper()
		return must(c.Sites.ListBranches(t.Context(), &branchlinev1.Empty{}))(t).GetBranches()[0]
	}
	pd.write(g.id(), &branchlinev1.Customer{Name: proto.String("王小明")})
	pd.send()
	g.st.Hear(g.st.Branch("pd").Num, func(b *store.Branch) { b.Heard, b.Pending = g.clock().UnixMilli(), 4 })
	if s := state(); s.GetState() != store.Enrolled || s.GetWatermark() != 1 || s.GetEntity() != "e1" || s.GetLastHeard() != g.clock().UnixMilli() || s.GetPending() != 4 || s.GetRev() != int64(g.st.Rev()) {
		t.Errorf("branch %v", s)
	}
	// The branch's record goes by its own name, and the registry with it.
	list := must(c.Records.ListRecords(t.Context(), &branchlinev1.ListRecordsRequest{Collection: "branches"}))(t).GetRecords()
	if len(list) != 1 || list[0].GetBranch().GetCode() != "pd" {
		t.Fatalf("branches %v", list)
	}
	list[0].GetBranch().Name = proto.String("Pudong East")
	must(c.Records.UpdateRecord(t.Context(), &branchlinev1.UpdateRecordRequest{Record: list[0], UpdateMask: []string{"name"}}))(t)
	for zone, good := range map[string]bool{"Asia/Nowhere": false, "Local": false, "Asia/Urumqi": true, "": true} {
		now := must(c.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: list[0].GetName()}))(t)
		now.GetBranch().Zone = proto.String(zone)
		_, err := c.Records.UpdateRecord(t.Context(), &branchlinev1.UpdateRecordRequest{Record: now, UpdateMask: []string{"zone"}})
		if good != (err == nil) || err != nil && (!errors.Is(err, schema.ErrInvalid) || !strings.Contains(err.Error(), "record.branch.zone")) {
			t.Errorf("zone %q: %v", zone, err)
		}
	}
	if s := state(); s.GetName() != "Pudong East" {
		t.Errorf("the registry says %q", s.GetName())
	}
	for _, f := range []string{"code", "entity", "retired_at"} {
		_, err = c.Records.UpdateRecord(t.Context(), &branchlinev1.UpdateRecordRequest{Record: list[0], UpdateMask: []string{f}})
		wantsField(t, "change the branch's "+f, err, "update_mask")
	}
	if again := must(c.Headquarters.ReEnrolBranch(t.Context(), &branchlinev1.BranchRequest{Code: "pd"}))(t); again.GetToken() != "token of pd" || g.tokens[1].ID == g.tokens[0].ID {
		t.Errorf("re-enrolment %v", again)
	}
	must(c.Headquarters.RevokeBranch(t.Context(), &branchlinev1.BranchRequest{Code: "pd"}))(t)
	if k, ok := g.st.KeyOf(pd.key.Public()); !ok || k.State != store.KeyRevoked || !slices.Equal(g.kicked, []schema.BranchID{"pd"}) || state().GetState() != store.Revoked {
		t.Errorf("after revoking: key %v, kicked %v, state %v", k, g.kicked, state())
	}
	if l := g.st.Ledger(); len(l) == 0 || l[len(l)-1].GetKind() != wirev1.LedgerKind_KEY_REVOKED {
		t.Errorf("ledger %v", l)
	}
	for range 2 {
		must(c.Headquarters.RetireBranch(t.Context(), &branchlinev1.BranchRequest{Code: "pd"}))(t)
	}
	if state().GetState() != store.Retired {
		t.Errorf("state %v", state())
	}
	if r := must(c.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: list[0].GetName()}))(t); r.GetBranch().GetRetiredAt() != g.clock().UnixMilli() {
		t.Errorf("the record of a retired branch: %v", r)
	}
	_, err = c.Headquarters.ReEnrolBranch(t.Context(), &branchlinev1.BranchRequest{Code: "pd"})
	wants(t, "re-enrol a retired branch", err, schema.ErrForbidden)
	for _, code := range []string{"zz", "hq"} {
		_, err = c.Headquarters.RetireBranch(t.Context(), &branchlinev1.BranchRequest{Code: code})
		wants(t, "retire "+code, err, schema.ErrNotFound)
	}
	_, err = g.as(steward).Headquarters.AddBranch(t.Context(), &branchlinev1.AddBranchRequest{Code: "mh", Name: "x", Entity: "e1"})
	wants(t, "a steward adds a branch", err, schema.ErrForbidden)
}

func TestHeadquarters_quarantineIsListedAndSettled(t *testing.T) {
	g, boss, pd, mh := group(t)
	// A kind this program does not know is parked; the next change goes on.
	for range 3 {
		id := g.id()
		pd.raw(&wirev1.ChangeBody{At: uint64(pd.clock.Stamp()), Kind: 999, Record: id[:], Values: []byte{8, 1}, Actor: "anna", Role: 1, Create: true})
	}
	owned, second := g.id(), g.id()
	mh.write(owned, &branchlinev1.ServiceOrder{Number: proto.String("N1")})
	mh.send()
	// Another branch's order: its home says no, and what follows to it waits.
	first := pd.write(owned, &branchlinev1.ServiceOrder{Work: proto.String("not mine")})
	waits := pd.write(owned, &branchlinev1.ServiceOrder{Parts: proto.String("nor this")})
	pd.write(second, &branchlinev1.Customer{Name: proto.String("王小明")})
	pd.send()
	var items []*branchlinev1.QuarantineItem
	req := &branchlinev1.ListQuarantineRequest{PageSize: 2}
	for {
		p := must(boss.Headquarters.ListQuarantine(t.Context(), req))(t)
		items = append(items, p.GetItems()...)
		if req.PageToken = p.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	if len(items) != 5 {
		t.Fatalf("quarantine %v", items)
	}
	i := slices.IndexFunc(items, func(q *branchlinev1.QuarantineItem) bool { return q.GetChange() == first.String() })
	if i < 0 || items[i].GetKind() != "service_order" || items[i].GetRecord() != schema.ResourceName(schema.ServiceOrder, owned) || items[i].GetReason() == "" {
		t.Errorf("item %v", items)
	}
	if s := must(boss.Sites.ListBranches(t.Context(), &branchlinev1.Empty{}))(t).GetBranches(); s[0].GetQuarantined()+s[1].GetQuarantined() != 5 {
		t.Errorf("counts %v", s)
	}
	w := must(boss.Records.Where(t.Context(), &branchlinev1.WhereRequest{Name: waits.String()}))(t)
	if w.GetWhere().GetOutcome() != branchlinev1.ChangeOutcome_CHANGE_WAITS || !strings.Contains(w.GetWhere().GetReason(), "4") {
		t.Errorf("where %v", w.GetWhere())
	}
	settle := func(change string, discard bool) error {
		_, err := boss.Headquarters.SettleQuarantine(t.Context(), &branchlinev1.SettleQuarantineRequest{Change: change, Discard: discard})
		return err
	}
	wants(t, "settle what waits for another", settle(waits.String(), true), schema.ErrInvalid)
	wants(t, "settle nonsense", settle("nonsense", true), schema.ErrInvalid)
	wants(t, "settle what is not there", settle("pd/"+pd.inc.String()+"/6", true), schema.ErrNotFound)
	if err := settle(first.String(), true); err != nil {
		t.Fatal(err)
	}
	w = must(boss.Records.Where(t.Context(), &branchlinev1.WhereRequest{Name: first.String()}))(t)
	if w.GetWhere().GetOutcome() != branchlinev1.ChangeOutcome_CHANGE_DISCARDED {
		t.Errorf("where %v", w.GetWhere())
	}
	_, err := boss.Headquarters.ListQuarantine(t.Context(), &branchlinev1.ListQuarantineRequest{Branch: "zz"})
	wantsField(t, "quarantine of no branch", err, "branch")
	_, err = boss.Headquarters.ListQuarantine(t.Context(), &branchlinev1.ListQuarantineRequest{PageToken: "x"})
	wantsField(t, "a token that is none", err, "page_token")
	_, err = g.as(analyst).Headquarters.ListQuarantine(t.Context(), &branchlinev1.ListQuarantineRequest{})
	wants(t, "an analyst looks into quarantine", err, schema.ErrForbidden)
}

func TestSite_tellsHowHeadquartersStandsAndLooksAfterItself(t *testing.T) {
	g, boss, pd, _ := group(t)
	car := g.id()
	pd.write(car, &branchlinev1.Vehicle{Model: proto.String("A4")})
	pd.send()
	l := must(boss.Sites.GetLine(t.Context(), &branchlinev1.Empty{}))(t)
	if l.GetRole() != "hq" || l.GetBranch() != "hq" || l.GetRecords() != 4 || l.GetVersion() != "1.2.3" || l.GetHqRev() != int64(g.st.Rev()) || l.GetWatermark() != 3 {
		t.Errorf("line %v", l)
	}
	if v := must(boss.Sites.Verify(t.Context(), &branchlinev1.Empty{}))(t); !v.GetSame() || v.GetRecords() != 4 {
		t.Errorf("verify %v", v)
	}
	if err := g.st.Write(t.Context(), func(w *store.W) error {
		if err := w.Alarm(store.HQNum, store.AlarmRestored, "put back from a copy"); err != nil {
			return err
		}
		if err := w.Alarm(g.st.Branch("pd").Num, store.AlarmClock, "an hour ahead"); err != nil {
			return err
		}
		_, err := w.Exec("UPDATE record SET number = 'X' WHERE id = $1", car[:])
		return err
	}); err != nil {
		t.Fatal(err)
	}
	v := must(boss.Sites.Verify(t.Context(), &branchlinev1.Empty{}))(t)
	if v.GetSame() || len(v.GetDiffering()) != 1 || !strings.Contains(v.GetDiffering()[0], car.String()) {
		t.Errorf("verify of a row that was tampered with: %v", v)
	}
	b := must(boss.Sites.ListBranches(t.Context(), &branchlinev1.Empty{}))(t)
	if !slices.Equal(b.GetAlarms(), []string{"restored: put back from a copy"}) || !slices.Equal(b.GetBranches()[1].GetAlarms(), []string{"clock: an hour ahead"}) {
		t.Errorf("alarms %v", b)
	}
	if l := must(boss.Sites.GetLine(t.Context(), &branchlinev1.Empty{}))(t); !slices.Contains(l.GetWarnings(), "put back from a copy") {
		t.Errorf("line %v", l)
	}
	bk := must(boss.Sites.Backup(t.Context(), &branchlinev1.BackupRequest{}))(t)
	if filepath.Dir(bk.GetPath()) != filepath.Join(g.dir, "backups") || bk.GetBytes() == 0 {
		t.Errorf("backup %v", bk)
	}
	db := must(sql.Open(t.Context(), sql.Config{Path: bk.GetPath(), ReadOnly: true}))(t)
	n := 0
	if err := db.R.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM record").Scan(&n); err != nil || n != 4 {
		t.Errorf("the copy holds %d records: %v", n, err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if err := g.st.Read(t.Context(), func(r *store.R) error {
		seq, err := store.ForgetBelow(r, pd.inc)
		if seq != 1 {
			t.Errorf("branch pd may forget below %d, the backup holds 1", seq)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	_, err := boss.Sites.Backup(t.Context(), &branchlinev1.BackupRequest{File: "../x"})
	wantsField(t, "a backup elsewhere", err, "file")
	_, err = boss.Sites.Backup(t.Context(), &branchlinev1.BackupRequest{File: filepath.Base(bk.GetPath())})
	wants(t, "a backup over another", err, schema.ErrExists)
	_, err = g.as(steward).Sites.Backup(t.Context(), &branchlinev1.BackupRequest{})
	wants(t, "a steward backs up", err, schema.ErrForbidden)
	if r := must(boss.Sites.ListChanges(t.Context(), &branchlinev1.ListChangesRequest{}))(t); len(r.GetChanges()) != 0 {
		t.Errorf("changes that wait: %v", r)
	}
}

func TestSite_tellsWhenAnEditOfHeadquartersLost(t *testing.T) {
	g, boss, pd, _ := group(t)
	car := g.id()
	pd.write(car, &branchlinev1.Vehicle{Colour: proto.String("red")})
	pd.send()
	name := schema.ResourceName(schema.Vehicle, car)
	mine := must(boss.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: name}))(t)
	mine.GetVehicle().Colour = proto.String("blue")
	if got := must(boss.Records.UpdateRecord(t.Context(), &branchlinev1.UpdateRecordRequest{Record: mine, UpdateMask: []string{"colour"}}))(t); got.GetVehicle().GetColour() != "blue" {
		t.Fatalf("shown %v", got.GetVehicle())
	}
	// The branch's clock is four minutes ahead and it has not seen the edit.
	g.pass(4 * time.Minute)
	pd.write(car, &branchlinev1.Vehicle{Colour: proto.String("green")}, schema.ChangeID{Branch: "pd", Inc: pd.inc, Seq: 1})
	g.pass(-4 * time.Minute)
	pd.send()
	got := must(boss.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: name}))(t)
	if got.GetVehicle().GetColour() != "green" || len(got.GetSources()[0].GetLost()) != 1 {
		t.Fatalf("shown %v", got)
	}
	my := got.GetSources()[0].GetLost()[0].GetChange()
	w := must(boss.Records.Where(t.Context(), &branchlinev1.WhereRequest{Name: my}))(t).GetWhere()
	if w.GetOutcome() != branchlinev1.ChangeOutcome_CHANGE_OVERRIDDEN || !slices.Equal(w.GetOverriddenFields(), []string{"colour"}) {
		t.Errorf("where %v", w)
	}
	for _, c := range must(boss.Sites.ListChanges(t.Context(), &branchlinev1.ListChangesRequest{LookAt: true}))(t).GetChanges() {
		if c.GetChange() != my || c.GetRecord() != name {
			t.Errorf("lost %v", c)
		}
	}
}

func TestHeadquarters_reportsCountGoldenCustomers(t *testing.T) {
	g, _, pd, mh := group(t)
	phone := []*branchlinev1.Phone{{Number: proto.String("13800001234")}}
	a, b := g.id(), g.id()
	pd.write(a, &branchlinev1.Customer{Name: proto.String("王小明"), Phones: phone})
	mh.write(b, &branchlinev1.Customer{Name: proto.String("王小明"), Phones: phone})
	for _, x := range []struct {
		br *branch
		c  schema.RecordID
	}{{pd, a}, {mh, b}} {
		o := g.id()
		x.br.write(o, &branchlinev1.ServiceOrder{
			Customer: proto.String(x.c.String()), State: branchlinev1.OrderState_SETTLED.Enum(), SettledOn: proto.String("2026-10-02"), Branch: proto.String(string(x.br.code)),
		})
		x.br.write(g.id(), &branchlinev1.ServiceLine{Order: proto.String(o.String()), State: branchlinev1.LineState_LINE_APPROVED.Enum(), Amount: proto.Int64(12300)})
	}
	pd.send()
	mh.send()
	g.pass(25 * time.Hour)
	c := g.as(analyst)
	r := must(c.Headquarters.Report(t.Context(), &branchlinev1.ReportRequest{Report: "customers", By: []string{"branch"}}))(t)
	if !slices.Equal(r.GetTotal().GetValues(), []int64{1, 1}) || len(r.GetRows()) != 2 || r.GetRows()[0].GetValues()[0] != 1 {
		t.Errorf("customers %v", r)
	}
	r = must(c.Headquarters.Report(t.Context(), &branchlinev1.ReportRequest{Report: "orders", By: []string{"month"}}))(t)
	if len(r.GetRows()) != 1 || !slices.Equal(r.GetRows()[0].GetValues(), []int64{2, 24600, 12300}) || r.GetRows()[0].GetKeys()[0] != "2026-10" || len(r.GetHeard()) != 2 || !r.GetHeard()[0].GetSilent() {
		t.Errorf("orders %v", r)
	}
	_, err := c.Headquarters.Report(t.Context(), &branchlinev1.ReportRequest{Report: "unicorns"})
	wantsField(t, "no such report", err, "report")
	_, err = g.as(privacy).Headquarters.Report(t.Context(), &branchlinev1.ReportRequest{Report: "orders"})
	wants(t, "a privacy officer asks for figures", err, schema.ErrForbidden)
}
