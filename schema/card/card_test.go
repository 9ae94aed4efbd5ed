package card_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"branchline/schema/card"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

const cardName = "packageCards/card1"

func counted(n int32) *branchlinev1.PackageCard {
	return &branchlinev1.PackageCard{Form: branchlinev1.CardForm_CARD_COUNTED.Enum(), Uses: proto.Int32(n)}
}

func use(id string, at int64, n int32, branch, order string) card.Use {
	return card.Use{Name: "cardUses/" + id, CardUse: &branchlinev1.CardUse{
		Card: proto.String("card1"), UsedAt: proto.Int64(at), Uses: proto.Int32(n), Branch: proto.String(branch), Order: proto.String(order),
	}}
}

func back(id string, at int64, of string) card.Use {
	u := use(id, at, -1, "pd", "")
	u.Reverses = proto.String(of)
	return u
}

func TestCount_twoBranchesUseTheLastOne(t *testing.T) {
	uses := []card.Use{use("a", 1, 1, "pd", "o1"), use("b", 5, 1, "pd", "o2"), use("c", 6, 1, "xh", "o3")}
	b := card.Count(cardName, counted(2), uses)
	if b.Left != -1 || len(b.Over) != 1 || b.Over[0].GetOrder() != "o3" || b.Last == nil || b.Last.GetOrder() != "o2" || len(b.Open) != 1 {
		t.Fatalf("%+v", b)
	}
	uses[2].BorneBy = proto.String("xh")
	if b := card.Count(cardName, counted(2), uses); b.Left != -1 || len(b.Open) != 0 {
		t.Errorf("when somebody bears it: %+v", b)
	}
	if b := card.Count(cardName, counted(2), append(uses, back("d", 9, "c"))); b.Left != 0 || len(b.Over) != 0 || b.Last != nil {
		t.Errorf("taken back: %+v", b)
	}
	if b := card.Count(cardName, counted(0), uses[:1]); b.Left != -1 || b.Last != nil || len(b.Over) != 1 {
		t.Errorf("a first use that is too much: %+v", b)
	}
}

func TestCount_takesAUseBackOnce(t *testing.T) {
	uses := []card.Use{use("a", 1, 1, "pd", "o1"), back("r1", 2, "a"), back("r2", 3, "a"), back("r3", 3, "nothing"), back("r4", 4, "r1")}
	if b := card.Count(cardName, counted(3), uses); b.Left != 3 || len(b.Counting) != 0 {
		t.Errorf("%+v", b)
	}
}

func TestMay(t *testing.T) {
	c := counted(1)
	c.ValidTo, c.Vehicle = proto.String("2026-12-31"), proto.String("car")
	good := card.Ask{Take: 1, Day: "2026-12-31", Vehicle: "car", Company: "east", Seller: "east"}
	money := &branchlinev1.PackageCard{Form: branchlinev1.CardForm_CARD_STORED_MONEY.Enum(), Stored: proto.Int64(10_000)}
	gone := counted(1)
	gone.RetiredAt = proto.Int64(1)
	for _, x := range []struct {
		card *branchlinev1.PackageCard
		uses []card.Use
		ask  card.Ask
		want card.Verdict
	}{
		{c, nil, good, card.Good},
		{c, []card.Use{use("a", 1, 1, "pd", "")}, good, card.TooLittle},
		{c, nil, card.Ask{Take: 1, Day: "2027-01-01", Vehicle: "car", Company: "east", Seller: "east"}, card.Expired},
		{c, nil, card.Ask{Take: 1, Day: "2026-12-31", Vehicle: "other", Company: "east", Seller: "east"}, card.OtherCar},
		{c, nil, card.Ask{Take: 1, Day: "2026-12-31", Vehicle: "car", Company: "west", Seller: "east"}, card.Elsewhere},
		{gone, nil, card.Ask{Take: 1}, card.Retired},
		{money, nil, card.Ask{Take: 10_000}, card.NeedsHQ},
		{money, nil, card.Ask{Take: 10_000, HQ: true}, card.Good},
		{money, nil, card.Ask{Take: 10_001, HQ: true}, card.TooLittle},
	} {
		if got := card.May(x.card, card.Count(cardName, x.card, x.uses), x.ask); got != x.want {
			t.Errorf("%+v: %d, want %d", x.ask, got, x.want)
		}
	}
}

// What is left does not depend on the order in which uses come, nor on how often.
func TestCount_anyOrderAndDuplication(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var all []card.Use
		left := int64(rapid.IntRange(0, 5).Draw(rt, "sold"))
		c := counted(int32(left))
		var uses []string
		for i := range rapid.IntRange(0, 9).Draw(rt, "n") {
			id := fmt.Sprint("u", i)
			if len(uses) > 0 && rapid.Bool().Draw(rt, "back") {
				of := rapid.SampledFrom(uses).Draw(rt, "of")
				all = append(all, back(id, int64(i), of))
				continue
			}
			uses = append(uses, id)
			all = append(all, use(id, int64(rapid.IntRange(0, 3).Draw(rt, "at")), 1, rapid.SampledFrom([]string{"pd", "xh"}).Draw(rt, "branch"), id))
		}
		want := card.Count(cardName, c, all)
		shuffled := rapid.Permutation(append(all, all...)).Draw(rt, "order")
		got := card.Count(cardName, c, shuffled)
		if fmt.Sprint(got.Left, names(got.Counting), names(got.Over)) != fmt.Sprint(want.Left, names(want.Counting), names(want.Over)) {
			rt.Fatalf("%+v, want %+v", got, want)
		}
		if sum := left - int64(len(want.Counting)); sum != want.Left {
			rt.Fatalf("%d left, %d uses count of %d", want.Left, len(want.Counting), left)
		}
		if over := max(0, -want.Left); int64(len(want.Over)) != over {
			rt.Fatalf("%d over at %d", len(want.Over), want.Left)
		}
	})
}

func names(all []card.Use) []string {
	out := make([]string, len(all))
	for i, u := range all {
		out[i] = u.Name
	}
	return out
}
