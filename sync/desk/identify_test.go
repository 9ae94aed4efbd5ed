package desk_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
)

func TestIdentify_keepsTheEndAndAHash(t *testing.T) {
	key := []byte("key")
	a, b := new(branchlinev1.Customer), new(branchlinev1.Customer)
	if err := errors.Join(desk.Identify(a, "11010519491231002X", key), desk.Identify(b, " 110105 19491231 002x", key)); err != nil {
		t.Fatal(err)
	}
	if a.GetIdLast() != "002X" || len(a.GetIdHash()) != 32 || !bytes.Equal(a.GetIdHash(), b.GetIdHash()) {
		t.Errorf("%v, %v", a, b)
	}
	for name, x := range map[string]struct {
		err  error
		want error
	}{
		"mistyped": {desk.Identify(new(branchlinev1.Customer), "110105194912310021", key), schema.ErrInvalid},
		"no key":   {desk.Identify(new(branchlinev1.Customer), "11010519491231002X", nil), schema.ErrUnavailable},
		"a car":    {desk.Identify(new(branchlinev1.Vehicle), "11010519491231002X", key), schema.ErrInvalid},
	} {
		if !errors.Is(x.err, x.want) {
			t.Errorf("%s: %v", name, x.err)
		}
	}
	if got := desk.Identified([]string{"name", "id_last"}); !slices.Equal(got, []string{"name", "id_last", "id_hash"}) {
		t.Error(got)
	}
}
