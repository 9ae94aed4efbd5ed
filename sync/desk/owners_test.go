package desk

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

const today = "2026-11-22"

func tell(os []*branchlinev1.Owner) (out []string) {
	for _, o := range os {
		s := fmt.Sprintf("%s %s|%s %s", o.GetCustomer(), o.GetFrom(), o.GetKnownFrom(), o.GetTo())
		if o.GetDerived() {
			s += " by " + o.GetEndedBy()
		}
		if o.GetAtLatest() {
			s += " at latest"
		}
		if o.GetPresent() {
			s += " now"
		}
		out = append(out, s)
	}
	return out
}

func TestOwners(t *testing.T) {
	for name, c := range map[string]struct {
		ties []Ownership
		want []string
	}{
		"one, since nobody knows when": {
			[]Ownership{{Tie: "t1", Who: "A", Customer: "a", Known: "2024-05-01"}},
			[]string{"a |2024-05-01  now"},
		},
		"sold on": {
			[]Ownership{{Tie: "t1", Who: "A", Customer: "a", From: "2020-01-02", Known: "2020-01-03"}, {Tie: "t2", Who: "B", Customer: "b", From: "2023-04-05", Known: "2023-04-06"}},
			[]string{"b 2023-04-05|  now", "a 2020-01-02| 2023-04-05 by t2"},
		},
		"a second owner, nobody says since when": {
			[]Ownership{{Tie: "t1", Who: "A", Customer: "a", From: "2020-01-02", Known: "2020-01-03"}, {Tie: "t2", Who: "B", Customer: "b", Known: "2023-04-06"}},
			[]string{"b |2023-04-06  now", "a 2020-01-02|  now"},
		},
		"husband and wife, then sold": {
			[]Ownership{{Tie: "t1", Who: "A", Customer: "a", Known: "2020-01-03"}, {Tie: "t2", Who: "B", Customer: "b", Known: "2023-04-06"}, {Tie: "t3", Who: "C", Customer: "c", From: "2025-01-01"}},
			[]string{"c 2025-01-01|  now", "b |2023-04-06 2025-01-01 by t3", "a |2020-01-03 2025-01-01 by t3"},
		},
		"husband, wife, husband again": {
			[]Ownership{{Tie: "t1", Who: "A", Customer: "a1", Known: "2020-01-03"}, {Tie: "t2", Who: "B", Customer: "b", Known: "2023-04-06"}, {Tie: "t3", Who: "A", Customer: "a2", Known: "2024-01-01"}},
			[]string{"b |2023-04-06  now", "a2 |2020-01-03  now"},
		},
		"sold to one of the two": {
			[]Ownership{{Tie: "t1", Who: "A", Customer: "a", Known: "2020-01-03", To: "2024-05-05"}, {Tie: "t2", Who: "B", Customer: "b", Known: "2023-04-06"}},
			[]string{"b |2023-04-06  now", "a |2020-01-03 2024-05-05"},
		},
		"sold on, by the day the new owner was known at latest": {
			[]Ownership{{Tie: "t1", Who: "A", Customer: "a", From: "2020-01-02"}, {Tie: "t2", Who: "B", Customer: "b", Known: "2023-04-06"}, {Tie: "t3", Who: "B", Customer: "b", From: "2023-05-01"}},
			[]string{"b |2023-04-06  now", "a 2020-01-02| 2023-04-06 by t2 at latest"},
		},
		"its end is written down": {
			[]Ownership{{Tie: "t1", Who: "A", Customer: "a", From: "2020-01-02", To: "2022-12-31"}, {Tie: "t2", Who: "B", Customer: "b", From: "2023-04-05"}},
			[]string{"b 2023-04-05|  now", "a 2020-01-02| 2022-12-31"},
		},
		"sold to somebody not known": {
			[]Ownership{{Tie: "t1", Who: "A", Customer: "a", From: "2020-01-02", To: "2022-12-31"}},
			[]string{"a 2020-01-02| 2022-12-31"},
		},
		"one customer at two branches": {
			[]Ownership{{Tie: "t1", Who: "A", Customer: "a1", From: "2020-01-02"}, {Tie: "t2", Who: "A", Customer: "a2", Known: "2022-05-05"}},
			[]string{"a2 2020-01-02|  now"},
		},
		"one customer at two branches, then sold": {
			[]Ownership{{Tie: "t1", Who: "A", Customer: "a1", From: "2020-01-02"}, {Tie: "t2", Who: "A", Customer: "a2", Known: "2022-05-05"}, {Tie: "t3", Who: "B", Customer: "b", From: "2024-01-01"}},
			[]string{"b 2024-01-01|  now", "a2 2020-01-02| 2024-01-01 by t3"},
		},
		"bought back": {
			[]Ownership{{Tie: "t1", Who: "A", Customer: "a", From: "2020-01-02"}, {Tie: "t2", Who: "B", Customer: "b", From: "2022-01-01"}, {Tie: "t3", Who: "A", Customer: "a", From: "2024-01-01"}},
			[]string{"a 2024-01-01|  now", "b 2022-01-01| 2024-01-01 by t3", "a 2020-01-02| 2022-01-01 by t2"},
		},
		"together": {
			[]Ownership{{Tie: "t1", Who: "A", Customer: "a", From: "2020-01-02"}, {Tie: "t2", Who: "B", Customer: "b", From: "2020-01-02"}, {Tie: "t3", Who: "C", Customer: "c", From: "2024-01-01"}},
			[]string{"c 2024-01-01|  now", "a 2020-01-02| 2024-01-01 by t3", "b 2020-01-02| 2024-01-01 by t3"},
		},
		"taken over on one day from an import": {
			[]Ownership{{Tie: "t1", Who: "A", Customer: "a", Known: "2024-05-01"}, {Tie: "t2", Who: "B", Customer: "b", Known: "2024-05-01"}},
			[]string{"a |2024-05-01  now", "b |2024-05-01  now"},
		},
		"two cars": {
			[]Ownership{{Tie: "t1", Car: "x", Who: "A", Customer: "a", From: "2020-01-02"}, {Tie: "t2", Car: "y", Who: "B", Customer: "b", From: "2022-01-01"}},
			[]string{"a 2020-01-02|  now", "b 2022-01-01|  now"},
		},
		"ends in the future": {
			[]Ownership{{Tie: "t1", Who: "A", Customer: "a", From: "2020-01-02", To: "2026-12-31"}},
			[]string{"a 2020-01-02| 2026-12-31 now"},
		},
	} {
		if got := tell(Owners(c.ties, today)); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%q\nwant\n%q", name, got, c.want)
		}
	}
}

