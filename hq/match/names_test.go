package match

import "testing"

// How much two written names say that they are one party's.
func TestCompareNames_levels(t *testing.T) {
	for _, x := range []struct {
		a, b     string
		level    int8
		conflict bool
	}{
		{"雷华志", "雷華志", nameSame, false},
		{"任军平", "任君平", nameSounds, false},
		{"任永立", "李仁永", nameConflict, true}, // though both may be Ren Yongli
		{"任伟", "魏仁", nameConflict, true},
		{"许思萍", "许思", nameMost, false},
		{"夏新建", "夏志建", nameMost, false},
		{"杨伟佳", "杨伟健", nameFamily, false}, // of one generation
		{"雷总", "雷华志", nameWeak, false},
		{"陈鑫", "陈梦", nameFamily, true},
		{"马梅", "潘娟霞", nameConflict, true},
		{"张夢涵", "Menghan Zhang", nameSounds, false},
		{"王强", "Elizabeth Weber", nameScripts, false},
		{"白琳洋 Mary", "Mary Bai", nameSame, false},
		{"白琳洋 Mary", "白春 (Mary)", nameFamily, true},
		{"任君平 VIP", "任大海 VIP", nameFamily, true},
		{"Robert Carter", "CARTER, Robert", nameSame, false},
		{"Mike Robinson", "Robinson, Michael", nameTypo, false},
		{"Sophie Evans", "Anna Harris", nameConflict, false},

		{"上海科东海科技有限公司", "科东海科技(上海)有限公司", nameSame, false},
		{"上海科东海科技有限公司", "Kedonghai Technology (Shanghai) Co.,Ltd", nameSame, false},
		{"上海科东海科技有限公司", "科東海科技", nameSame, false},
		{"盛联科技股份有限公司", "盛联科股技份有限公司", nameSame, false},
		{"北京丰远运输有限公司", "京北丰远运输有限公司", nameSame, false},
		{"远方建设工程", "远方建设程工", nameSame, false},
		{"北京丰远运输有限公司", "北京丰运远输有限公司", nameSame, false},
		{"力明贸易有限公司", "立明贸易有限公司", nameSounds, false},
		{"上海联达物流有限公司", "北京联达物流有限公司", nameFamily, false}, // of another city
		{"上海联达物流有限公司", "Beijing Lianda Logistics Co., Ltd.", nameFamily, false},
		{"广东联达物流有限公司", "深圳联达物流有限公司", nameSame, false},
		{"海益建设工程有限公司", "海益科技有限公司", nameFamily, true}, // in another trade
		{"海益建设工程有限公司", "丰远建设工程有限公司", nameGiven, false},
		{"海益建设工程有限公司", "仇伟", nameParties, true},
	} {
		a, b := nameForms(x.a), nameForms(x.b)
		for i := range a {
			a[i].wbits, a[i].freq = make([]Bits, len(a[i].words)), 1000
			for k := range a[i].wbits {
				a[i].wbits[k] = 500
			}
		}
		for i := range b {
			b[i].wbits, b[i].freq = make([]Bits, len(b[i].words)), 1000
			for k := range b[i].wbits {
				b[i].wbits[k] = 500
			}
		}
		level, _, conflict := compareNames(a, b)
		back, _, _ := compareNames(b, a)
		if level != x.level || conflict != x.conflict || back != level {
			t.Errorf("%s and %s: %q (back %q), conflict %v", x.a, x.b, levelWords[Name][level], levelWords[Name][back], conflict)
		}
	}
}
