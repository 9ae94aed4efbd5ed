package access_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	"branchline/schema/access"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

var sites = []access.Site{access.Node, access.HQ}

func everyRole() []branchlinev1.Role { return append(access.BranchRoles(), access.HQRoles()...) }

func procedures() []string {
	var out []string
	for _, sd := range schema.Services() {
		for j := range sd.Methods().Len() {
			out = append(out, "/"+string(sd.FullName())+"/"+string(sd.Methods().Get(j).Name()))
		}
	}
	return out
}

func TestEveryMethod_HasARule(t *testing.T) {
	all := procedures()
	if len(all) < 20 {
		t.Fatalf("found %d methods only", len(all))
	}
	for _, site := range sites {
		for _, p := range all {
			if !access.HasRule(site, p) {
				t.Errorf("%s: %s has no rule in the table of schema/access", site, p)
			}
			desk := site == access.Node && (strings.HasSuffix(p, "/ListDesk") || strings.HasSuffix(p, "/SwitchUser"))
			if access.Public(site, p) != (desk || strings.HasSuffix(p, "/SignIn")) {
				t.Errorf("%s: %s: only SignIn is public, and the change of users by PIN at a branch", site, p)
			}
		}
	}
}

func TestDenied_ByDefault(t *testing.T) {
	for _, site := range append(sites, "", "warehouse") {
		for _, what := range []string{"", "/branchline.v1.RecordService/DropAll", "GET /nothing"} {
			if access.Allowed(site, what, everyRole()) || access.Public(site, what) || access.HasRule(site, what) {
				t.Errorf("%q: %q is allowed without a rule", site, what)
			}
		}
	}
	for _, p := range procedures() {
		if access.Allowed("warehouse", p, everyRole()) {
			t.Errorf("an unknown site allows %s", p)
		}
	}
}

func TestNobody_MayWithoutARole(t *testing.T) {
	for _, site := range sites {
		for _, what := range append(procedures(), access.Routes()...) {
			for _, roles := range [][]branchlinev1.Role{nil, {}} {
				if access.Allowed(site, what, roles) && !access.Public(site, what) {
					t.Errorf("%s: %s is open to who has no role", site, what)
				}
			}
		}
	}
}

// A site's accounts have its own roles only; should a staff record's role of the other site come in, it opens nothing.
func TestRoles_OfTheOtherSiteOpenNothing(t *testing.T) {
	for _, what := range append(procedures(), access.Routes()...) {
		for _, r := range access.HQRoles() {
			if access.Who(access.Node, what) != "anyone" && access.Who(access.Node, what) != "anyone signed in" &&
				access.Allowed(access.Node, what, []branchlinev1.Role{r}) {
				t.Errorf("a node lets %s do %s", access.Name(r), what)
			}
		}
		for _, r := range access.BranchRoles() {
			if access.Who(access.HQ, what) != "anyone" && access.Who(access.HQ, what) != "anyone signed in" &&
				access.Allowed(access.HQ, what, []branchlinev1.Role{r}) {
				t.Errorf("HQ lets %s do %s", access.Name(r), what)
			}
		}
	}
}

