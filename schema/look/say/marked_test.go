package say_test

import (
	"strings"
	"testing"

	"branchline/schema/look/say"
)

func TestMarked(t *testing.T) {
	for _, c := range []struct{ text, query, want string }{
		{"王伟", "王", "[王]伟"},
		{"王偉強", "王伟", "[王偉]強"},
		{"王伟强", "wangwei", "[王伟]强"},
		{"王伟强", "wangw", "[王伟]强"},
		{"王伟强", "wwq", "[王伟强]"},
		{"欧阳修", "yx", "欧[阳修]"},
		{"单小明", "shan", "[单]小明"},
		{"吕红", "lu", "[吕]红"},
		{"王伟", "王 8888", "[王]伟"},
		{"王伟", "王8888", "[王]伟"},
		{"王伟", "8888", "王伟"},
		{"John Smith", "smi", "John [Smi]th"},
		{"VIN …2K006278", "006278", "VIN …2K[006278]"},
		{"SHa-261121-0042-K", "0042-k", "SHa-261121-[0042-K]"},
		{"上海大众汽车", "大众 汽车", "上海[大众汽车]"},
		{"", "x", ""},
		{"王伟", "", "王伟"},
	} {
		var b strings.Builder
		for _, p := range say.Marked(c.text, c.query) {
			if p.Hit {
				b.WriteString("[" + p.Text + "]")
			} else {
				b.WriteString(p.Text)
			}
		}
		if b.String() != c.want {
			t.Errorf("%q by %q is marked %q, want %q", c.text, c.query, b.String(), c.want)
		}
	}
}
