package match

import (
	"slices"
	"strings"

	"branchline/schema/han"
)

// party is what a name says of who stands behind a record.
type party uint8

const (
	unsure party = iota
	person
	company
)

// form is one written form of a name, cut up for comparing.
type form struct {
	core  string // of a Chinese company: brand and trade in characters
	city  string // that a company's name says it is of, by its sound
	whole uint64 // hash of the words in order of their text
	text  string // all letters, joined
	words []word
	// Of a person's name in Chinese characters; empty otherwise.
	family, given string
	// sounds are its pinyin in one word, family name first and last.
	sounds []string
	han    bool
	party  party
	full   bool // names one person: more than a surname with a title
	nick   bool // made of a nickname beside a Chinese name and the family name's sound
	freq   Bits // of the whole, from the model; 0 where it was not looked up
	wbits  []Bits
}

const (
	hashWord  = 'w'
	hashWhole = 'W'
	hashHan   = 'h'
)

// maxForms bounds the names of one record, and maxWords the words of one name.
const (
	maxForms = 4
	maxWords = 24
)

// finish computes what follows from the words.
func (f *form) finish() {
	if len(f.words) > maxWords {
		f.words = f.words[:maxWords]
	}
	texts := make([]string, len(f.words))
	for i, w := range f.words {
		texts[i] = w.text
	}
	f.text = strings.Join(texts, "")
	slices.Sort(texts)
	f.whole = hashOf(hashWhole, strings.Join(texts, " "))
}

// latinForm is a name in Latin letters, of which nothing but the words is known.
func latinForm(folded string, r role) form {
	f := form{full: true}
	for _, w := range words(hashWord, strings.ReplaceAll(folded, "&", " ")) {
		if slices.Contains(courtesy, w.text) {
			continue
		}
		w.role = r
		f.words = append(f.words, w)
	}
	return f
}

var courtesy = []string{"mr", "mrs", "ms", "miss", "mdm", "madam", "dr", "the", "and", "vip", "svip"}

// nameForms reads a cell of type name. The text is folded; raw keeps capitals.
func nameForms(raw string) []form {
	folded := clean(raw)
	if folded == "" || generic(Name, folded) {
		return nil
	}
	if !strings.ContainsFunc(folded, han.Is) {
		if legalForm(folded) {
			return []form{companyForm(folded)}
		}
		f := latinForm(unbracket(folded), anyRole) // (Atlanta) and (owner) are remarks
		if len(f.words) == 0 {
			f = latinForm(folded, anyRole)
		}
		if len(f.words) == 0 {
			return nil
		}
		if fam, giv := han.SplitName(strings.TrimSpace(raw)); fam != "" && giv != "" && len(f.words) <= 3 {
			for i, w := range f.words {
				if letters(fam) == w.text {
					f.words[i].role = family
				} else if strings.HasPrefix(letters(giv), w.text) {
					f.words[i].role = given
				}
			}
		}
		f.finish()
		return []form{f}
	}
	if han.IsCompany(folded) || len([]rune(folded)) >= 4 && han.IsCompany(mended(letters(unbracket(folded)))) {
		return []form{companyForm(folded)}
	}
	return hanPerson(folded)
}

func hanPerson(folded string) []form {
	fam, giv := han.SplitName(folded)
	fam, giv = letters(fam), letters(giv)
	if fam == "" && giv == "" || han.NameKey(folded) == "" && fam+giv == letters(folded) && len([]rune(fam)) != 1 {
		return nil
	}
	f := form{han: true, family: fam, given: giv, party: person, full: fam != "" && giv != ""}
	if han.NameKey(folded) == "" {
		f.given, f.full = "", false
		if f.family == "" {
			return nil
		}
	}
	if f.family != "" {
		f.words = append(f.words, word{text: f.family, hash: hashOf(hashHan, f.family), role: family})
	}
	if f.given != "" {
		f.words = append(f.words, word{text: f.given, hash: hashOf(hashHan, f.given), role: given})
	}
	f.finish()
	f.text = f.family + f.given
	for i, r := range han.Pinyin(f.family + f.given) {
		if i == 3 {
			break
		}
		a, b := strings.Join(r.Family, ""), strings.Join(r.Given, "")
		f.sounds = append(f.sounds, a+b)
		if a != "" && b != "" {
			f.sounds = append(f.sounds, b+a)
		}
	}
	out := []form{f}
	// A nickname or a romanised name beside it is a name of its own.
	var latin strings.Builder
	for _, r := range folded {
		if han.Is(r) {
			r = ' '
		}
		latin.WriteRune(r)
	}
	if l := latinForm(latin.String(), anyRole); len(l.words) > 0 && len(latin.String()) > 3 {
		if sound := han.Pinyin(f.family).Full(); len(l.words) == 1 && sound != "" {
			l.nick = true // 白琳洋 Mary is Mary Bai elsewhere
			l.words = append(l.words, word{text: sound, hash: hashOf(hashWord, sound)})
		}
		l.full = false
		l.party = person
		l.finish()
		if len(l.words) >= 2 {
			out = append(out, l)
		}
	}
	return out
}

