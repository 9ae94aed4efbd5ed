package web

import (
	"errors"
	"net/http"
	"net/url"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

type tillView struct {
	look.Frame
	Day, EntryDay string
	Today         bool
	Unclosed      []string
	Counts        []countRow
	Entries       []entryRow
	Closed        *closedTill
	Form          act
	Write         bool
	Moved         bool
	Float         string // left in the drawer at the last close
	OnAccount     string
	ByCard        string
	Sum           string
	Over          bool // the caller may see which cards are overdrawn
}

type countRow struct {
	Method, Name              string
	Recorded, Counted, Differ string
}

type closedTill struct {
	At             int64
	Who            string
	Differ, Reason string
	Float          string
}

// tillPage is a day of the till.
func (s *Site) tillPage(a *ask) error {
	return s.showTill(a, http.StatusOK, a.Query("day"), acts{a: a})
}

func (s *Site) showTill(a *ask, status int, day string, x acts) error {
	t, err := s.c.Counter.GetTill(a.R.Context(), &branchlinev1.GetTillRequest{Day: day})
	if err != nil {
		return err
	}
	money := func(n int64) string { return look.Money(n, "CNY") }
	v := tillView{
		Frame: a.frame(joinNew(a.T("till.title"), t.GetDay()), "till"), Day: t.GetDay(), EntryDay: t.GetEntryDay(), Today: t.GetDay() == a.today(), Unclosed: t.GetUnclosed(),
		Write: a.Writes(schema.CashClose) && t.GetDay() <= a.today(), Moved: a.Query("moved") != "", Over: a.May("GET /overdrawn"),
	}
	if t.GetFloatAmount() != 0 {
		v.Float = money(t.GetFloatAmount())
	}
	if t.GetOnAccount() != 0 {
		v.OnAccount = money(t.GetOnAccount())
	}
	if t.GetByCard() != 0 {
		v.ByCard = money(t.GetByCard())
	}
	var sum int64
	for _, c := range t.GetCounts() {
		row := countRow{Method: c.GetMethod().String(), Name: a.Look.Word(a.Lang, "paymethod", c.GetMethod()), Recorded: money(c.GetRecorded())}
		if t.GetClosed() != nil {
			row.Counted = money(c.GetCounted())
			if off := c.GetCounted() - c.GetRecorded(); off != 0 {
				row.Differ = signed(off)
			}
		}
		sum += c.GetRecorded()
		v.Counts = append(v.Counts, row)
	}
	v.Sum = money(sum)
	if v.Entries, err = a.entriesOfAll(t.GetEntries()); err != nil {
		return err
	}
	if c := t.GetClosed(); c != nil {
		v.Closed = &closedTill{At: c.GetAt(), Who: a.Names().Person(c.GetCashier()), Reason: c.GetReason(), Float: money(c.GetFloatAmount())}
		if c.GetDifference() != 0 {
			v.Closed.Differ = signed(c.GetDifference())
		}
	}
	if v.Form, err = x.form("close", t.GetEtag()); err != nil {
		return err
	}
	return s.pages.till.Render(a.W, status, v)
}

// tillClose closes a day.
func (s *Site) tillClose(a *ask) error {
	day := a.Form("day")
	err := s.closeDay(a, day)
	switch {
	case err == nil:
		return a.GoTo("/till?day=" + url.QueryEscape(day))
	case errors.Is(err, schema.ErrConflict):
		return a.GoTo("/till?moved=1&day=" + url.QueryEscape(day))
	case errors.Is(err, schema.ErrInvalid):
		if x, ok := a.refuse("close", err); ok && schema.CheckDay(day) == nil {
			return s.showTill(a, http.StatusBadRequest, day, x)
		}
	}
	return err
}

func (s *Site) closeDay(a *ask, day string) error {
	r := &branchlinev1.CloseTillRequest{Day: day, Etag: a.Form("etag"), Reason: a.Form("reason"), RequestId: a.Form("request_id")}
	for n, name := range branchlinev1.PayMethod_name {
		if _, asked := a.R.PostForm[name]; !asked {
			continue
		}
		amount, err := a.money(name)
		if err != nil {
			return err
		}
		r.Counts = append(r.Counts, &branchlinev1.CashCount{Method: branchlinev1.PayMethod(n).Enum(), Counted: proto.Int64(amount)})
	}
	var err error
	if r.FloatAmount, err = a.money("float"); err != nil {
		return err
	}
	_, err = s.c.Counter.CloseTill(a.R.Context(), r)
	return err
}