func TestTable_SpotChecks(t *testing.T) {
	const rpc = "/branchline.v1."
	for _, c := range []struct {
		site access.Site
		what string
		role branchlinev1.Role
		want bool
	}{
		{access.Node, rpc + "RecordService/VehicleHistory", branchlinev1.Role_ROLE_TECHNICIAN, true},
		{access.Node, rpc + "RecordService/ImportRows", branchlinev1.Role_ROLE_CLERK, false},
		{access.Node, rpc + "RecordService/ImportRows", branchlinev1.Role_ROLE_BRANCH_MANAGER, true},
		{access.Node, rpc + "AccountService/CreateAccount", branchlinev1.Role_ROLE_ADVISER, false},
		{access.Node, rpc + "HeadquartersService/RevokeBranch", branchlinev1.Role_ROLE_BRANCH_MANAGER, false},
		{access.HQ, rpc + "HeadquartersService/RevokeBranch", branchlinev1.Role_ROLE_HQ_ADMINISTRATOR, true},
		{access.HQ, rpc + "HeadquartersService/RevokeBranch", branchlinev1.Role_ROLE_HQ_STEWARD, false},
		{access.HQ, rpc + "HeadquartersService/Report", branchlinev1.Role_ROLE_HQ_ANALYST, true},
		{access.HQ, rpc + "HeadquartersService/SettleQuarantine", branchlinev1.Role_ROLE_AUDITOR, false},
		{access.HQ, rpc + "RecordService/UpdateRecord", branchlinev1.Role_ROLE_AUDITOR, false},
		{access.Node, "GET /customers/{id}", branchlinev1.Role_ROLE_TECHNICIAN, false},
	} {
		if got := access.Allowed(c.site, c.what, []branchlinev1.Role{c.role}); got != c.want {
			t.Errorf("%s: %s by %s: allowed %v, want %v", c.site, c.what, access.Name(c.role), got, c.want)
		}
	}
}

func TestEveryKind_HasRulesAndAnAdministrator(t *testing.T) {
	for _, k := range schema.Kinds() {
		for _, site := range sites {
			boss := []branchlinev1.Role{access.Administrator(site)}
			if !access.MayRead(site, k.Kind, boss) {
				t.Errorf("%s: nobody may read %s: no rule?", site, k.Name)
			}
			if k.Write != optionsv1.Write_WRITE_HQ && !access.MayWrite(site, k.Kind, boss) {
				t.Errorf("%s: the administrator may not write %s: no rule?", site, k.Name)
			}
			if k.Write == optionsv1.Write_WRITE_HQ && access.MayWrite(access.Node, k.Kind, everyRole()) {
				t.Errorf("a node may write %s, which only HQ writes", k.Name)
			}
			if access.MayRead(site, k.Kind, nil) || access.MayWrite(site, k.Kind, nil) {
				t.Errorf("%s: %s is open to who has no role", site, k.Name)
			}
			for _, r := range everyRole() {
				if one := []branchlinev1.Role{r}; access.MayWrite(site, k.Kind, one) && !access.MayRead(site, k.Kind, one) {
					t.Errorf("%s: %s may write %s without seeing it", site, access.Name(r), k.Name)
				}
			}
		}
	}
}

func TestBranch_GivesBranchRolesOnly(t *testing.T) {
	if err := access.CheckBranchGives(access.BranchRoles()); err != nil {
		t.Error(err)
	}
	for _, r := range append(access.HQRoles(), branchlinev1.Role_ROLE_UNSPECIFIED, branchlinev1.Role(99)) {
		err := access.CheckBranchGives([]branchlinev1.Role{branchlinev1.Role_ROLE_CLERK, r})
		if !errors.Is(err, schema.ErrForbidden) {
			t.Errorf("a branch may give %s: %v", r, err)
		}
	}
	values := branchlinev1.Role(0).Descriptor().Values()
	for i := range values.Len() {
		r := branchlinev1.Role(values.Get(i).Number())
		if r == 0 {
			continue
		}
		if back, err := access.Named(access.Name(r)); err != nil || back != r {
			t.Errorf("%s has no name of its own: %q, %v", r, access.Name(r), err)
		}
	}
	if _, err := access.Named("king"); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("king is a role: %v", err)
	}
}

func hidden(k schema.Kind, r ...branchlinev1.Role) string {
	hide := access.HideFor(r)
	var out []string
	for _, f := range schema.KindOf(k).Fields {
		if hide(f) {
			out = append(out, f.Name)
		}
	}
	return strings.Join(out, " ")
}

