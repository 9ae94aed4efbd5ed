package page_test

import (
	"errors"
	"reflect"
	"testing"

	"branchline/schema"
	"branchline/schema/page"
)

func TestToken_isGoodForItsListOnly(t *testing.T) {
	a, b := page.SumOf("customers", "pd", true), page.SumOf("customers", "mh", true)
	for _, p := range []page.Place{{int64(-7), 3}, {"2026-11-21", 1 << 40}, {[]byte{0, 255}, 1}} {
		got, err := page.Parse(a, page.Token(a, p))
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%v came back as %v: %v", p, got, err)
		}
		if _, err := page.Parse(b, page.Token(a, p)); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%v was good for another list: %v", p, err)
		}
	}
	for _, s := range []string{"", "x", "!!!", page.Token(a, page.Place{Key: nil, N: 1})} {
		if _, err := page.Parse(a, s); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%q was taken: %v", s, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	sum := page.SumOf("x")
	f.Add(page.Token(sum, page.Place{Key: "a", N: 1}))
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := page.Parse(sum, s); err == nil && page.Token(sum, p) == "" {
			t.Error("a place without a token")
		}
	})
}
