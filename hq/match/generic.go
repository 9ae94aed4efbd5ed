package match

import (
	"slices"
	"strings"

	"branchline/schema/han"
)

// What people write where they have nothing to write says nothing, however seldom a model
// has seen it.

var (
	noName    = []string{"客户", "顾客", "新客户", "老客户", "车主", "机主", "本人", "先生", "女士", "小姐", "老板", "老师", "师傅", "某", "某某", "测试", "同上", "保密", "不知道", "不祥", "匿名", "匿名客户", "潜在客户", "散客", "个人", "私人", "姓名", "名字", "联系人", "空", "暂无", "待定", "待补", "customer", "client", "guest", "owner", "name", "unknown", "anonymous", "nobody", "noname", "tbd", "tba", "na", "none", "null", "nil", "test", "tester", "testuser", "demo", "dummy", "sample", "asdf", "qwerty", "xxx", "xxxx", "abc", "aaa", "fake"}
	noPlate   = []string{"未上牌", "无牌", "临牌", "临时", "临时牌", "新车", "未上", "待上牌", "上牌中", "暂无", "试驾", "试驾车", "无牌照", "新车未上牌", "none", "new", "temp", "noplate"}
	noPlace   = []string{"同上", "保密", "不知道", "不祥", "本地", "外地", "市区", "家里", "公司", "待补", "测试", "test", "home", "office", "same", "address", "地址", "中国", "china"}
	noAccount = []string{"no", "none", "noemail", "nomail", "na", "null", "test", "tester", "abc", "123", "123456", "xxx", "aaa", "a", "x", "noreply", "no-reply", "email", "mail", "unknown", "example", "user", "info@example.com"}
	noDay     = []string{"1900-1-1", "1970-1-1", "1901-1-1", "1-1-1", "1800-1-1", "9999-12-31", "1111-11-11"}
)

// generic tells a value of a type that stands for nothing. s is folded as clean does.
func generic(t Type, s string) bool {
	l := letters(s)
	if strings.Contains(l, "测试") {
		return true
	}
	switch t {
	case Name, GivenName, FamilyName, Company:
		return slices.Contains(noName, strings.TrimRight(l, "0123456789")) && l != "" || run(l) && len(l) > 2
	case Phone, NationalID:
		return len(l) >= 6 && counted(l)
	case Last4:
		return run(l) || l == "1234"
	case VIN:
		return run(l) || counted(l)
	case Plate:
		return slices.Contains(noPlate, l) || !strings.ContainsAny(l, "0123456789") && len(l) < 24 || strings.HasSuffix(l, "00000")
	case Email:
		at := strings.IndexByte(s, '@')
		return at < 1 || slices.Contains(noAccount, s[:at]) && len(s) < 24 || slices.Contains(noAccount, s)
	case Address, Street:
		rs := []rune(l)
		return slices.Contains(noPlace, l) || len(rs) > 0 && han.Is(rs[0]) && !strings.ContainsAny(l, "0123456789"+roadEnds) && (len(rs) <= 3 || strings.ContainsRune("省市区县镇乡", rs[len(rs)-1]))
	}
	return false
}

// run tells one character again and again.
func run(s string) bool {
	rs := []rune(s)
	return len(rs) > 1 && strings.Count(s, string(rs[0])) == len(rs)
}

// counted tells digits that were counted up or down, or are all one.
func counted(s string) bool {
	if run(s) {
		return true
	}
	up, down := 0, 0
	for i := 1; i < len(s); i++ {
		switch d := (int(s[i]) - int(s[i-1]) + 10) % 10; {
		case s[i] > '9' || s[i] < '0':
		case d == 1:
			up++
		case d == 9:
			down++
		}
	}
	return len(s) >= 6 && max(up, down) >= len(s)-2
}
