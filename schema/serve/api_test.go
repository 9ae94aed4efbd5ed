package serve_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/account"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/serve"
)

// With curl:
//
//	curl -d '{"account":"admin","password":"…"}' -H 'Content-Type: application/json' \
//	     http://127.0.0.1:8481/branchline.v1.AccountService/SignIn
func TestJSON_OverPost(t *testing.T) {
	r := newRig(t, access.Node, nil)
	in := r.post("AccountService/SignIn", "", fmt.Sprintf(`{"account":"admin","password":%q}`, r.pass))
	var session struct {
		Token   string
		Account struct{ Roles []string }
	}
	if err := json.Unmarshal([]byte(in.body), &session); err != nil || in.status != 200 || session.Account.Roles[0] != "ROLE_BRANCH_MANAGER" {
		t.Fatalf("sign in: %d %s, %v", in.status, in.body, err)
	}
	if got := r.post("AccountService/WhoAmI", session.Token, `{}`); got.status != 200 || !strings.Contains(got.body, `"admin"`) {
		t.Errorf("who am I: %d %s", got.status, got.body)
	}
	clerk := r.token("li", branchlinev1.Role_ROLE_CLERK)
	big := strings.Repeat("x", 2<<20)
	var rows []string
	for i := range 400 {
		rows = append(rows, fmt.Sprintf(`{"key":"%d","records":[{"customer":{"name":"n","remark":%q}}]}`, i, big[:1900]))
	}
	batch := `{"source":"s","rows":[` + strings.Join(rows, ",") + `]` // without the last brace
	for what, c := range map[string]struct {
		method, token, body string
		status              int
		code, says          string
	}{
		"no token":        {"RecordService/GetRecord", "", `{"name":"x"}`, 401, "unauthenticated", "sign in"},
		"wrong token":     {"RecordService/GetRecord", "bt_nonsense", `{"name":"x"}`, 401, "unauthenticated", "over"},
		"wrong password":  {"AccountService/SignIn", "", `{"account":"admin","password":"not this one"}`, 401, "unauthenticated", "the account or the password is wrong"},
		"not his":         {"AccountService/CreateAccount", clerk, `{}`, 403, "permission_denied", "branch-manager may"},
		"rules first":     {"AccountService/CreateAccount", clerk, `garbage`, 403, "permission_denied", "branch-manager may"},
		"HQ's service":    {"HeadquartersService/AddBranch", session.Token, `{}`, 404, "", ""},
		"missing field":   {"RecordService/GetRecord", clerk, `{}`, 400, "invalid_argument", "name"},
		"garbage":         {"RecordService/GetRecord", clerk, `]]`, 400, "invalid_argument", ""},
		"unknown field":   {"RecordService/GetRecord", clerk, `{"name":"x","golden_":true}`, 400, "invalid_argument", "golden_"},
		"unknown, within": {"RecordService/CreateRecord", clerk, `{"record":{"customer":{"name":"n","fone":"1"}}}`, 400, "invalid_argument", "fone"},
		"unknown value":   {"RecordService/CreateRecord", clerk, `{"record":{"customer":{"type":"ROBOT"}}}`, 400, "invalid_argument", "ROBOT"},
		"wrong type":      {"RecordService/GetRecord", clerk, `{"name":7}`, 400, "invalid_argument", ""},
		"empty body":      {"RecordService/GetRecord", clerk, ``, 400, "invalid_argument", ""},
		"deep nesting":    {"RecordService/GetRecord", clerk, strings.Repeat(`{"name":`, 20000), 400, "invalid_argument", ""},
		"oversized":       {"RecordService/CreateRecord", clerk, `{"record":{"customer":{"name":"` + big + `"}}}`, 429, "resource_exhausted", "larger than"},
		"import, big":     {"RecordService/ImportRows", session.Token, batch + `}`, 200, "", ""},
		"import, too big": {"RecordService/ImportRows", session.Token, batch + strings.Repeat(" ", 8<<20) + `}`, 429, "resource_exhausted", "larger than"},
		"no such method":  {"RecordService/DropAll", clerk, `{}`, 404, "", ""},
		"not found":       {"RecordService/GetRecord", clerk, `{"name":"gone"}`, 404, "not_found", "gone"},
		"conflict":        {"RecordService/GetRecord", clerk, `{"name":"conflict"}`, 409, "aborted", "another desk"},
		"internal":        {"RecordService/GetRecord", clerk, `{"name":"secret"}`, 500, "internal", "internal error (ref "},
		"panic":           {"RecordService/GetRecord", clerk, `{"name":"panic"}`, 500, "internal", "internal error (ref "},
		"not built":       {"RecordService/Search", clerk, `{"query":"x"}`, 501, "unimplemented", ""},
		"fine":            {"RecordService/GetRecord", clerk, `{"name":"x"}`, 200, "", ""},
	} {
		got := r.post(c.method, c.token, c.body)
		if got.status != c.status || got.Code != c.code || !strings.Contains(got.Msg, c.says) {
			t.Errorf("%s: %d %s %q, want %d %s %q", what, got.status, got.Code, got.body[:min(300, len(got.body))], c.status, c.code, c.says)
		}
		switch what {
		case "missing field":
			if len(got.Detail) != 1 || got.Detail[0].Type != "branchline.v1.FieldViolation" || got.Detail[0].Debug["field"] != "name" {
				t.Errorf("details: %s", got.body)
			}
		case "conflict":
			if len(got.Detail) != 1 || got.Detail[0].Debug["theirs"] != `"b"` {
				t.Errorf("details: %s", got.body)
			}
		case "internal":
			if strings.Contains(got.body, "/var/lib") {
				t.Errorf("internals shown: %s", got.body)
			}
		}
	}
	// What was not read of a refused request is never taken for the next one.
	for range 5 {
		for _, path := range []string{"RecordService/CreateRecord", "AccountService/CreateAccount", "RecordService/DropAll"} {
			for _, size := range []int{100 << 10, 300 << 10, 2 << 20, 9 << 20} {
				r.post(path, clerk, strings.Repeat("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", size/44))
			}
		}
		if got := r.post("RecordService/GetRecord", clerk, `{"name":"x"}`); got.status != 200 || !strings.Contains(got.body, `"x"`) {
			t.Fatalf("after refused requests: %d %s", got.status, got.body)
		}
	}
	if !strings.Contains(r.logs.String(), "disk says /var/lib/secret") {
		t.Error("an internal error was not logged in full")
	}
	if got := r.do("GET", "/branchline.v1.RecordService/CreateRecord?encoding=json&message=%7B%7D", clerk, "", nil); got.status != 405 {
		t.Errorf("a write by GET: %d", got.status)
	}
	if got := r.do("GET", "/branchline.v1.RecordService/GetRecord?encoding=json&message=%7B%22name%22:%22x%22%7D", clerk, "", nil); got.status != 200 {
		t.Errorf("a read by GET: %d %s", got.status, got.body)
	}
	got := r.do("POST", "/branchline.v1.RecordService/GetRecord", clerk, "name=x", func(q *http.Request) {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	})
	if got.status != 415 {
		t.Errorf("a form: %d", got.status)
	}
}