func TestHideFor_Roles(t *testing.T) {
	tech, clerk := branchlinev1.Role_ROLE_TECHNICIAN, branchlinev1.Role_ROLE_CLERK
	for _, c := range []struct {
		kind  schema.Kind
		roles []branchlinev1.Role
		want  string
	}{
		{schema.Customer, []branchlinev1.Role{clerk}, ""},
		{schema.Customer, []branchlinev1.Role{tech}, "name other_names phones id_last id_hash source_ids addresses emails birthday contact_name credit_code same_as credit_limit invoice_titles"},
		{schema.ServiceOrder, []branchlinev1.Role{tech}, "customer estimate_amount source_ids brought_by brought_phone handed_to"},
		{schema.ServiceLine, []branchlinev1.Role{tech}, "amount source_ids approvals discount"},
		{schema.ServiceLine, []branchlinev1.Role{tech, clerk}, ""},
		{schema.Staff, []branchlinev1.Role{tech}, ""},
		{schema.Appointment, []branchlinev1.Role{tech}, "customer name phone source_ids"},
		{schema.Inspection, []branchlinev1.Role{tech}, "signed_by source_ids"},
		{schema.Package, []branchlinev1.Role{tech}, "price source_ids"},
		{schema.Attachment, []branchlinev1.Role{tech}, "customer"},
		{schema.Vehicle, []branchlinev1.Role{branchlinev1.Role_ROLE_AUDITOR}, ""},
		{schema.Vehicle, []branchlinev1.Role{branchlinev1.Role_ROLE_HQ_ANALYST}, "source_ids remark"},
	} {
		if got := hidden(c.kind, c.roles...); got != c.want {
			t.Errorf("%s hidden from %s:\n got %s\nwant %s", schema.KindOf(c.kind).Name, access.Names(c.roles), got, c.want)
		}
	}
	if n := len(strings.Fields(hidden(schema.Vehicle))); n != len(schema.KindOf(schema.Vehicle).Fields) {
		t.Errorf("who has no role sees a vehicle: %d fields hidden", n)
	}
	if n := len(strings.Fields(hidden(schema.Vehicle, branchlinev1.Role(99)))); n != len(schema.KindOf(schema.Vehicle).Fields) {
		t.Errorf("an unknown role sees a vehicle: %d fields hidden", n)
	}
}

func TestStrip_LeavesNoTrace(t *testing.T) {
	tech := []branchlinev1.Role{branchlinev1.Role_ROLE_TECHNICIAN}
	order := &branchlinev1.ServiceOrder{}
	m := order.ProtoReflect()
	for _, f := range schema.KindOf(schema.ServiceOrder).Fields {
		switch {
		case f.Desc.IsList():
		case f.Desc.Kind() == protoreflect.StringKind:
			m.Set(f.Desc, protoreflect.ValueOfString("canary-"+f.Name))
		case f.Desc.Kind() == protoreflect.Int64Kind:
			m.Set(f.Desc, protoreflect.ValueOfInt64(7700001))
		}
	}
	rec := &branchlinev1.Record{Body: &branchlinev1.Record_ServiceOrder{ServiceOrder: order}, Sources: []*branchlinev1.FieldSource{
		{Field: "customer", Lost: []*branchlinev1.LostValue{{Json: "canary-customer"}}},
		{Field: "work", Branch: "pd"},
		{Field: "no_such_field"},
	}}
	access.Strip(rec, tech)
	if text := rec.String(); strings.Contains(text, "canary-customer") {
		t.Errorf("the customer is still there: %s", text)
	}
	if order.GetEstimateAmount() != 0 || order.GetWork() == "" || order.GetComplaint() == "" {
		t.Errorf("stripped wrongly: %s", order)
	}
	if len(rec.Sources) != 1 || rec.Sources[0].Field != "work" {
		t.Errorf("sources: %v", rec.Sources)
	}

	about := func(n *branchlinev1.Note) string {
		r := &branchlinev1.Record{Body: &branchlinev1.Record_Note{Note: n}}
		access.Strip(r, tech)
		return n.GetText()
	}
	str := func(s string) *string { return &s }
	if got := about(&branchlinev1.Note{Customer: str("c"), Text: str("calls at night")}); got != "" {
		t.Errorf("a technician reads a note about a customer: %q", got)
	}
	if got := about(&branchlinev1.Note{Customer: str("c"), Vehicle: str("v"), Text: str("rattles")}); got != "rattles" {
		t.Errorf("a technician does not read a note about a car: %q", got)
	}
	access.Strip(&branchlinev1.Record{}, tech)
}

