package han

import (
	"slices"
	"strings"
	"unicode"
)

// Words that make a company of a name of four characters or more: an orgWord
// anywhere in it, an orgEnd or a tradeWord at its end. Of a name of three only the
// orgEnds of two characters do, since 王建设 and 李新社 are people.
var (
	orgWords   = []string{"公司", "集团", "有限", "股份", "事务所", "合作社", "委员会", "管理局", "工作室", "经营部", "门市部", "服务部", "服务站", "修理厂", "研究院", "研究所", "基金会", "办事处", "营业部", "分行", "支行", "大学", "学院", "中学", "幼儿园", "医院", "银行", "酒店", "饭店", "宾馆", "超市", "商行", "商店", "商场", "车行", "车队", "中心", "协会", "学会", "商会", "政府", "公安", "法院", "部队", "村委", "4s店"}
	orgEnds    = []string{"公司", "集团", "厂", "店", "局", "院", "馆", "站", "社", "银行", "车队", "商行", "车行"}
	tradeWords = []string{"科技", "电子", "贸易", "运输", "物流", "餐饮", "食品", "建设", "工程", "建筑", "医疗", "器械", "租赁", "管理", "服务", "汽车", "汽修", "供应链", "传媒", "广告", "装饰", "建材", "机械", "服饰", "服装", "化工", "农业", "投资", "咨询", "文化", "教育", "信息", "技术", "网络", "软件", "实业", "企业", "商贸", "能源", "环保", "制造", "电器", "五金", "家具", "纺织", "印刷", "包装", "地产", "置业", "物业", "保险", "证券", "旅游", "酒业", "药业", "制药", "生物", "通信", "电力", "材料", "设备", "配件", "园林", "国际", "控股", "资本", "货运", "快递", "客运", "餐厅", "美容", "健身"}
	latinOrgs  = []string{"ltd", "limited", "inc", "llc", "corp", "corporation", "company", "gmbh", "plc", "group", "holdings", "technology", "technologies", "electronics", "trading", "logistics", "transport", "transportation", "catering", "construction", "medical", "devices", "leasing", "rental", "rentals", "foods", "engineering", "hotel", "university", "hospital", "institute", "association", "motors", "services", "industries", "industrial", "enterprise", "enterprises", "international"}
)

// IsCompany tells from the words of a name, not from the column it stood in,
// whether it is a company's, an office's or a school's.
func IsCompany(name string) bool {
	folded := Fold(name)
	if !hasHan(folded) {
		words := strings.FieldsFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		return len(words) >= 2 && slices.ContainsFunc(words, func(w string) bool { return slices.Contains(latinOrgs, w) })
	}
	text := unbracket(folded)
	n := len([]rune(only(text)))
	if n >= 3 && slices.ContainsFunc(orgEnds, func(w string) bool { return strings.HasSuffix(text, w) && (n >= 4 || len([]rune(w)) > 1) }) {
		return true
	}
	if n < 4 {
		return false
	}
	if slices.ContainsFunc(orgWords, func(w string) bool { return strings.Contains(text, w) }) {
		return true
	}
	if n == 4 && compound([]rune(only(text))) { // 欧阳文化 is a person
		return false
	}
	return slices.ContainsFunc(tradeWords, func(w string) bool { return strings.HasSuffix(text, w) })
}

// unbracket removes bracketed parts, which in a company's name hold its city.
func unbracket(s string) string {
	for {
		before, rest, ok := strings.Cut(s, "(")
		if !ok {
			return s
		}
		_, after, ok := strings.Cut(rest, ")")
		if !ok {
			return s
		}
		s = before + after
	}
}