// What a method cannot understand it refuses, in a URL and with a charset said too.
func TestJSON_IsReadStrictly(t *testing.T) {
	r := newRig(t, access.Node, nil)
	token := r.token("li", branchlinev1.Role_ROLE_CLERK)
	for message, status := range map[string]int{`{"name":"x"}`: http.StatusOK, `{"name":"x","colour":"red"}`: http.StatusBadRequest} {
		q := url.Values{"connect": {"v1"}, "encoding": {"json"}, "message": {message}}
		if got := r.do(http.MethodGet, "/branchline.v1.RecordService/GetRecord?"+q.Encode(), token, "", nil); got.status != status {
			t.Errorf("GET %s: %d %s", message, got.status, got.body)
		}
		got := r.do(http.MethodPost, "/branchline.v1.RecordService/GetRecord", token, message, func(req *http.Request) {
			req.Header.Set("Content-Type", "application/json; charset=utf-8")
		})
		if got.status != status {
			t.Errorf("POST %s: %d %s", message, got.status, got.body)
		}
	}
}

// The real curl, where there is one.
func TestJSON_ByCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("no curl on this machine")
	}
	r := newRig(t, access.Node, nil)
	token := r.token("li", branchlinev1.Role_ROLE_CLERK)
	for _, c := range []struct{ body, want string }{
		{`{"name":"customers/x"}`, `{"name":"customers/x","home":"li"}` + "200"},
		{`{}`, "must be at least 1 characters"},
		{`garbage`, `"code":"invalid_argument"`},
	} {
		out, err := exec.CommandContext(t.Context(), curl, "--silent", "--show-error", "--write-out", "%{http_code}",
			"--header", "Content-Type: application/json", "--header", "Authorization: Bearer "+token,
			"--data", c.body, r.url+"/branchline.v1.RecordService/GetRecord").CombinedOutput()
		if err != nil || !strings.Contains(strings.ReplaceAll(string(out), ", ", ","), c.want) {
			t.Errorf("%s: %s, %v; want %s", c.body, out, err, c.want)
		}
	}
}