// Money stands in messages within a record too.
func TestStrip_WithinMessages(t *testing.T) {
	tech := []branchlinev1.Role{branchlinev1.Role_ROLE_TECHNICIAN}
	line := func() *branchlinev1.PackageLine {
		return &branchlinev1.PackageLine{Item: proto.String("换机油"), Amount: proto.Int64(7700001), PartQuantity: proto.Int64(4000)}
	}
	p := &branchlinev1.Package{Name: proto.String("小保养"), Price: proto.Int64(7700001), Lines: []*branchlinev1.PackageLine{line(), line()}}
	rec := &branchlinev1.Record{Body: &branchlinev1.Record_Package{Package: p}, Sources: []*branchlinev1.FieldSource{
		{Field: "lines", Lost: []*branchlinev1.LostValue{{Json: `{"amount":"7700001"}`}}}, {Field: "name"},
	}}
	access.Strip(rec, tech)
	if text := rec.String(); strings.Contains(text, "7700001") || len(rec.GetSources()) != 1 {
		t.Errorf("a technician sees prices: %s", text)
	}
	for _, l := range p.GetLines() {
		if l.GetItem() == "" || l.GetPartQuantity() != 4000 {
			t.Errorf("the work is gone with its price: %s", l)
		}
	}
	whole := &branchlinev1.Record{Body: &branchlinev1.Record_Package{Package: &branchlinev1.Package{Lines: []*branchlinev1.PackageLine{line()}}}}
	access.Strip(whole, []branchlinev1.Role{branchlinev1.Role_ROLE_CLERK})
	if whole.GetPackage().GetLines()[0].GetAmount() != 7700001 {
		t.Error("a clerk does not see prices")
	}
}

// Who does not see what identifies a customer sees photos of cars, and neither signatures nor papers.
func TestSees_FilesOfACar(t *testing.T) {
	role := func(r ...branchlinev1.Role) []branchlinev1.Role { return r }
	blind := [][]branchlinev1.Role{role(branchlinev1.Role_ROLE_TECHNICIAN), role(branchlinev1.Role_ROLE_AUDITOR), role(branchlinev1.Role_ROLE_TECHNICIAN, branchlinev1.Role_ROLE_AUDITOR)}
	sighted := [][]branchlinev1.Role{role(branchlinev1.Role_ROLE_CLERK), role(branchlinev1.Role_ROLE_HQ_STEWARD), role(branchlinev1.Role_ROLE_AUDITOR, branchlinev1.Role_ROLE_HQ_STEWARD)}
	photo, sign, paper, old := branchlinev1.AttachmentRole_ATTACHMENT_PHOTO, branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE,
		branchlinev1.AttachmentRole_ATTACHMENT_DOCUMENT, branchlinev1.AttachmentRole_ATTACHMENT_OLD_PART
	id := proto.String("x")
	for _, x := range []struct {
		a    *branchlinev1.Attachment
		want bool
	}{
		{&branchlinev1.Attachment{Role: &photo, Vehicle: id, Customer: id}, true},
		{&branchlinev1.Attachment{Role: &old, Order: id}, true},
		{&branchlinev1.Attachment{Role: &photo, Customer: id}, false},
		{&branchlinev1.Attachment{Role: &sign, Order: id}, false},
		{&branchlinev1.Attachment{Role: &paper, Vehicle: id}, false},
		{&branchlinev1.Attachment{Vehicle: id}, false},
	} {
		r := &branchlinev1.Record{Body: &branchlinev1.Record_Attachment{Attachment: x.a}}
		for _, have := range blind {
			if access.Sees(r, have) != x.want {
				t.Errorf("%s: %v see it: %v", x.a, have, !x.want)
			}
		}
		for _, have := range sighted {
			if !access.Sees(r, have) {
				t.Errorf("%s: %v do not see it", x.a, have)
			}
		}
	}
}

