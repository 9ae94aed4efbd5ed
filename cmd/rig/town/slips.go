package town

import "strings"

// What desks write wrongly. Pairs that sound or look alike, either way round.
var alike = pairs("伟玮 丽莉 静婧 杰洁 敏闽 俊峻 晓小 芳方 燕艳 琴芹 刚钢 红虹 涛韬 波博 辉晖 建健 霞侠 萍平 娜纳 佳嘉 颖影 欣新 宇雨 浩皓 雪学 文雯 军君 志智 明名 林琳 梅美 英瑛 玲铃 华桦 肖萧 付傅 张章 陈程 刘柳 王汪 徐许 何贺 于余 江姜 冯封 郑政 谢榭")

// Simplified characters and the traditional ones some people write.
var traditionals = pairs("张張 刘劉 陈陳 杨楊 赵趙 吴吳 孙孫 马馬 罗羅 郑鄭 谢謝 许許 邓鄧 冯馮 韩韓 萧蕭 伟偉 丽麗 华華 军軍 国國 强強 东東 飞飛 龙龍 红紅 梅梅 义義 卫衛 兰蘭 凤鳳 庆慶 荣榮 贵貴 贤賢 学學 宝寶 宁寧 岚嵐 泽澤 润潤 涛濤 锋鋒 银銀 铭銘 鹏鵬 丹丹 艳艷 叶葉 钟鍾 苏蘇 蒋蔣 贾賈 陆陸 卢盧 邹鄒 龚龔 万萬 钱錢 汤湯 谭譚 顾顧 严嚴 闫閆 颖穎 静靜 晓曉 杰傑 辉輝 刚剛 建建 兴興 亚亞 云雲 娟娟 莹瑩 倩倩 琼瓊 维維 纯純 纪紀 绍紹 继繼 胜勝 语語 诗詩 诚誠 超超 运運 进進 迁遷 连連 远遠 达達 雁雁 霞霞 项項 顺順 风風 马馬 骏駿")

func pairs(s string) map[rune]rune {
	m := map[rune]rune{}
	for _, p := range strings.Fields(s) {
		r := []rune(p)
		if r[0] != r[1] {
			m[r[0]] = r[1]
		}
	}
	return m
}

// traditional writes a name in traditional characters as far as the table goes.
func traditional(name string) string {
	return strings.Map(func(r rune) rune {
		if t, ok := traditionals[r]; ok {
			return t
		}
		return r
	}, name)
}

// slipName is a person's name at a desk that does not know him.
func slipName(d dice, p *person) string {
	r := []rune(p.name)
	if p.company {
		if d.chance(0.15) {
			return strings.TrimSuffix(p.name, "有限公司")
		}
		return p.name
	}
	switch x := d.Float64(); {
	case x < 0.08:
		for i := len(r) - 1; i >= 0; i-- {
			if o, ok := alike[r[i]]; ok {
				r[i] = o
				break
			}
		}
	case x < 0.11:
		return traditional(p.name)
	case x < 0.13:
		if p.female {
			return string(r[:1]) + "女士"
		}
		return string(r[:1]) + "先生"
	case x < 0.14 && len(r) == 3:
		r[1], r[2] = r[2], r[1]
	}
	return string(r)
}

// slipPhone is the number he gives there: his own, the other one, a new one, or his own with two
// digits changed round.
func slipPhone(d dice, p *person) string {
	switch x := d.Float64(); {
	case x < 0.05:
		return mobile(d)
	case x < 0.09 && p.second != "" && !p.company:
		return p.second
	case x < 0.12:
		b := []byte(p.mobile)
		i := d.between(4, 9)
		b[i], b[i+1] = b[i+1], b[i]
		return string(b)
	}
	return p.mobile
}

// slipKM is a reading as typed: now and then a digit too many, or two changed round.
func slipKM(d dice, km int64) int64 {
	switch x := d.Float64(); {
	case x < 0.0025 && km > 1000:
		return km*10 + int64(d.IntN(10))
	case x < 0.005 && km > 1000:
		last, tens := km%10, km/10%10
		hundreds := km / 100 % 10
		return km - km%1000 + tens*100 + hundreds*10 + last
	}
	return km
}
