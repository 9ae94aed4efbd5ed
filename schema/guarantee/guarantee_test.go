package guarantee_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"branchline/schema/guarantee"
	"branchline/schema/setting"
)

var rule = setting.Rule{From: "2022-01-01", Months: 24, Km: 50_000, Faults: 4, Days: 30}

func ms(day, clock string) int64 {
	t, err := time.Parse("2006-01-02 15:04", day+" "+clock)
	if err != nil {
		panic(err)
	}
	return t.UnixMilli()
}

func visit(name, branch, day string, hours int64, km int64, work ...guarantee.Work) guarantee.Visit {
	in := ms(day, "09:00")
	return guarantee.Visit{Name: name, Branch: branch, Day: day, In: in, Ready: in + hours*3_600_000, Km: km, Work: work}
}

func gearbox(code string) guarantee.Work {
	return guarantee.Work{Code: code, System: "gearbox", Complaint: "变速器异响", Guaranteed: true}
}

// Five repairs of one gearbox at three sites: no single shop would see that the limit is passed.
func TestCount_overAllSites(t *testing.T) {
	visits := []guarantee.Visit{
		visit("o1", "pd", "2025-02-01", 5, 9_000, gearbox("P0700"), gearbox("p0700 ")),
		visit("o2", "xh", "2025-06-01", 30, 15_000, gearbox("Ｐ0700")),
		visit("o3", "pd", "2025-09-01", 24, 21_000, gearbox("P0700"), guarantee.Work{Complaint: "更换机油"}),
		visit("o4", "mh", "2026-01-01", 24*20, 30_000, gearbox("P0700"), guarantee.Work{Code: "B1234", Complaint: "车窗", Guaranteed: true}),
		visit("late", "mh", "2027-03-01", 24*20, 40_000, gearbox("P0700")),
		visit("far", "mh", "2026-02-01", 24*20, 50_001, gearbox("P0700")),
		visit("before", "mh", "2024-12-01", 24*20, 10, gearbox("P0700")),
	}
	now := ms("2026-03-01", "12:00")
	s := guarantee.Count(rule, "2025-01-31", "2026-03-01", now, 31_000, visits)
	if s.Until != "2027-01-31" || s.Over || len(s.Faults) != 2 || len(s.Faults[0].Visits) != 4 || s.Faults[0].Level != guarantee.Near || s.Faults[1].Level != guarantee.Fine {
		t.Errorf("%+v", s)
	}
	if s.Days != 1+2+1+20 || s.DaysLevel != guarantee.Fine {
		t.Errorf("%d days, %d", s.Days, s.DaysLevel)
	}
	in := visit("o5", "xh", "2026-02-28", 0, 31_000, gearbox("P0700"))
	in.Ready = 0
	s = guarantee.Count(rule, "2025-01-31", "2026-03-01", now, 31_000, append(visits, in))
	if s.Faults[0].Level != guarantee.Reached || s.Faults[0].Label != "变速器异响" || s.Days != 26 || s.DaysLevel != guarantee.Near {
		t.Errorf("with the car still in: %+v", s)
	}
	if s := guarantee.Count(rule, "2025-01-31", "2026-03-01", now, 50_001, visits); !s.Over {
		t.Error("the kilometres end the term")
	}
	if s := guarantee.Count(rule, "2025-01-31", "2027-02-01", now, 1, visits); !s.Over {
		t.Error("the months end the term")
	}
}

func TestCount_assembliesSafetyAndTheCarOnLoan(t *testing.T) {
	r := rule
	r.RepairMonths, r.RepairKm, r.EarlyDays, r.EarlyKm, r.Assemblies, r.Safety, r.LoanDays = 36, 60_000, 60, 3_000, 2, 2, 5
	engine := guarantee.Work{Complaint: "发动机", Guaranteed: true, Assembly: "engine", Safety: true}
	out := guarantee.Work{Complaint: "发动机", Assembly: "engine", Safety: true}
	in := visit("o2", "xh", "2026-01-10", 0, 2_000, engine, engine, out)
	in.Ready = 0
	visits := []guarantee.Visit{visit("o1", "pd", "2025-12-20", 5, 900, engine), in}
	s := guarantee.Count(r, "2025-12-01", "2026-01-15", ms("2026-01-15", "09:00"), 2_000, visits)
	if fmt.Sprint(s.Assemblies, s.Safety) != "[{engine 2 2}] { 2 2}" || s.LoanDue || !s.Early || s.RepairOver || s.RepairUntil != "2028-12-01" {
		t.Errorf("%+v", s)
	}
	if s := guarantee.Count(r, "2025-12-01", "2026-01-15", ms("2026-01-15", "09:01"), 2_000, visits); !s.LoanDue {
		t.Error("more than five days, and no car on loan is due")
	}
	if s := guarantee.Count(r, "2025-12-01", "2026-02-01", ms("2026-01-15", "09:01"), 3_001, visits[:1]); s.Early || s.Assemblies[0].Level != guarantee.Near || s.Safety.Level != guarantee.Near {
		t.Errorf("past the early kilometres: %+v", s)
	}
}