// partsForm is a name that stands in columns of its own.
func partsForm(givenName, familyName string) (form, bool) {
	g, s := clean(givenName), clean(familyName)
	if generic(Name, g) {
		g = ""
	}
	if generic(Name, s) {
		s = ""
	}
	if strings.ContainsFunc(g+s, han.Is) {
		fs := hanPerson(s + g)
		if len(fs) == 0 {
			return form{}, false
		}
		return fs[0], true
	}
	f := latinForm(g, given)
	f.words = append(f.words, latinForm(s, family).words...)
	if len(f.words) == 0 {
		return f, false
	}
	f.full = g != "" && s != ""
	f.party = person
	f.finish()
	return f, true
}

// Words of the law about a company, in Latin letters and in Chinese; longer ones first.
var (
	latinLegal = []string{"ltd", "limited", "inc", "incorporated", "llc", "llp", "corp", "corporation", "co", "company", "gmbh", "plc", "ag", "sa", "bv", "pty"}
	hanLegal   = []string{"股份有限责任公司", "股份有限公司", "有限责任公司", "有限公司", "股份公司", "责任公司", "集团公司", "分公司", "总公司", "公司", "集团"}
	hanRegions = []string{"内蒙古", "黑龙江", "浙江", "江苏", "广东", "四川", "山东", "河南", "河北", "湖南", "湖北", "福建", "安徽", "江西", "陕西", "山西", "辽宁", "吉林", "云南", "贵州", "广西", "海南", "甘肃", "青海", "宁夏", "新疆", "西藏", "台湾", "中国"}
	hanCities  = []string{"北京", "上海", "天津", "重庆", "广州", "深圳", "杭州", "成都", "香港", "澳门", "南京", "武汉", "西安", "苏州", "宁波", "青岛", "大连", "厦门", "长沙", "郑州", "沈阳", "济南", "合肥", "福州", "昆明", "无锡", "东莞", "佛山", "珠海", "哈尔滨", "长春", "石家庄", "太原", "南昌", "南宁", "贵阳", "海口", "兰州", "银川", "西宁", "乌鲁木齐", "拉萨", "呼和浩特", "台北", "高雄"}
	// latinCity are cities' names in Latin letters, and their sound in Chinese; "" says nothing of a city.
	latinCity = map[string]string{"beijing": "beijing", "shanghai": "shanghai", "tianjin": "tianjin", "chongqing": "chongqing", "guangzhou": "guangzhou", "shenzhen": "shenzhen", "hangzhou": "hangzhou", "chengdu": "chengdu", "hongkong": "xianggang", "hong": "xianggang", "kong": "xianggang", "hk": "xianggang", "macau": "aomen", "nanjing": "nanjing", "wuhan": "wuhan", "xian": "xian", "suzhou": "suzhou", "ningbo": "ningbo", "qingdao": "qingdao", "dalian": "dalian", "xiamen": "xiamen", "changsha": "changsha", "china": ""}
)