func TestSignIn_ThrottledOverHTTP(t *testing.T) {
	r := newRig(t, access.Node, nil)
	for i := range 20 {
		got := r.post("AccountService/SignIn", "", `{"account":"admin","password":"not this one"}`)
		if got.status == 401 {
			continue
		}
		if i != 8 || got.status != 429 || got.Code != "resource_exhausted" || got.header.Get("Retry-After") == "" {
			t.Errorf("try %d: %d %s %v", i, got.status, got.body, got.header)
		}
		return
	}
	t.Error("never throttled")
}

// Every method of every service, every role, over the wire: let in exactly as the table says.
func TestEveryMethod_AsksTheRules(t *testing.T) {
	for _, site := range []access.Site{access.Node, access.HQ} {
		r := newRig(t, site, nil)
		tokens := map[branchlinev1.Role]string{}
		for _, role := range access.RolesOf(site) {
			tokens[role] = r.token(access.Name(role), role)
		}
		services := schema.Services()
		n := 0
		for _, sd := range services {
			if site == access.Node && (sd.Name() == "HeadquartersService" || sd.Name() == "MatchService") {
				continue
			}
			for j := range sd.Methods().Len() {
				what := "/" + string(sd.FullName()) + "/" + string(sd.Methods().Get(j).Name())
				n++
				if got := r.do("POST", what, "", "{}", nil); (got.status != 401) != access.Public(site, what) {
					t.Errorf("%s: %s without sign-in: %d", site, what, got.status)
				}
				if strings.HasSuffix(what, "/SignOut") || strings.HasSuffix(what, "/EndSession") {
					continue // would end what the others need
				}
				for role, token := range tokens {
					got := r.do("POST", what, token, "{}", nil)
					if (got.status != 403) != access.Allowed(site, what, []branchlinev1.Role{role}) {
						t.Errorf("%s: %s by %s: %d %s", site, what, access.Name(role), got.status, got.body)
					}
				}
			}
		}
		if n < 20 {
			t.Errorf("%s: only %d methods walked", site, n)
		}
	}
}

// Whoever signed in with a password for one use may set their own and nothing else.
func TestOneTimePassword_OpensNothingElse(t *testing.T) {
	r := newRig(t, access.Node, nil)
	made, err := r.accounts.Create(t.Context(), &branchlinev1.Account{Name: "new", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_BRANCH_MANAGER}}, "")
	if err != nil {
		t.Fatal(err)
	}
	signIn := func(password string) string {
		g, err := r.accounts.SignIn(t.Context(), account.Try{Account: "new", Password: password})
		if err != nil {
			t.Fatal(err)
		}
		return g.Token
	}
	token, open := signIn(made), 0
	services := schema.Services()
	for _, sd := range services {
		for j := range sd.Methods().Len() {
			what := "/" + string(sd.FullName()) + "/" + string(sd.Methods().Get(j).Name())
			if access.MayFirst(what) {
				open++
				continue
			}
			if !access.Allowed(access.Node, what, []branchlinev1.Role{branchlinev1.Role_ROLE_BRANCH_MANAGER}) {
				continue
			}
			if got := r.do("POST", what, token, "{}", nil); got.status != 403 || !strings.Contains(got.Msg, "for one use") {
				t.Errorf("%s: %d %s", what, got.status, got.body)
			}
		}
	}
	if open != 8 {
		t.Errorf("%d methods are open", open)
	}
	body := `{"account":{"name":"new"},"password":"one of my own now","currentPassword":"` + made + `"}`
	if got := r.post("AccountService/UpdateAccount", token, body); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := r.post("AccountService/ListAccounts", signIn("one of my own now"), "{}"); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// What is wrong is named in the closed list of sentences, for clients that say it in another language.