func TestCount_termEndsOnTheLastDayOfAShortMonth(t *testing.T) {
	r := rule
	r.Months = 1
	for sold, want := range map[string]string{"2026-01-31": "2026-02-28", "2024-01-31": "2024-02-29", "2026-12-15": "2027-01-15", "": "", "soon": ""} {
		if s := guarantee.Count(r, sold, "2026-01-01", 0, 0, nil); s.Until != want {
			t.Errorf("sold %q: until %q, want %q", sold, s.Until, want)
		}
	}
}

// Another company's visit has the code and the cause but not the customer's words.
func TestCount_sameFaultByCodeOrWordsOrCause(t *testing.T) {
	g := func(code, complaint, cause string) guarantee.Work {
		return guarantee.Work{Code: code, System: "chassis", Complaint: complaint, Cause: cause, Guaranteed: true}
	}
	s := guarantee.Count(rule, "2025-01-01", "2026-03-01", ms("2026-03-01", "12:00"), 1, []guarantee.Visit{
		visit("o1", "pd", "2025-02-01", 1, 1, g("", "左前轮异响", "")),
		visit("o2", "sz", "2025-03-01", 1, 1, g("", "", "下摆臂衬套开裂")),
		visit("o3", "pd", "2025-04-01", 1, 1, g("C10", "左前輪異響", "下摆臂衬套开裂")),
		visit("o4", "sz", "2025-05-01", 1, 1, g("c10", "", "")),
		visit("o5", "sz", "2025-06-01", 1, 1, g("", "", "")),
	})
	if len(s.Faults) != 1 || len(s.Faults[0].Visits) != 4 || s.Days != 5 {
		t.Errorf("%+v", s)
	}
}

func TestRepeats(t *testing.T) {
	noise := guarantee.Work{System: "brakes", Complaint: "刹车 异响"}
	visits := []guarantee.Visit{
		visit("o3", "pd", "2026-03-20", 1, 1, guarantee.Work{System: "brakes", Complaint: "刹车异响"}),
		visit("o1", "pd", "2026-01-01", 1, 1, noise),
		visit("o2", "xh", "2026-01-31", 1, 1, noise, guarantee.Work{Code: "P0300"}),
	}
	got := guarantee.Repeats(visits, 30)
	if len(got) != 1 || got[0].First.Name != "o1" || got[0].Again.Name != "o2" || got[0].Again.Branch != "xh" {
		t.Errorf("%+v", got)
	}
	if got := guarantee.Repeats(visits, 29); len(got) != 0 {
		t.Errorf("29 days: %+v", got)
	}
	if got := guarantee.Repeats(visits, 60); len(got) != 2 || got[0].Again.Name != "o3" {
		t.Errorf("60 days: %+v", got)
	}
}

// The counts do not depend on the order the visits are known in.
func TestCount_anyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var visits []guarantee.Visit
		for i := range rapid.IntRange(0, 7).Draw(rt, "n") {
			visits = append(visits, visit(fmt.Sprint("o", i), "pd", fmt.Sprintf("2026-01-%02d", rapid.IntRange(1, 9).Draw(rt, "day")), rapid.Int64Range(0, 60).Draw(rt, "hours"), 1,
				guarantee.Work{Code: rapid.SampledFrom([]string{"A", "B", ""}).Draw(rt, "code"), Complaint: rapid.SampledFrom([]string{"x", "y", ""}).Draw(rt, "complaint"), Guaranteed: rapid.Bool().Draw(rt, "guaranteed")}))
		}
		a := guarantee.Count(rule, "2026-01-02", "2026-02-01", ms("2026-02-01", "00:00"), 1, visits)
		b := guarantee.Count(rule, "2026-01-02", "2026-02-01", ms("2026-02-01", "00:00"), 1, rapid.Permutation(visits).Draw(rt, "order"))
		if fmt.Sprintf("%+v", a) != fmt.Sprintf("%+v", b) {
			rt.Fatalf("%+v\n%+v", a, b)
		}
	})
}
