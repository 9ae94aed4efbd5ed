package han_test

import (
	"slices"
	"strings"
	"testing"

	pinyin "github.com/mozillazg/go-pinyin"

	"branchline/schema/han"
	"branchline/schema/sample"
)

func TestPinyin_Surnames(t *testing.T) {
	for name, want := range map[string]string{
		"单丽芳":  "shanlifang",
		"曾志伟":  "zengzhiwei",
		"仇伟":   "qiuwei",
		"解晓东":  "xiexiaodong",
		"查洁燕":  "zhajieyan",
		"任晓":   "renxiao",
		"翟天":   "zhaitian",
		"覃芳":   "qinfang",
		"区志强":  "ouzhiqiang",
		"盖丽":   "geli",
		"朴树":   "piaoshu",
		"尉迟恭":  "yuchigong",
		"令狐冲":  "linghuchong",
		"万俟卨":  "moqi", // 卨 is not among the 8,105
		"欧阳修":  "ouyangxiu",
		"歐陽修":  "ouyangxiu",
		"司马光":  "simaguang",
		"陈艳薇":  "chenyanwei",
		"陳艷薇":  "chenyanwei",
		"李乾":   "liqian", // its folded form 李干 would be gan
		"吕玉":   "lvyu",
		"张先生":  "zhang",
		"重庆":   "chongqing", // the city profits from the surname Chong
		"尉迟先生": "yuchi",
	} {
		if got := han.Pinyin(name).Full(); got != want {
			t.Errorf("Pinyin(%s) = %s, want %s", name, got, want)
		}
	}
	if rs := han.Pinyin("Alexander Clark"); rs != nil {
		t.Errorf("Pinyin of a Latin name = %v, want none", rs)
	}
	if got := han.Initials("欧阳修"); got != "oyx" {
		t.Errorf("Initials(欧阳修) = %s", got)
	}
}

func TestPinyin_OtherReadings(t *testing.T) {
	var full []string
	rs := han.Pinyin("单乐行")
	for _, r := range rs {
		full = append(full, r.Full())
	}
	if len(rs) > 8 || full[0] != "shanyuexing" && full[0] != "shanlexing" {
		t.Errorf("readings of 单乐行: %v", full)
	}
	for _, want := range []string{"danyuexing", "shanlexing", "shanyuehang"} {
		if !slices.Contains(full, want) {
			t.Errorf("readings of 单乐行 lack %s: %v", want, full)
		}
	}
}

// TestPinyin_AgreesWithUnihan holds every reading of a standard character against
// the readings that another, larger table knows for it.
func TestPinyin_AgreesWithUnihan(t *testing.T) {
	args := pinyin.NewArgs()
	args.Heteronym = true
	args.Style = pinyin.Normal
	checked := 0
	for r := rune(0x4E00); r <= 0x9FFF; r++ {
		known := pinyin.SinglePinyin(r, args)
		ours := han.Pinyin(string([]rune{'王', r}))
		if len(known) == 0 || len(ours[0].Given) == 0 || han.Simple(r) != r {
			continue
		}
		checked++
		for _, o := range ours {
			if sound := o.Given[0]; !slices.Contains(known, strings.ReplaceAll(sound, "v", "ü")) && !slices.Contains(known, sound) {
				t.Errorf("%c: ours %s, the other table %v", r, sound, known)
			}
		}
	}
	if checked < 7500 {
		t.Errorf("only %d characters were compared", checked)
	}
}