func TestPages_AskTheTable(t *testing.T) {
	mux := http.NewServeMux()
	p := access.NewPages(access.Node, mux)
	if err := p.HandleFunc("GET /secret-door", func(http.ResponseWriter, *http.Request) {}); err == nil {
		t.Fatal("a route without a rule was registered")
	}
	if err := p.HandleFunc("GET /customers/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }); err != nil {
		t.Fatal(err)
	}
	ask := func(c access.Caller) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/customers/1?q=2", nil)
		mux.ServeHTTP(w, r.WithContext(access.With(context.Background(), c)))
		return w
	}
	if w := ask(access.Caller{}); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/sign-in?next=%2Fcustomers%2F1%3Fq%3D2" {
		t.Errorf("signed out: %d %s", w.Code, w.Header().Get("Location"))
	}
	if w := ask(access.Caller{Account: "t", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_TECHNICIAN}}); w.Code != http.StatusForbidden {
		t.Errorf("technician: %d", w.Code)
	}
	if w := ask(access.Caller{Account: "c", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_CLERK}}); w.Code != http.StatusTeapot {
		t.Errorf("clerk: %d", w.Code)
	}
	if w := ask(access.Caller{Account: "c", OneTime: true, Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_CLERK}}); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/account" {
		t.Errorf("clerk with a password for one use: %d %s", w.Code, w.Header().Get("Location"))
	}
	if len(p.Routes()) != 1 {
		t.Errorf("routes: %v", p.Routes())
	}
}

func TestCaller_ChecksKindsAndFields(t *testing.T) {
	tech := access.Caller{Account: "t", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_TECHNICIAN}}
	clerk := access.Caller{Account: "c", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_CLERK}}
	order := schema.KindOf(schema.ServiceOrder)
	for what, c := range map[string]struct {
		err  error
		want error
	}{
		"technician reads customers":    {tech.CheckRead(access.Node, schema.Customer), schema.ErrForbidden},
		"technician reads orders":       {tech.CheckRead(access.Node, schema.ServiceOrder), nil},
		"technician writes work":        {tech.CheckWrite(access.Node, schema.ServiceOrder, order.Field("work")), nil},
		"technician writes a price":     {tech.CheckWrite(access.Node, schema.ServiceOrder, order.Field("work"), order.Field("estimate_amount")), schema.ErrForbidden},
		"clerk writes a price":          {clerk.CheckWrite(access.Node, schema.ServiceOrder, order.Field("estimate_amount")), nil},
		"clerk writes staff":            {clerk.CheckWrite(access.Node, schema.Staff), schema.ErrForbidden},
		"clerk at HQ":                   {clerk.CheckRead(access.HQ, schema.Vehicle), schema.ErrForbidden},
		"nobody":                        {access.Caller{}.CheckRead(access.Node, schema.Vehicle), schema.ErrForbidden},
		"a kind that there is not, yet": {clerk.CheckWrite(access.Node, 4711), schema.ErrForbidden},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", what, c.err, c.want)
		}
	}
	if r := tech.RoleFor(access.Node, "/branchline.v1.RecordService/CreateRecord"); r != branchlinev1.Role_ROLE_TECHNICIAN {
		t.Errorf("role used: %s", r)
	}
}

func TestKinds_areThoseTheCallerMaySee(t *testing.T) {
	tech := access.Caller{Account: "t", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_TECHNICIAN}}
	all, err := tech.Kinds(access.Node, nil)
	if err != nil || !slices.Contains(all, schema.Vehicle) || slices.Contains(all, schema.Customer) {
		t.Errorf("a technician sees %v: %v", all, err)
	}
	if got, err := tech.Kinds(access.Node, []string{"vehicles"}); err != nil || !slices.Equal(got, []schema.Kind{schema.Vehicle}) {
		t.Errorf("vehicles are %v: %v", got, err)
	}
	if _, err := tech.Kinds(access.Node, []string{"vehicles", "customers"}); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("customers: %v", err)
	}
	if _, err := tech.Kinds(access.Node, []string{"wheels"}); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("wheels: %v", err)
	}
	if got, err := (access.Caller{}).Kinds(access.Node, nil); err != nil || len(got) != 0 {
		t.Errorf("nobody sees %v: %v", got, err)
	}
}
