package han

import (
	"slices"
	"strings"
)

// surnameReadings has the surnames whose reading differs from the everyday one,
// and every compound surname: the characters, then the readings, best first, the
// syllables of one joined by a dash. The everyday reading of a single character
// is added behind them by itself.
const surnameReadings = `
单 shan
曾 zeng
仇 qiu
解 xie
查 zha
任 ren
翟 zhai di
覃 qin tan
区 ou
盖 ge
朴 piao
缪 miao
秘 bi
种 chong
折 she
员 yun
祭 zhai
句 gou
佴 nai
尹 yin
牟 mu mou
宓 mi fu
费 fei bi
过 guo
车 che
薄 bo
柏 bai
都 du
适 kuo
逄 pang
谌 chen shen
褚 chu
隽 juan
莘 shen xin
燕 yan
应 ying
郗 xi chi
郇 xun huan
隗 wei kui
殷 yin
乜 nie
亓 qi
厍 she
阙 que
钭 tou
宿 su
訾 zi
仉 zhang
洗 xian
冼 xian
尉 wei yu
蔚 yu wei
幺 yao
要 yao
乐 yue le
纪 ji
哈 ha
那 na
黑 hei he
繁 po
召 shao
晟 cheng
贾 jia
角 jue
石 shi
瞿 qu
强 qiang jiang
宁 ning
甯 ning
藏 zang
曲 qu
於 yu
撒 sa
相 xiang
占 zhan
重 chong
术 zhu
粘 nian
朝 chao
艾 ai
叶 ye
葛 ge
卜 bu
盛 sheng
谷 gu
华 hua
万 wan
长 chang
行 xing
卡 ka
阚 kan
欧阳 ou-yang
司马 si-ma
上官 shang-guan
诸葛 zhu-ge
东方 dong-fang
皇甫 huang-fu
尉迟 yu-chi
公孙 gong-sun
慕容 mu-rong
长孙 zhang-sun
宇文 yu-wen
司徒 si-tu
司空 si-kong
令狐 ling-hu
万俟 mo-qi
夏侯 xia-hou
端木 duan-mu
百里 bai-li
东郭 dong-guo
南宫 nan-gong
西门 xi-men
申屠 shen-tu
轩辕 xuan-yuan
钟离 zhong-li
宗政 zong-zheng
濮阳 pu-yang
淳于 chun-yu
单于 chan-yu
太叔 tai-shu
公羊 gong-yang
公冶 gong-ye
澹台 tan-tai
闻人 wen-ren
赫连 he-lian
独孤 du-gu
拓跋 tuo-ba
呼延 hu-yan
闾丘 lv-qiu
左丘 zuo-qiu
梁丘 liang-qiu
东门 dong-men
鲜于 xian-yu
宰父 zai-fu
谷梁 gu-liang
子车 zi-ju
颛孙 zhuan-sun
巫马 wu-ma
公西 gong-xi
漆雕 qi-diao
乐正 yue-zheng
壤驷 rang-si
公良 gong-liang
夹谷 jia-gu
段干 duan-gan
亓官 qi-guan
完颜 wan-yan
耶律 ye-lv
纳兰 na-lan
叶赫 ye-he
贺兰 he-lan
`

// moreReadings has the characters with a second reading that is met in given
// names and names of firms: the character, then the readings beside its commonest.
const moreReadings = `
乐 yue le
行 xing hang
重 zhong chong
长 chang zhang
朝 chao zhao
传 chuan zhuan
茜 qian xi
莎 sha suo
娜 na nuo
晟 sheng cheng
曾 zeng ceng
觉 jue jiao
校 xiao jiao
强 qiang jiang
盛 sheng cheng
会 hui kuai
奇 qi ji
朴 pu piao
伽 jia qie ga
柏 bai bo
泊 bo po
和 he huo
仔 zi zai
蔓 man wan
薄 bo bao
单 dan shan
查 cha zha
解 jie xie
任 ren
区 qu ou
翟 zhai di
车 che ju
还 huan hai
种 zhong chong
阿 a e
艾 ai yi
屏 ping bing
伯 bo bai
裳 shang chang
澄 cheng deng
大 da dai
番 fan pan
佛 fo fu
谷 gu yu
红 hong gong
巷 xiang hang
系 xi ji
角 jiao jue
劲 jin jing
靓 liang jing
露 lu lou
绿 lv lu
蒙 meng
粘 nian zhan
期 qi ji
其 qi ji
栖 qi xi
雀 que qiao
若 ruo re
色 se shai
石 shi dan
什 shi shen
似 si shi
拓 tuo ta
洗 xi xian
纤 xian qian
省 xing sheng
殷 yin yan
蔚 wei yu
尉 wei yu
择 ze zhai
著 zhu zhuo
着 zhe zhuo zhao
都 du dou
地 di de
调 diao tiao
度 du duo
弹 dan tan
参 can shen
降 jiang xiang
宿 su xiu
厦 xia sha
六 liu lu
万 wan mo
仇 chou qiu
了 le liao
得 de dei
祭 ji zhai
堡 bao bu pu
贾 jia gu
颉 jie xie
钿 dian tian
琢 zhuo zuo
筠 yun jun
瑱 tian zhen
禅 chan shan
圈 quan juan
遗 yi wei
见 jian xian
隽 juan jun
芥 jie gai
樂 yue le
長 chang zhang
傳 chuan zhuan
會 hui kuai
單 dan shan
區 qu ou
車 che ju
還 huan hai
種 zhong chong
紅 hong gong
綠 lv lu
遺 yi wei
見 jian xian
賈 jia gu
萬 wan mo
`

