package main

import (
	"errors"
	"testing"

	"branchline/cmd/rig/show"
)

func TestTongue_AsAskedElseOfTheTerminal(t *testing.T) {
	for _, x := range []struct {
		asked, all, lang string
		want             show.Tongue
	}{
		{"", "", "", show.English},
		{"", "", "zh_CN.UTF-8", show.Chinese},
		{"", "C", "zh_CN.UTF-8", show.English},
		{"", "", "en_GB.UTF-8", show.English},
		{"zh", "", "en_GB.UTF-8", show.Chinese},
		{"en", "", "zh_CN.UTF-8", show.English},
	} {
		t.Setenv("LC_ALL", x.all)
		t.Setenv("LC_MESSAGES", "")
		t.Setenv("LANG", x.lang)
		if got, err := tongue(x.asked); err != nil || got != x.want {
			t.Errorf("%+v: %v, %v", x, got, err)
		}
	}
	if _, err := tongue("fr"); !errors.As(err, new(*usageError)) {
		t.Errorf("--lang fr: %v", err)
	}
}