// trades are trade words and what each becomes, the same in both scripts; longer ones
// stand before what ends them.
var trades = [][2]string{
	{"医疗器械", "medical device"},
	{"汽车租赁", "car rental"},
	{"供应链管理", "supply chain"},
	{"供应链", "supply chain"},
	{"建筑工程", "construction"},
	{"汽车销售", "car sales"},
	{"汽车服务", "car services"},
	{"汽车贸易", "car trading"},
	{"企业管理", "management"},
	{"科技", "technology"},
	{"技术", "technology"},
	{"电子", "electronics"},
	{"商贸", "trading"},
	{"贸易", "trading"},
	{"运输", "transport"},
	{"物流", "logistics"},
	{"餐饮", "catering"},
	{"食品", "foods"},
	{"建设", "construction"},
	{"建筑", "construction"},
	{"工程", "engineering"},
	{"医疗", "medical"},
	{"器械", "device"},
	{"租赁", "rental"},
	{"管理", "management"},
	{"服务", "services"},
	{"汽车", "car"},
	{"汽修", "car repair"},
	{"传媒", "media"},
	{"广告", "advertising"},
	{"装饰", "decoration"},
	{"建材", "materials"},
	{"机械", "machinery"},
	{"服饰", "apparel"},
	{"服装", "apparel"},
	{"化工", "chemical"},
	{"农业", "agriculture"},
	{"投资", "investment"},
	{"咨询", "consulting"},
	{"文化", "culture"},
	{"教育", "education"},
	{"信息", "information"},
	{"网络", "network"},
	{"软件", "software"},
	{"实业", "industrial"},
	{"能源", "energy"},
	{"环保", "environmental"},
	{"制造", "manufacturing"},
	{"电器", "electric"},
	{"五金", "hardware"},
	{"家具", "furniture"},
	{"纺织", "textile"},
	{"印刷", "printing"},
	{"包装", "packaging"},
	{"地产", "property"},
	{"置业", "property"},
	{"物业", "property"},
	{"保险", "insurance"},
	{"证券", "securities"},
	{"旅游", "travel"},
	{"药业", "pharma"},
	{"制药", "pharma"},
	{"生物", "biotech"},
	{"通信", "communication"},
	{"电力", "power"},
	{"材料", "materials"},
	{"设备", "equipment"},
	{"国际", "international"},
	{"控股", "holdings"},
	{"货运", "freight"},
	{"快递", "express"},
	{"酒店", "hotel"},
}

// tradeWords are the words of the trades above.
var tradeWords = func() map[string]bool {
	m := map[string]bool{}
	for _, t := range trades {
		for w := range strings.FieldsSeq(t[1]) {
			m[w] = true
		}
	}
	return m
}()

// latinTrades bring English trade words to the ones above.
var latinTrades = map[string]string{
	"tech": "technology", "technologies": "technology", "electronic": "electronics", "trade": "trading", "transportation": "transport", "food": "foods", "leasing": "rental", "rentals": "rental", "auto": "car", "automobile": "car", "automotive": "car", "vehicle": "car", "devices": "device", "constructions": "construction", "building": "construction", "service": "services", "industry": "industrial", "industries": "industrial", "foodstuff": "foods", "investments": "investment", "instruments": "device",
}

// legalForm tells a company by the words of the law in its Latin name.
func legalForm(folded string) bool {
	ws := words(hashWord, folded)
	n := 0
	for _, w := range ws {
		if slices.Contains(latinLegal[:9], w.text) || w.text == "gmbh" || w.text == "company" {
			n++
		}
	}
	return n > 0 && len(ws) > n
}