// commonSurnames serve only to tell which word of a name in Latin letters is the
// family name.
const commonSurnames = "王李张刘陈杨黄吴赵周徐孙马朱胡林郭何高罗郑梁谢宋唐许邓冯韩曹曾彭肖蔡潘田董袁于余蒋叶杜苏魏程吕丁沈任姚卢钟姜崔谭廖范汪陆金石戴贾韦夏邱方侯邹熊孟秦白江阎薛尹段雷黎史龙陶贺顾毛郝龚邵钱严洪赖武莫孔汤向常温康施文牛樊葛邢齐易伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关焦柳左祝纪尚毕梅童凌霍管苗裴路安连甘"

func (t *tables) loadNames() {
	t.surnames = map[string][][]string{}
	t.more = map[rune][]string{}
	t.famSounds = map[string]bool{}
	for line := range strings.Lines(surnameReadings) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		chars := []rune(words[0])
		sounds := words[1:]
		if len(chars) == 1 && !slices.Contains(sounds, t.sound(chars[0])) {
			sounds = append(slices.Clip(sounds), t.sound(chars[0]))
		}
		for _, s := range sounds {
			t.surnames[words[0]] = append(t.surnames[words[0]], strings.Split(s, "-"))
		}
		if len(chars) > 1 {
			t.famSounds[strings.ReplaceAll(sounds[0], "-", "")] = true
		}
	}
	for line := range strings.Lines(moreReadings) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		t.more[[]rune(words[0])[0]] = words[1:]
	}
	for _, r := range commonSurnames {
		for _, s := range t.familyReadings(string(r))[:1] {
			t.famSounds[s[0]] = true
		}
	}
}

// Reading is one way to read a name aloud: toneless syllables, ü written v.
type Reading struct {
	Family []string // of the family name; empty when the name has none or it is not known
	Given  []string // of the given name, or of all of a text that is no person's name
}

// Readings are the readings of one name, the likeliest first.
type Readings []Reading

// maxReadings bounds what a name of many ambiguous characters can cost.
const maxReadings = 8

// Full is the reading in one word: "ouyangxiu".
func (r Reading) Full() string {
	return strings.Join(r.Family, "") + strings.Join(r.Given, "")
}

// Initials is the first letter of each syllable: "oyx".
func (r Reading) Initials() string {
	var b strings.Builder
	for _, part := range [][]string{r.Family, r.Given} {
		for _, s := range part {
			b.WriteByte(s[0])
		}
	}
	return b.String()
}

// Full is the likeliest reading in one word, "" when there is none.
func (rs Readings) Full() string {
	if len(rs) == 0 {
		return ""
	}
	return rs[0].Full()
}

// Initials is the first letter of each syllable of the likeliest reading.
func (rs Readings) Initials() string {
	if len(rs) == 0 {
		return ""
	}
	return rs[0].Initials()
}

// Initials returns the first letters of the syllables of a Chinese name, "" for a
// text without Chinese characters: "欧阳修" gives "oyx".
func Initials(name string) string { return Pinyin(name).Initials() }

// Pinyin returns the readings of a person's name: the family name in its surname
// reading, characters of several readings with each of them, the likeliest first,
// eight at most. The name of a company or of a place is read without a family name.
// Characters whose reading is not known are passed over; without any, it is nil.
func Pinyin(name string) Readings {
	if !hasHan(name) {
		return nil
	}
	t := loaded()
	family, _ := SplitName(name)
	wide := widen(name)
	text := []rune(only(wide))
	if f := len([]rune(family)); f > 0 {
		person, _ := bare(wide)
		text = []rune(only(person))
		f = min(f, len(text))
		return t.readings(t.familyReadings(string(text[:f])), text[f:])
	}
	return t.readings(nil, text)
}

// readings combines each reading of the family name with each of the others.
func (t *tables) readings(families [][]string, given []rune) Readings {
	var choices [][]string
	for _, r := range given {
		if c := t.choices(r); len(c) > 0 {
			choices = append(choices, c)
		}
	}
	if len(families) == 0 {
		families = [][]string{nil}
	}
	var out Readings
	// The first reading of everything comes first, then each single deviation, so
	// that the bound cuts off only what deviates twice.
	add := func(family []string, at, choice int) {
		r := Reading{Family: family}
		for i, c := range choices {
			if i == at {
				r.Given = append(r.Given, c[choice])
			} else {
				r.Given = append(r.Given, c[0])
			}
		}
		if len(out) < maxReadings && len(r.Family)+len(r.Given) > 0 {
			out = append(out, r)
		}
	}
	add(families[0], -1, 0)
	for _, f := range families[1:] {
		add(f, -1, 0)
	}
	for _, f := range families {
		for i, c := range choices {
			for j := 1; j < len(c); j++ {
				add(f, i, j)
			}
		}
	}
	return out
}

// choices returns the readings of one character of a given name. The further ones
// are listed by the very character: 朴 may be piao, but 樸, which folds to it, not.
func (t *tables) choices(r rune) []string {
	sound := t.sound(r)
	switch more := t.more[r]; {
	case more != nil:
		return more
	case sound != "":
		return []string{sound}
	}
	return nil
}

// familyReadings returns the readings of a family name of one or two characters.
func (t *tables) familyReadings(family string) [][]string {
	simple := strings.Map(t.simple, family)
	if rs := t.surnames[simple]; rs != nil {
		return rs
	}
	var one []string
	for _, r := range family {
		if s := t.sound(r); s != "" {
			one = append(one, s)
		}
	}
	if one == nil {
		return nil
	}
	return [][]string{one}
}

func hasHan(s string) bool {
	return strings.ContainsFunc(s, Is)
}
