package web_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/looktest"
)

func TestHome_WaitsForEachRole(t *testing.T) {
	w := newTown(newRig(t))
	w.house()
	w.create(at("2026-11-20"), "zm", &branchlinev1.Contact{
		Customer: s(w.he[len("customers/"):]), Channel: branchlinev1.ContactChannel_CHANNEL_PHONE.Enum(), Direction: branchlinev1.Direction_DIRECTION_OUT.Enum(),
		NextOn: s("2026-11-21"), NextStep: s("再问保险报价"), By: s("zm"),
	})
	w.clock.set(w.now)
	page := w.as("zm", "zh-CN").page("/")
	looktest.HTML(t, page)
	mine := text(section(page, `id="live-mine"`, `id="live-right"`))
	want(t, mine, "给陈建国打电话：要晚交", "配件到货，约客户来装", "共 1 台车", "联系何建华：再问保险报价", "通知陈建国来取车", "条改动没有照原样用上")
	wantNot(t, mine, "何建华打电话", "质检")
	for i, key := range regexp.MustCompile(`data-key="(\d)"`).FindAllStringSubmatch(section(page, `id="live-mine"`, `id="live-right"`), -1) {
		if key[1] != fmt.Sprint(i+1) {
			t.Errorf("the key of thing %d is %s", i+1, key[1])
		}
	}
	want(t, section(page, `id="live-due"`, `id="live-left"`), "沪A·52H17", "浙A·0B5N2", "迟 25 分")
	want(t, section(page, `id="live-head"`, "</ol>"), "维修中 2 2 台迟", "可交车 1 1 台没通知")
	boss := text(section(w.as("boss", "zh-CN").page("/"), `id="live-mine"`, `id="live-right"`))
	want(t, boss, "给何建华打电话：要晚交", "质检")
	lq := text(w.as("lq", "zh-CN").page("/"))
	want(t, lq, "质检", "等您开工")
	wantNot(t, lq, "陈建国打电话", "再问保险报价", "约客户来装", "没有照原样用上", "请看一眼") // what was changed of customers
	want(t, text(w.as("lq", "zh-CN").page("/line")), "请看一眼", "一条您的职务看不到的记录")
}

// What waits beyond the nine keys is counted and can be unfolded.
func TestHome_WhatHasNoKeyIsAClickAway(t *testing.T) {
	w := newTown(newRig(t))
	for i := range 12 {
		w.create(at("2026-11-20"), "zm", &branchlinev1.Contact{
			Customer: s(w.he[len("customers/"):]), Channel: branchlinev1.ContactChannel_CHANNEL_PHONE.Enum(), Direction: branchlinev1.Direction_DIRECTION_OUT.Enum(),
			NextOn: s("2026-11-21"), NextStep: s(fmt.Sprint("第", i, "次")), By: s("zm"),
		})
	}
	w.clock.set(w.now)
	mine := section(w.as("zm", "zh-CN").page("/"), `id="live-mine"`, `id="live-right"`)
	shown, rest, _ := strings.Cut(mine, "<details")
	want(t, text(shown), "联系何建华：第11次")
	want(t, text("<p"+rest), "联系何建华：第0次")
	if n := strings.Count(shown, "<li>") + strings.Count(rest, "<li>"); !strings.Contains(text(shown), fmt.Sprint(n, " 件")) || strings.Contains(rest, "data-key") {
		t.Errorf("%d things are not what is counted, or one without a key has one", n)
	}
}

// In one column what was promised stands first, then what waits for the person, and no language is wider than the page.
func TestBrowser_HomeInOneColumn(t *testing.T) {
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	w.house()
	top := func(id string) string { return `document.getElementById("` + id + `").getBoundingClientRect().top` }
	for _, width := range []int64{820, 360} {
		b.Run(t, w.srv.URL+"/", withLang(w.signIn("zm"), "en"),
			chromedp.EmulateViewport(width, 900),
			looktest.Expect(`!!window.htmx && document.readyState === "complete"`),
			looktest.Expect(top("live-due")+" < "+top("live-mine")+" && "+top("live-mine")+" < "+top("live-left")+" && "+top("live-left")+" < "+top("live-right")),
			looktest.Expect(`document.documentElement.scrollWidth <= innerWidth`),
		)
	}
}

// What waits for the person opens by its number; what comes from elsewhere shows meanwhile and takes nothing.
func TestBrowser_HomeIsLive(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	he, _ := w.house()
	b.Run(t, w.srv.URL+"/", withLang(w.signIn("zm"), "zh-CN"),
		looktest.Expect(`!!window.htmx && document.readyState === "complete"`),
		chromedp.Evaluate[chromedp.Void](`void document.querySelector('#live-mine a[data-key="2"]').focus()`),
		looktest.Call(func() {
			w.update(w.now, "wf", he, &branchlinev1.ServiceOrder{State: carReady.Enum()}, "state")
			w.overtakes(w.now.Add(time.Minute), "hg", w.he, "pd", &branchlinev1.Customer{ContactName: s("何太太")})
		}),
		looktest.Expect(`document.getElementById("live-head").textContent.includes("2 台没通知")`),
		looktest.Expect(`document.getElementById("live-right").textContent.includes("虹桥店 改了联系人：何建华")`),
		looktest.Expect(`document.activeElement.matches('#live-mine a[data-key="2"]')`),
		chromedp.Evaluate[chromedp.Void](`void document.activeElement.blur()`),
		looktest.Press("3"),
		looktest.Expect(`location.pathname === "/parts" && document.readyState === "complete" && !!window.htmx`),
		// The call is one key, and the list tells.
		looktest.Press("c"),
		looktest.Expect(`location.search.includes("done=told") && document.body.textContent.includes("没有要打的电话")`),
	)
}
