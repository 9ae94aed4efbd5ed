package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/known"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// hearsay is a filter that knows what a test tells it.
type hearsay struct {
	mu  sync.Mutex
	all map[known.Thing]bool
}

func (h *hearsay) Perhaps(_ context.Context, things []known.Thing) ([]bool, int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]bool, len(things))
	for i, t := range things {
		out[i] = h.all[t]
	}
	return out, 1, nil
}

func (h *hearsay) Stands() (*branchlinev1.KnownElsewhere, error) { return nil, nil }

func (h *hearsay) add(things ...known.Thing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = map[known.Thing]bool{}
	}
	for _, t := range things {
		h.all[t] = true
	}
}

// The words of the three languages: who it may be, what agrees, what the group perhaps knows.
func TestLike_IsSaidAsItIsTyped(t *testing.T) {
	w := newTown(newRig(t))
	w.hearsay.add(known.Phones("13955550001")...)
	w.line.set(false, w.now)
	for lang, want := range map[string][3]string{
		"zh-CN": {"本店有 1 位可能就是这位客户", "电话相同", "集团里可能已经有这位客户（电话）。 连上总部以后，他们的档案会合到一起。"},
		"zh-TW": {"本店有 1 位可能就是這位客戶", "電話相同", "集團裡可能已經有這位客戶（電話）。 連上總部以後，他們的檔案會合到一起。"},
		"en":    {"1 customer here may be the same", "same phone", "Perhaps known in the group (by phone). Their record will join when HQ is reached."},
	} {
		zm := w.as("zm", lang)
		form := formOf(t, zm.page("/customers/new"), "/customers")
		form.Set("phones.0.number", phoneOf(t, w, w.he))
		status, _, body := zm.post("/customers/like", form)
		if said := text(body); status != http.StatusOK || !strings.Contains(said, want[0]) || !strings.Contains(said, want[1]) || strings.Contains(said, want[2]) {
			t.Errorf("%s: %d %s", lang, status, text(body))
		}
		form.Set("phones.0.number", "139 5555 0001")
		if _, _, body := zm.post("/customers/like", form); !strings.Contains(text(body), want[2]) || strings.Contains(text(body), want[1]) {
			t.Errorf("%s: %s", lang, text(body))
		}
		form.Set("phones.0.number", "139 5555 000")
		if _, _, body := zm.post("/customers/like", form); text(body) != "" {
			t.Errorf("%s: of half a number: %s", lang, text(body))
		}
	}
	// Who looks a number up that nobody here has is led to the form with it, and told at once.
	_, found := w.as("zm", "en").get("/search?q=13955550001")
	if !strings.Contains(found, `href="/customers/new?phone=13955550001"`) {
		t.Error("the search does not lead to the form with the number")
	}
	if _, body := w.as("zm", "en").get("/customers/new?phone=13955550001"); !strings.Contains(text(body), "Perhaps known in the group (by phone).") || !strings.Contains(body, `value="13955550001"`) {
		t.Errorf("%s", text(body))
	}
	// Online it joins by itself, and HQ may be asked about the car, in one step.
	w.line.set(true, w.now)
	zm := w.as("zm", "en")
	form := formOf(t, zm.page("/customers/new"), "/customers")
	form.Set("phones.0.number", "139 5555 0001")
	form.Set("plate", "浙F2G6T1")
	if _, _, body := zm.post("/customers/like", form); !strings.Contains(text(body), "as soon as this one has reached HQ") || !strings.Contains(body, `formaction="/history"`) {
		t.Errorf("online: %s", body)
	}
	form.Set("reason", "The car is here")
	if status, _, body := zm.post("/history", form); status != http.StatusOK || !strings.Contains(text(body), "浙F") {
		t.Errorf("asking HQ from the form: %d %s", status, text(body))
	}
	if status, _, _ := w.as("lq", "en").post("/customers/like", form); status != http.StatusForbidden {
		t.Errorf("a technician is told: %d", status)
	}
}