func TestErrors_SayTheirCode(t *testing.T) {
	r := newRig(t, access.Node, nil)
	clerk := r.token("zhou", branchlinev1.Role_ROLE_CLERK)
	type detail struct {
		kind, code string
		args       []any
	}
	for name, x := range map[string]struct {
		method, token, body string
		want                []detail
	}{
		"nobody":   {"RecordService/Search", "", `{"query":"x"}`, []detail{{"ErrorReason", "sign_in", nil}}},
		"not his":  {"AccountService/CreateAccount", clerk, `{}`, []detail{{"ErrorReason", "role_may_not", []any{"branch-manager"}}}},
		"a field":  {"AccountService/CreateToken", clerk, `{"days":1,"label":" "}`, []detail{{"FieldViolation", "token_label", nil}}},
		"two":      {"AccountService/UpdateAccount", clerk, `{"account":{"name":"zhou"},"password":"short"}`, []detail{{"FieldViolation", "password_short", []any{"5", "12"}}}},
		"required": {"AccountService/UpdateAccount", clerk, `{}`, []detail{{"FieldViolation", "required", nil}}},
	} {
		got := r.post(x.method, x.token, x.body)
		var out []detail
		for _, d := range got.Detail {
			args, _ := d.Debug["args"].([]any)
			code, _ := d.Debug["code"].(string)
			out = append(out, detail{strings.TrimPrefix(d.Type, "branchline.v1."), code, args})
		}
		if !reflect.DeepEqual(out, x.want) {
			t.Errorf("%s: %v, want %v: %s", name, out, x.want, got.body)
		}
	}
}

func TestClient_Errors(t *testing.T) {
	r := newRig(t, access.Node, nil)
	c, err := serve.NewClient(r.url, r.accounts.LocalToken(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	me, err := c.Accounts.WhoAmI(t.Context(), &branchlinev1.Empty{})
	if err != nil || me.GetName() != "local" {
		t.Errorf("who am I: %v %v", me, err)
	}
	for name, want := range map[string]error{"gone": schema.ErrNotFound, "conflict": schema.ErrConflict, "": schema.ErrInvalid, "secret": nil} {
		_, err := c.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: name})
		var ce *serve.CallError
		if !errors.As(err, &ce) || want != nil && !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
			continue
		}
		if (len(ce.Violations) > 0) != (name == "") || (len(ce.Conflicts) > 0) != (name == "conflict") {
			t.Errorf("%q: details %+v", name, ce)
		}
	}
	anon, err := serve.NewClient(r.url, "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer anon.Close()
	if _, err := anon.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: "x"}); !errors.Is(err, schema.ErrUnsigned) {
		t.Errorf("without a token: %v", err)
	}
	r.end()
	if _, err := c.Accounts.WhoAmI(t.Context(), &branchlinev1.Empty{}); !errors.Is(err, schema.ErrUnavailable) {
		t.Errorf("after the end: %v", err)
	}
	for _, bad := range []string{"", "127.0.0.1:1", "ftp://x", "http://branch.example:8481"} {
		if _, err := serve.NewClient(bad, "bt_x", ""); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestLogs_HoldNoPersonalData(t *testing.T) {
	r := newRig(t, access.Node, nil)
	clerk := r.token("li", branchlinev1.Role_ROLE_CLERK)
	long := canary + strings.Repeat("x", 70)
	r.post("AccountService/SignIn", "", fmt.Sprintf(`{"account":%q,"password":%q}`, canary, canary))
	r.post("RecordService/GetRecord", clerk, fmt.Sprintf(`{"name":%q}`, "panic "+canary))
	r.post("RecordService/GetRecord", clerk, fmt.Sprintf(`{"name":%q}`, long))
	r.post("RecordService/GetRecord", clerk, canary)
	r.post("RecordService/GetRecord", canary, `{}`)
	r.post("RecordService/CreateRecord", clerk, fmt.Sprintf(`{"record":{"customer":{"name":%q,"idLast":%q}}}`, canary, canary))
	r.post(canary+"/GetRecord", clerk, `{}`)
	r.do("GET", "/customers/"+canary+"?q="+canary, clerk, "", func(q *http.Request) { q.Header.Set("User-Agent", canary) })
	logs := r.logs.String()
	if strings.Count(logs, "panic") == 0 || !strings.Contains(logs, "sign-in refused") {
		t.Fatalf("the log is not that of these requests:\n%s", logs)
	}
	if strings.Contains(logs, "canary") || strings.Contains(logs, "13800001234") {
		t.Errorf("personal data in the log:\n%s", logs)
	}
}

func TestOpenAPI_ListsEveryMethodAndResolves(t *testing.T) {
	for _, site := range []access.Site{access.Node, access.HQ} {
		r := newRig(t, site, nil)
		got := r.do("GET", "/openapi.json", "", "", nil)
		var doc struct {
			OpenAPI    string
			Info       struct{ Title, Version string }
			Paths      map[string]map[string]map[string]any
			Components struct{ Schemas map[string]any }
		}
		if err := json.Unmarshal([]byte(got.body), &doc); err != nil || got.status != 200 {
			t.Fatalf("%d %v", got.status, err)
		}
		if doc.OpenAPI != "3.1.0" || doc.Info.Title == "" || doc.Info.Version == "" {
			t.Errorf("head: %+v", doc.Info)
		}
		services := schema.Services()
		want, ids := 0, map[string]bool{}
		for _, sd := range services {
			if site == access.Node && (sd.Name() == "HeadquartersService" || sd.Name() == "MatchService") {
				continue
			}
			for j := range sd.Methods().Len() {
				want++
				op := doc.Paths["/"+string(sd.FullName())+"/"+string(sd.Methods().Get(j).Name())]["post"]
				for _, key := range []string{"operationId", "requestBody", "responses", "description"} {
					if op[key] == nil {
						t.Errorf("%s: %s has no %s", site, sd.Methods().Get(j).FullName(), key)
					}
				}
				ids[fmt.Sprint(op["operationId"])] = true
			}
		}
		if len(doc.Paths) != want || len(ids) != want {
			t.Errorf("%s: %d paths, %d ids, want %d", site, len(doc.Paths), len(ids), want)
		}
		refs := 0
		var walk func(any)
		walk = func(v any) {
			switch v := v.(type) {
			case map[string]any:
				if ref, ok := v["$ref"].(string); ok {
					refs++
					if doc.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")] == nil {
						t.Errorf("%s: %s leads nowhere", site, ref)
					}
				}
				for _, x := range v {
					walk(x)
				}
			case []any:
				for _, x := range v {
					walk(x)
				}
			}
		}
		var all any
		if err := json.Unmarshal([]byte(got.body), &all); err != nil {
			t.Fatal(err)
		}
		walk(all)
		if refs < 2*want {
			t.Errorf("%s: only %d references", site, refs)
		}
		customer := doc.Components.Schemas["branchline.v1.Customer"].(map[string]any)["properties"].(map[string]any)
		if customer["name"].(map[string]any)["maxLength"] != float64(200) || customer["phones"].(map[string]any)["type"] != "array" ||
			customer["idLast"] == nil {
			t.Errorf("customer: %v", customer)
		}
	}
}