// Any order of ties gives the same line; every tie is in one term; a term that ends by another's begin ends on that day,
// and of that one a day is written down;
// somebody owns the car today unless all said otherwise.
func TestOwners_Laws(t *testing.T) {
	day := rapid.SampledFrom([]string{"", "2019-01-01", "2020-06-01", "2022-03-03", "2024-09-09", "2026-11-22", "2027-01-01"})
	rapid.Check(t, func(t *rapid.T) {
		var ties []Ownership
		for i := range rapid.IntRange(1, 7).Draw(t, "ties") {
			o := Ownership{
				Tie: fmt.Sprintf("ties/%d", i), Car: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "car"), Who: rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "who"),
				From: day.Draw(t, "from"), To: day.Draw(t, "to"), Known: rapid.SampledFrom([]string{"2021-01-01", "2023-02-02", "2025-08-08"}).Draw(t, "known"),
			}
			o.Customer = fmt.Sprintf("%s%d", o.Who, i)
			ties = append(ties, o)
		}
		line := Owners(ties, today)
		if again := Owners(rapid.Permutation(ties).Draw(t, "order"), today); !slices.EqualFunc(line, again, func(a, b *branchlinev1.Owner) bool { return proto.Equal(a, b) }) {
			t.Fatalf("%q\nin another order\n%q", tell(line), tell(again))
		}
		who := map[string]*Ownership{}
		for i := range ties {
			who[ties[i].Tie] = &ties[i]
		}
		seen, written := map[string]bool{}, map[string]bool{}
		for _, o := range line {
			for _, x := range o.GetTies() {
				written[o.GetTies()[0]] = written[o.GetTies()[0]] || who[x].From != ""
			}
		}
		for _, o := range line {
			if o.GetDerived() && !written[o.GetEndedBy()] {
				t.Fatalf("sold to somebody of whom no day is written down: %v", o)
			}
			for _, x := range o.GetTies() {
				if seen[x] || who[x].Who != who[o.GetTies()[0]].Who || who[x].Car != o.GetVehicle() {
					t.Fatalf("%s stands in %v", x, o)
				}
				seen[x] = true
			}
			if by := who[o.GetEndedBy()]; o.GetDerived() && (by.start() != o.GetTo() || by.Who == who[o.GetTies()[0]].Who || by.Car != o.GetVehicle() || o.GetPresent() && o.GetTo() <= today) {
				t.Fatalf("ended by %v: %v", by, o)
			}
			if (o.GetFrom() == "") != (o.GetKnownFrom() != "") || o.GetTo() == "" && !o.GetPresent() {
				t.Fatalf("%v", o)
			}
		}
		if len(seen) != len(ties) {
			t.Fatalf("%d of %d ties stand in a line", len(seen), len(ties))
		}
	})
}

func TestOwnershipOf(t *testing.T) {
	tie := func(role branchlinev1.TieRole) *branchlinev1.Tie {
		return &branchlinev1.Tie{Customer: proto.String("c"), Vehicle: proto.String("v"), Role: role.Enum()}
	}
	made := time.Date(2024, 5, 1, 20, 0, 0, 0, time.UTC).UnixMilli()
	zone := time.FixedZone("CST", 8*3600)
	for _, r := range []branchlinev1.TieRole{branchlinev1.TieRole_DRIVER, branchlinev1.TieRole_PAYER_OF, branchlinev1.TieRole_SENDER, 0} {
		if _, ok := OwnershipOf("ties/1", tie(r), made, zone); ok {
			t.Errorf("%s owns the car", r)
		}
	}
	retired := tie(branchlinev1.TieRole_OWNER)
	retired.RetiredAt = proto.Int64(1)
	if _, ok := OwnershipOf("ties/1", retired, made, zone); ok {
		t.Error("a tie taken back says who owns the car")
	}
	o, ok := OwnershipOf("ties/1", tie(branchlinev1.TieRole_OWNER), made, zone)
	if !ok || o.Known != "2024-05-02" || o.Customer != "customers/c" {
		t.Errorf("%+v", o)
	}
	if o.Seen("2025-01-01"); o.Known != "2024-05-02" {
		t.Error("a later order brings the day forward")
	}
	if o.Seen("2023-01-01"); o.Known != "2023-01-01" {
		t.Error("an order before the tie shows nothing")
	}
}
