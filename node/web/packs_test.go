package web_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/looktest"
)

// sells puts packages on sale: two for the Passat, of which one is due by its distance, one for another model, one for
// all, one that is over and one of another branch.
func (w *town) sells() (due string) {
	w.t.Helper()
	lines := []*branchlinev1.PackageLine{{Kind: branchlinev1.LineKind_LABOUR.Enum(), Item: s("保养"), Amount: proto.Int64(30_000)}}
	for _, p := range []*branchlinev1.Package{
		{Name: s("安心清洗")},
		{Name: s("别店保养"), Branch: s("hg")},
		{Name: s("大保养"), Models: []string{"帕萨特"}, EveryKm: proto.Int64(60_000)},
		{Name: s("旧保养"), Models: []string{"帕萨特"}, ValidTo: s("2026-11-20")},
		{Name: s("奥迪保养"), Models: []string{"奥迪 A6L"}, EveryKm: proto.Int64(1_000)},
		{Name: s("小保养"), Models: []string{"大众 帕萨特", "途观L"}, EveryKm: proto.Int64(10_000), Price: proto.Int64(48_000)},
	} {
		p.Lines = lines
		r := w.create(at("2026-11-20"), "boss", p)
		if p.GetName() == "小保养" {
			due = id(r)
		}
	}
	w.clock.set(w.now)
	return due
}

// What a car is offered is the same at the gate, on its order and for its appointment: what fits before the rest, and what
// is due first.
func TestPackages_WhatIsDueAndFitsStandsFirst(t *testing.T) {
	w := newTown(newRig(t))
	due := w.sells()
	zm := w.as("zm", "zh-CN")
	offered := []string{"小保养", "大保养", "安心清洗", "奥迪保养"}
	names := func(texts []string) (out []string) {
		for _, x := range texts {
			name, _, _ := strings.Cut(x, " ")
			out = append(out, name)
		}
		return out
	}
	page := zm.page("/" + w.open)
	looktest.HTML(t, page)
	values, texts, _ := choices(t, page, "q-pack")
	if !slices.Equal(names(texts), offered) || values[0] != due {
		t.Errorf("on the order: %q", texts)
	}
	heads := regexp.MustCompile(`<optgroup label="([^"]*)">`).FindAllStringSubmatch(page, -1)
	if len(heads) != 3 || heads[0][1] != "该做了" || heads[1][1] != "适合这台车" || heads[2][1] != "别的车型" {
		t.Errorf("under %q", heads)
	}
	want(t, page, "小保养 · 480.00")

	gate := zm.page("/serviceOrders/new?vehicle=" + w.passat[len("vehicles/"):])
	if found := regexp.MustCompile(`name="package" value="[^"]+"[^>]*><span>([^< ]+)`).FindAllStringSubmatch(gate, -1); len(found) != 4 || found[3][1] != "奥迪保养" {
		t.Errorf("at the gate: %q", found)
	}
	_, texts, _ = choices(t, zm.page("/appointments/new?vehicle="+w.passat[len("vehicles/"):]), "i-package")
	if got := names(texts[1:]); got[3] != "奥迪保养" || len(got) != 4 {
		t.Errorf("for an appointment: %q", texts)
	}

	// Put in, it is not due any more.
	path := "/" + w.open
	zm.done(t, path+"/package", filled(t, page, path+"/package", "package", due), "#add")
	_, texts, _ = choices(t, zm.page(path), "q-pack")
	if got := names(texts); got[0] != "大保养" {
		t.Errorf("afterwards: %q", texts)
	}

	// What was booked and is not sold any more stays chosen.
	old := w.create(w.now, "boss", &branchlinev1.Package{Name: s("老套餐"), ValidTo: s("2026-01-01"), Lines: []*branchlinev1.PackageLine{{Item: s("x")}}})
	b := w.create(w.now, "zm", &branchlinev1.Appointment{Day: s("2026-11-21"), StartAt: proto.Int64(w.now.UnixMilli()), Plate: s("沪A1"), Package: s(id(old))})
	if _, _, chosen := choices(t, zm.page("/"+b.GetName()+"/edit"), "i-package"); chosen != id(old) {
		t.Errorf("booked is %q", chosen)
	}
}