func TestSplitName_Table(t *testing.T) {
	for _, c := range []struct{ name, family, given string }{
		{"陈艳薇", "陈", "艳薇"},
		{"陳艷薇", "陈", "艳薇"},
		{"邱　月", "邱", "月"},
		{"欧阳修", "欧阳", "修"},
		{"歐陽娜娜", "欧阳", "娜娜"},
		{"唐先生", "唐", ""},
		{"歐陽女士", "欧阳", ""},
		{"王总", "王", ""},
		{"李建工", "李", "建工"},
		{"叶芳 Tony", "叶", "芳"},
		{"陈李美华", "陈", "李美华"},
		{"买买提·艾力", "", "买买提·艾力"},
		{"东海贸易（成都）有限公司", "", "东海贸易(成都)有限公司"},
		{"Wang, Chun", "wang", "chun"},
		{"Wang,Chun", "wang", "chun"},
		{"ZHU Taozhi", "zhu", "taozhi"},
		{"Taozhi Zhu", "zhu", "taozhi"},
		{"Taozhi ZHU", "zhu", "taozhi"},
		{"WU HUAPENG", "wu", "huapeng"},
		{"Chen Peng-Yong", "chen", "peng-yong"},
		{"Mr. Alexander Clark", "clark", "alexander"},
		{"Clark, Alexander", "clark", "alexander"},
		{"Liz D. Hall", "hall", "liz d."},
		{"Ouyang Xiu", "ouyang", "xiu"},
		{"Madonna", "", "madonna"},
		{"", "", ""},
		{"先生", "", ""},
	} {
		family, given := han.SplitName(c.name)
		if family != c.family || given != c.given {
			t.Errorf("SplitName(%q) = %q, %q, want %q, %q", c.name, family, given, c.family, c.given)
		}
	}
}

func TestNameKey_Same(t *testing.T) {
	for _, same := range [][]string{
		{"陈艳薇", "陳艷薇", "陈 艳薇", "陈艳薇女士", "陈艳薇 小姐", "陳艷薇太太"},
		{"蒋军伟", "蔣軍偉", "蒋军伟先生"},
		{"罗芳霞", "羅芳霞"},
		{"李鸣鑫", "李鳴鑫"},
		{"刘林勇", "劉林勇"},
		{"孙文兰", "孫文蘭"},
		{"叶芳", "叶芳 Tony", "葉芳(Tony)", "VIP 叶芳", "Tony Ye 叶芳", "叶　芳（本人）", "葉芳（車主）"},
		{"Wang, Chun", "Chun Wang", "WANG Chun", "Mr. Wang Chun", "ＷＡＮＧ Chun"},
		{"Taozhi Zhu", "ZHU Taozhi", "zhu taozhi"},
		{"Sophie Morrison", "SOPHIE MORRISON", "sophie  morrison", "Ms Sophie Morrison"},
		{"东海贸易(成都)有限公司", "东海贸易（成都）有限公司", "東海貿易（成都）有限公司", "东海贸易 (成都) 有限公司"},
		{"Jiejie Electronics Co.,Ltd", "JIEJIE ELECTRONICS CO LTD"},
		{"买买提·艾力", "买买提•艾力"},
	} {
		for _, other := range same {
			if a, b := han.NameKey(same[0]), han.NameKey(other); a != b || a == "" {
				t.Errorf("NameKey(%q) = %q, NameKey(%q) = %q", same[0], a, other, b)
			}
		}
	}
}

func TestNameKey_Different(t *testing.T) {
	for _, pair := range [][2]string{
		{"张伟", "张玮"}, // heard alike
		{"肖静", "萧静"}, // two surnames, often the same family; not for this key to say
		{"付强", "傅强"},
		{"闫丽", "阎丽"},
		{"王伟", "王伟(儿子)"},
		{"王伟", "王伟 A"},
		{"Wang Chun", "王春"},
		{"安康汽车租赁有限公司", "安康汽车租赁股份有限公司"},
		{"李建工", "李建"},
	} {
		if a, b := han.NameKey(pair[0]), han.NameKey(pair[1]); a == b {
			t.Errorf("NameKey(%q) = NameKey(%q) = %q", pair[0], pair[1], a)
		}
	}
}

func TestNameKey_TooLittle(t *testing.T) {
	for _, name := range []string{"", " ", "王先生", "王 先生", "李经理", "歐陽小姐", "王总", "老王", "小李", "王", "先生", "Mr. Wang", "Miss", "无", "N/A", "客户", "个人", "-", "？？"} {
		if got := han.NameKey(name); got != "" {
			t.Errorf("NameKey(%q) = %q, want none", name, got)
		}
	}
}