func phoneOf(t *testing.T, w *town, customer string) string {
	t.Helper()
	c := held(t, w.rig, customer)
	if len(c.GetPhones()) == 0 {
		t.Fatal("no phone")
	}
	return c.GetPhones()[0].GetNumber()
}

// held is a customer as it is stored.
func held(t *testing.T, r *rig, name string) *branchlinev1.Customer {
	t.Helper()
	_, id, err := schema.ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := r.store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return rec.GetCustomer()
}

// Whoever sends the form without having seen the likely duplicates is shown them once; nothing is blocked.
func TestLike_IsShownOnceWhenItIsSent(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "en")
	form := formOf(t, zm.page("/customers/new"), "/customers")
	form.Set("name", "何家另一位")
	form.Set("phones.0.number", phoneOf(t, w, w.he))
	form.Set("plate", "沪A9Z123")
	status, _, body := zm.post("/customers", form)
	if status != http.StatusConflict || !strings.Contains(text(body), "same phone") || !strings.Contains(text(body), "other name") || !strings.Contains(body, `value="何家另一位"`) {
		t.Fatalf("%d %s", status, text(body))
	}
	again := formOf(t, body, "/customers")
	again.Set("confirmed", "likely_duplicate")
	status, to, body := zm.post("/customers", again)
	if status != http.StatusSeeOther || !strings.HasPrefix(to, "/vehicles/new?customer=") || !strings.Contains(to, "plate=") {
		t.Fatalf("%d %s %s", status, to, text(body))
	}
	// Sent again by mistake: the same customer, and no warning of itself.
	if status, second, body := zm.post("/customers", again); status != http.StatusSeeOther || second != to {
		t.Errorf("%d %s %s", status, second, text(body))
	}
	again.Del("confirmed")
	again.Del("warned")
	again.Set("phones.0.number", "13900007777")
	if status, second, _ := zm.post("/customers", again); status != http.StatusSeeOther || second != to {
		t.Errorf("warned of itself: %d %s", status, second)
	}
}

func TestLike_TakesTheIdButKeepsItsEnd(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "en")
	form := formOf(t, zm.page("/customers/new"), "/customers")
	form.Set("name", "欧阳某")
	form.Set("national_id", "110105194912310021")
	if status, _, body := zm.post("/customers", form); status != http.StatusBadRequest || !strings.Contains(text(body), "no such number") {
		t.Errorf("mistyped: %d %s", status, text(body))
	}
	form.Set("national_id", "11010519491231002x")
	status, to, body := zm.post("/customers", form)
	if status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	c := held(t, w.rig, strings.TrimPrefix(to, "/"))
	if c.GetIdLast() != "002X" || len(c.GetIdHash()) != 32 {
		t.Errorf("%v", c)
	}
	other := formOf(t, zm.page("/customers/new"), "/customers")
	other.Set("national_id", "11010519491231002X")
	if _, _, body := zm.post("/customers/like", other); !strings.Contains(text(body), "same id") {
		t.Errorf("%s", text(body))
	}
	// Later, at an edit, with nothing else changed; a mistyped one is told beside the field.
	edit := formOf(t, zm.page("/"+w.he+"/edit"), "/"+w.he)
	edit.Set("national_id", "E1234567")
	stale := formOf(t, zm.page("/"+w.he+"/edit"), "/"+w.he)
	if status, to, body := zm.post("/"+w.he, edit); status != http.StatusSeeOther || to != "/"+w.he {
		t.Errorf("%d %s", status, text(body))
	}
	if c := held(t, w.rig, w.he); c.GetIdLast() != "4567" {
		t.Errorf("%v", c.GetIdLast())
	}
	if body := zm.page("/" + w.he + "/edit"); !strings.Contains(text(body), "ends in 4567") || strings.Contains(body, "E1234567") {
		t.Error("the form does not say what is on record")
	}
	stale.Set("national_id", "E7654321")
	if status, _, body := zm.post("/"+w.he, stale); status != http.StatusConflict || !strings.Contains(text(body), "changed it meanwhile") {
		t.Errorf("over another's: %d %s", status, text(body))
	}
	stale.Set("national_id", "1")
	if status, _, body := zm.post("/"+w.he, stale); status != http.StatusBadRequest || !strings.Contains(text(body), "no such number") {
		t.Errorf("mistyped: %d %s", status, text(body))
	}
	if strings.Contains(w.logs.String(), "1949") {
		t.Error("an id is in the log")
	}
}

