package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

// A value that lost against its removal elsewhere is shown beside it, and comes back.
func TestLost_AgainstARemoval(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "en")
	made := w.create(w.now.Add(time.Minute), "zm", &branchlinev1.Customer{Name: s("金美兰"), Remark: s("only by letter")})
	rid := w.rid(made.GetName())
	k, now, err := w.store.State(t.Context(), rid)
	if err != nil {
		t.Fatal(err)
	}
	gone, err := merge.FromChange(w.stamp("hg", w.now.Add(2*time.Minute)), &wirev1.ChangeBody{Names: []*wirev1.Names{{Field: uint32(k.Field("remark").Number), Remove: true}}})
	if err != nil {
		t.Fatal(err)
	}
	w.page(&wirev1.Row{Row: wirev1.RowKind_RECORD, Kind: uint32(k.Kind), Record: rid[:], State: merge.Join(now, gone).Encode(), Home: "pd"})
	path := "/" + made.GetName()
	page := zm.page(path)
	want(t, page, "(removed)", "only by letter")
	w.clock.set(w.now.Add(3 * time.Minute))
	form := formOf(t, page[strings.Index(page, `id="v-remark"`):], path+"/restore")
	if status, _, body := zm.post(path+"/restore", form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	if got := w.customer(made.GetName()).GetRemark(); got != "only by letter" {
		t.Errorf("restored: %q", got)
	}
}