// companyForm reads a company's name: its legal form and city taken off, its trade
// words the same in Chinese and English, the rest by its sound. The rest has the role of
// a family name, the trade that of a given one.
func companyForm(folded string) form {
	f := form{party: company, full: true}
	if !strings.ContainsFunc(folded, han.Is) {
		ws := words(hashWord, strings.ReplaceAll(folded, "&", " "))
		for _, w := range ws {
			if t, ok := latinTrades[w.text]; ok {
				w = word{text: t, hash: hashOf(hashWord, t)}
			}
			if city, ok := latinCity[w.text]; ok {
				f.city = city
			} else if !slices.Contains(latinLegal, w.text) && !slices.Contains(courtesy, w.text) && w.text != "management" {
				f.words = append(f.words, w)
			}
		}
		if len(f.words) == 0 {
			f.words, f.city = ws, ""
		}
		f.trade()
		f.finish()
		return f
	}
	f.han = true
	text := unbracket(folded)
	c := hanCompany(mended(letters(text)))
	if c.city == "" && text != folded {
		_, inside, _ := strings.Cut(folded, "(")
		inside, _, _ = strings.Cut(inside, ")")
		c.city, _ = cutCity(letters(inside) + "的")
	}
	if py := han.Pinyin(c.city).Full(); py != "" {
		f.city = py
	}
	if py := han.Pinyin(c.brand).Full(); py != "" {
		c.brand = py
	}
	for _, t := range append([]string{c.brand}, c.trade...) {
		for w := range strings.FieldsSeq(t) {
			f.words = append(f.words, word{text: w, hash: hashOf(hashWord, w)})
		}
	}
	f.trade()
	f.finish()
	f.core = c.core
	return f
}

// trade tells the words of a trade from the others, where both are there.
func (f *form) trade() {
	n := 0
	for _, w := range f.words {
		if tradeWords[w.text] {
			n++
		}
	}
	for i := range f.words {
		switch w := &f.words[i]; {
		case n == 0 || n == len(f.words):
		case tradeWords[w.text]:
			w.role = given
		default:
			w.role = family
		}
	}
}

// unbracket takes out what stands in brackets.
func unbracket(s string) string {
	for {
		before, rest, ok := strings.Cut(s, "(")
		_, after, closed := strings.Cut(rest, ")")
		if !ok || !closed {
			return s
		}
		s = before + after
	}
}

// firm is a Chinese company's name, cut up.
type firm struct {
	city, brand string
	core        string   // brand and trade in characters
	trade       []string // in English
}

// hanCompany takes the city, the legal form and the trade words off a name.
func hanCompany(text string) (c firm) {
	for _, l := range hanLegal {
		if t, ok := strings.CutSuffix(text, l); ok && t != "" {
			text = t
			break
		}
	}
	// What is left of a legal form that was mistyped: 有限责任公公司.
	for _, l := range []string{"有限责任公", "有限责任", "股份有限", "有限公", "有限", "责任"} {
		if t, ok := strings.CutSuffix(text, l); ok && len([]rune(t)) >= 2 {
			text = t
			break
		}
	}
	for range 2 {
		at, t := cutCity(text)
		if at == "" {
			break
		}
		if text = t; !slices.Contains(hanRegions, at) {
			c.city = at
		}
	}
	c.core = text
	for more := true; more; {
		more = false
		for _, p := range trades {
			if t, ok := strings.CutSuffix(text, p[0]); ok && t != "" {
				if p[1] != "management" {
					c.trade = append(c.trade, p[1])
				}
				text, more = t, true
				break
			}
		}
	}
	c.brand = text
	return c
}

// cutCity takes a city or a region off the front of a name, where enough is left of it;
// at is empty where there is none.
func cutCity(text string) (at, rest string) {
	for _, list := range [][]string{hanRegions, hanCities} {
		for _, c := range list {
			if t, ok := strings.CutPrefix(text, c); ok {
				t = strings.TrimPrefix(strings.TrimPrefix(t, "省"), "市")
				if len([]rune(t)) >= 2 {
					return c, t
				}
			}
		}
	}
	return "", text
}

// mended is a company's name with two neighbouring characters exchanged back, where that
// makes its city, trade and legal form known that were not: 有公限司. Other names are as
// they were.
func mended(text string) string {
	known := func(rs []rune) int { return len(rs) - len([]rune(hanCompany(string(rs)).brand)) }
	rs := []rune(text)
	best, most := -1, known(rs)
	if len(rs)-most <= 3 || len(rs) > 40 {
		return text // a brand, and nothing that could be more
	}
	for i := range len(rs) - 1 {
		rs[i], rs[i+1] = rs[i+1], rs[i]
		if n := known(rs); n > most {
			best, most = i, n
		}
		rs[i], rs[i+1] = rs[i+1], rs[i]
	}
	if best < 0 {
		return text
	}
	rs[best], rs[best+1] = rs[best+1], rs[best]
	return string(rs)
}