// In a browser, by keyboard alone: the warning comes while one types on, without taking the focus or the text, and its
// buttons come after what is typed.
func TestBrowser_LikeIsToldWhileTyping(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	w.hearsay.add(known.Phones("13955550001")...)
	number := phoneOf(t, w, w.he)
	zm := cookies(w.signIn("zm"))
	focused := func(name string) looktest.Option {
		return looktest.Do(looktest.Expect(`document.activeElement.name === "` + name + `"`))
	}
	typing := func(name, text string) looktest.Option {
		return looktest.Do(
			chromedp.Evaluate[chromedp.Void](`void document.querySelector('[name="`+name+`"]').focus()`),
			chromedp.KeyEvent(text),
		)
	}
	waits := func(js string) looktest.Option { return looktest.Do(looktest.Expect(js)) }
	b.Audit(t, w.srv.URL+"/customers/new", look.Langs(), append(zm, looktest.Named("customer-like"),
		typing("name", "何先生"), typing("phones.0.number", number), waits(`document.querySelectorAll("#like .list > li").length === 1`), focused("phones.0.number"),
		waits(`document.querySelector('[name="phones.0.number"]').value === "`+number+`" && document.querySelector("#like").getAttribute("role") === "status"`),
	)...)
	b.Audit(t, w.srv.URL+"/customers/new", look.Langs(), append(zm, looktest.Named("customer-perhaps"),
		typing("name", "段某"), typing("phones.0.number", "13955550001"), waits(`!!document.querySelector("#like .note.is-info")`), focused("phones.0.number"),
		typing("phones.0.number", "9"), waits(`!document.querySelector("#like .note")`), // another number: it goes
		looktest.Do(chromedp.KeyEvent("\b")), waits(`!!document.querySelector("#like .note.is-info")`),
	)...)
}

// Without the pointer: from the phone by Tab to "it is another person", which makes the customer; Enter in a field is
// what the button Save is.
func TestBrowser_LikeByKeyboard(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	number := phoneOf(t, w, w.he)
	zm := cookies(w.signIn("zm"))
	until := func(js string) chromedp.Action[chromedp.Void] {
		return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			for range 20 {
				if err := chromedp.Do(ctx, chromedp.KeyEvent("\t")); err != nil {
					return err
				}
				if ok, err := chromedp.Evaluate[bool](js)(ctx, tab); err != nil || ok {
					return err
				}
			}
			return errors.New("Tab never leads to " + js)
		})
	}
	saved := looktest.Expect(`/^\/customers\/[0-9a-z]{26}$/.test(location.pathname) && document.readyState === "complete"`)
	for name, end := range map[string][]chromedp.Action[chromedp.Void]{
		"another": {until(`document.activeElement.value === "likely_duplicate"`), chromedp.KeyEvent("\r"), saved},
		"enter":   {chromedp.KeyEvent("\r"), saved},
	} {
		b.Audit(t, w.srv.URL+"/customers/new", []look.Lang{"zh-CN"}, append(append([]looktest.Option{}, zm...), looktest.Named("customer-made-"+name), looktest.Do(
			chromedp.Evaluate[chromedp.Void](`void document.querySelector('[name="name"]').focus()`), chromedp.KeyEvent("何某"+name),
			until(`document.activeElement.name === "phones.0.number"`), chromedp.KeyEvent(number),
			looktest.Expect(`document.querySelectorAll("#like .list > li").length > 0`)), looktest.Do(end...))...)
	}
}