func TestIsCompany_Table(t *testing.T) {
	for _, name := range []string{
		"捷捷电子", "上海市捷捷電子有限責任公司", "东海贸易(成都)有限公司", "诚东中贸易（上海）有限公司", "天安建设工程",
		"捷康捷餐饮管理", "安康汽车租赁", "广州第二医院", "长城汽修厂", "某公司",
		"Dada Catering (Shanghai) Co.,Ltd", "SHANGHAI XINXINBO CATERING CO LTD", "Chuangyi Medical Devices Company Limited",
	} {
		if !han.IsCompany(name) {
			t.Errorf("IsCompany(%q) = false", name)
		}
	}
	for _, name := range []string{"", "陈艳薇", "王建设", "李新社", "张建厂", "王文化", "欧阳文化", "买买提·艾力", "Sophie Morrison", "Mr. Susan Thompsno", "Liz D. Hall", "李经理", "Limited"} {
		if han.IsCompany(name) {
			t.Errorf("IsCompany(%q) = true", name)
		}
	}
}

func TestSearchForms_FoundByWhatIsTyped(t *testing.T) {
	for _, c := range []struct {
		name   string
		typed  []string
		absent []string
	}{
		{"陳艷薇", []string{"陈艳薇", "陳艷薇", "艷薇", "艳薇", "陈", "chenyanwei", "chenyan", "yanwei", "cyw", "CYW"}, []string{"薇艳", "陈薇"}},
		{"单丽芳", []string{"shanlifang", "danlifang", "slf", "dlf", "lifang", "丽芳"}, nil},
		{"吕玉", []string{"lvyu", "luyu", "lyuyu", "ly"}, nil},
		{"欧阳修", []string{"欧阳", "歐陽", "ouyangxiu", "oyx", "xiu"}, nil},
		{"叶芳 Tony", []string{"叶芳", "tony", "yefang", "yf"}, nil},
		{"Sophie Morrison", []string{"soph", "MORRISON", "sophie mor"}, []string{"sophiemorrison"}},
		{"东海贸易（成都）有限公司", []string{"东海", "成都", "donghaimaoyi", "dhmy"}, nil},
	} {
		forms := han.SearchForms(c.name)
		for _, q := range c.typed {
			if !found(forms, han.QueryWords(q)) {
				t.Errorf("%q is not found by %q: %v", c.name, q, forms)
			}
		}
		for _, q := range c.absent {
			if found(forms, han.QueryWords(q)) {
				t.Errorf("%q is found by %q: %v", c.name, q, forms)
			}
		}
	}
}

// found is a phrase query whose last word is a prefix.
func found(forms, query []string) bool {
	for i := 0; i+len(query) <= len(forms); i++ {
		last := len(query) - 1
		if slices.Equal(forms[i:i+last], query[:last]) && strings.HasPrefix(forms[i+last], query[last]) {
			return true
		}
	}
	return false
}

// TestNameKey_Sample counts, over the developers' sample, how names of one
// customer come together. The figures are what the rules above give; a change of
// the rules that moves them must be a choice.
func TestNameKey_Sample(t *testing.T) {
	byTruth := map[string][]string{}
	companies := 0
	for _, row := range sample.Registrations(t) {
		name := row["name"]
		if han.IsCompany(name) {
			companies++
		}
		byTruth[row["truth_id"]] = append(byTruth[row["truth_id"]], name)
		folded := han.Fold(name)
		if strings.ContainsAny(folded, "陳劉張孫蘭偉羅") {
			t.Errorf("Fold(%q) = %q keeps traditional characters", name, folded)
		}
		if len(han.SearchForms(name)) == 0 {
			t.Errorf("%q has no search forms", name)
		}
	}
	spelled, joined := 0, 0
	for _, names := range byTruth {
		for i, a := range names {
			for _, b := range names[i+1:] {
				if a != b && !han.IsCompany(a) && !han.IsCompany(b) {
					spelled++
					if k := han.NameKey(a); k != "" && k == han.NameKey(b) {
						joined++
					}
				}
			}
		}
	}
	if companies != 180 || spelled != 237 || joined != 84 {
		t.Errorf("the figures of the sample have moved")
	}
	t.Logf("%d names of companies; %d pairs of differently written names of one customer, %d joined by NameKey", companies, spelled, joined)
}

func BenchmarkNameKey(b *testing.B) {
	for b.Loop() {
		han.NameKey("陳艷薇女士")
	}
}

func BenchmarkSearchText(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		han.SearchText("陈艳薇")
	}
}
