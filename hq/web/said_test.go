package web_test

import (
	"fmt"
	"strings"
	"testing"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// A kind of record that was set aside is named, whichever it is, in every language.
func TestQuarantine_namesEveryKind(t *testing.T) {
	w := world()
	w.aside = nil
	for i, k := range schema.Kinds() {
		w.aside = append(w.aside, &branchlinev1.QuarantineItem{Change: fmt.Sprintf("pd/2s0b9p1q7z3k/%d", i+1), Kind: k.Name, Outcome: "QUARANTINED", At: now().UnixMilli()})
	}
	r := newRig(t, w)
	token := r.token("steward", steward)
	for _, lang := range look.Langs() {
		page := text(r.get("/quarantine", token, lang).body)
		for _, k := range schema.Kinds() {
			if strings.Contains(page, "kind."+k.Name) || strings.Contains(page, "thing."+k.Name) {
				t.Errorf("%s: %s has no name", lang, k.Name)
			}
		}
	}
}

// A consent that lost against another consent lost to a later one: nobody refused. Where somebody did, the refusal holds.
func TestCustomer_sayWhyAConsentLost(t *testing.T) {
	for _, given := range []bool{true, false} {
		w := world()
		g := w.golden[chen]
		g.GetCustomer().ConsentMarketing = &branchlinev1.Consent{Given: new(given), Day: new("2025-12-26")}
		for _, src := range g.GetSources() {
			if src.GetField() == "consent_marketing" {
				src.Lost = []*branchlinev1.LostValue{{Json: `{"given":true,"day":"2019-02-06"}`, Branch: "hqi", At: ms("2026-11-20", "10:00")}}
			}
		}
		r := newRig(t, w)
		page := text(r.get("/"+chen, r.token("steward", steward), look.En).body)
		if !strings.Contains(page, "agreed 2019-02-06") || strings.Contains(page, "A refusal outranks it.") == given {
			t.Errorf("given %v: %s", given, page)
		}
	}
}