// An account that tries number after number is held back, and told for how long; another is not, and the owner of the folder is not.
func TestLookups_Paced(t *testing.T) {
	now := time.Now()
	r := newRig(t, access.Node, func(c *serve.Config) { c.Now = func() time.Time { return now } })
	li, wu := r.token("li", branchlinev1.Role_ROLE_CLERK), r.token("wu", branchlinev1.Role_ROLE_CLERK)
	search := func(token string) reply { return r.post("RecordService/Search", token, `{"query":"13817264531"}`) }
	n := 0
	var got reply
	for got = search(li); got.status != 429 && n < 1000; got = search(li) {
		n++
	}
	if got.Code != "resource_exhausted" || got.header.Get("Retry-After") != "1" || n < 30 {
		t.Errorf("after %d: %+v, Retry-After %q", n, got, got.header.Get("Retry-After"))
	}
	for who, token := range map[string]string{"another account": wu, "the owner": r.accounts.LocalToken()} {
		if got := search(token); got.status == 429 {
			t.Errorf("%s is held back: %+v", who, got)
		}
	}
	now = now.Add(time.Second)
	if got := search(li); got.status == 429 {
		t.Errorf("after the wait: %+v", got)
	}
	// Asking whether customers are known is looking up as many numbers as are named.
	zh := r.token("zh", branchlinev1.Role_ROLE_CLERK)
	like := func() reply {
		return r.post("RecordService/FindLike", zh, `{"customer":{"phones":[{"number":"13817264531"},{"number":"13817264532"},{"number":"13817264533"}]}}`)
	}
	n = 0
	for got = like(); got.status != 429 && n < 1000; got = like() {
		n++
	}
	if got.Code != "resource_exhausted" || n < 10 || n > 30 {
		t.Errorf("after %d times three numbers: %+v", n, got)
	}
	n = 0
	list := func() reply {
		return r.post("RecordService/ListRecords", li, `{"collection":"customers","pageSize":1000}`)
	}
	for got = list(); got.status != 429 && n < 1000; got = list() {
		n++
	}
	if got.Code != "resource_exhausted" || got.header.Get("Retry-After") == "" || n < 10 {
		t.Errorf("after %d pages: %+v", n, got)
	}
}
