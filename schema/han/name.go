package han

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Titles of two or more characters are taken off any name they end; those of one
// character only where nothing but a surname stands before them, since 工 or 总
// may end a given name. The longer stand before those that end them.
var (
	longTitles  = []string{"总经理", "董事长", "老板娘", "先生", "女士", "小姐", "太太", "夫人", "老师", "师傅", "经理", "主任", "老板", "医生", "教授", "律师", "警官", "同志", "同学", "阿姨", "叔叔", "大哥", "大姐", "总监", "总裁", "厂长", "店长", "队长", "科长", "处长", "局长", "校长", "院长", "会计"}
	shortTitles = []string{"总", "工", "哥", "姐", "董", "叔", "姨", "嫂", "局", "处", "科", "某"}
	latinTitles = []string{"mr", "mrs", "ms", "miss", "mdm", "madam", "dr", "prof", "sir"}
	latinTails  = []string{"jr", "sr", "phd", "esq"}
)

// nobody is what clerks write where a name is asked for and none is known.
var nobody = []string{"无", "无名", "没有", "未知", "不详", "匿名", "客户", "车主", "个人", "私人", "散客", "测试", "na", "none", "null", "nil", "unknown", "anonymous", "test", "xxx"}

// remarks in brackets behind a name say only that it is this person.
var remarks = []string{"本人", "车主", "客户", "联系人", "先生", "女士", "小姐", "太太"}

// SplitName returns the family and the given name of a person, both folded. A
// title (先生, Mr.) is left out, and a Latin nickname beside a Chinese name too.
//
// A Chinese name has a compound surname where it begins with one, else a surname
// of one character; with a middle dot in it (买买提·艾力), with more than four
// characters, or when it is a company's, it has no family name and all of it is
// returned as given. Of a name in Latin letters the family name is the word before
// a comma, else the one in capitals, else the one that alone is the pinyin of a
// common surname, else the last.
func SplitName(name string) (family, given string) {
	if !hasHan(name) {
		return splitLatin(name)
	}
	folded := Fold(name)
	if IsCompany(folded) {
		return "", folded
	}
	if before, after, ok := strings.Cut(folded, "·"); ok && hasHan(before) && hasHan(after) {
		name, _ := bare(folded)
		return "", name
	}
	name, _ = bare(folded)
	text := []rune(only(name))
	switch {
	case len(text) == 0: // a title and nothing else
		return "", ""
	case len(text) >= 2 && compound(text):
		return string(text[:2]), string(text[2:])
	case len(text) > 4:
		return "", string(text)
	}
	return string(text[:1]), string(text[1:])
}

func compound(text []rune) bool {
	if len(text) < 2 {
		return false
	}
	t := loaded()
	_, ok := t.surnames[string([]rune{t.simple(text[0]), t.simple(text[1])})]
	return ok
}

// titleEnds are the last characters of longTitles and shortTitles.
const titleEnds = "理长娘生士姐太人师傅任板授官志学姨叔哥监裁计总工董嫂局处科某"

// untitled takes titles off the end of a Chinese name, in either script.
func untitled(name string) string {
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(name, " "))
	if !strings.ContainsRune(titleEnds, loaded().simple(last)) {
		return name // most are
	}
	for _, title := range longTitles {
		if rest, ok := cutTitle(name, title); ok {
			return rest
		}
	}
	for _, title := range shortTitles {
		if rest, ok := cutTitle(name, title); ok {
			if r := []rune(rest); len(r) == 1 || len(r) == 2 && compound(r) {
				return rest
			}
		}
	}
	return name
}

// cutTitle takes a title, which is written in simplified characters, off name.
func cutTitle(name, title string) (rest string, ok bool) {
	name = strings.TrimRight(name, " ")
	t := loaded()
	for rest = name; title != ""; {
		r, n := utf8.DecodeLastRuneInString(rest)
		want, m := utf8.DecodeLastRuneInString(title)
		if n == 0 || t.simple(r) != want {
			return "", false
		}
		rest, title = rest[:len(rest)-n], title[:len(title)-m]
	}
	return strings.TrimRight(rest, " "), true
}

// latinWords returns the words of a name in Latin letters, as written, without
// titles, and how many words stand before a comma (0 without one).
func latinWords(name string) (words []string, comma int, title bool) {
	for part := range strings.FieldsFuncSeq(widenCase(name), func(r rune) bool { return unicode.IsSpace(r) }) {
		end := strings.HasSuffix(part, ",")
		for word := range strings.SplitSeq(part, ",") {
			bare := strings.ToLower(strings.Trim(word, ".()"))
			switch {
			case bare == "":
				continue
			case slices.Contains(latinTitles, bare):
				title = true
				continue
			case slices.Contains(latinTails, bare) && len(words) > 0:
				continue
			}
			words = append(words, strings.Trim(word, "()"))
			if comma == 0 && word != part && !end {
				comma = len(words)
			}
		}
		if end && comma == 0 {
			comma = len(words)
		}
	}
	return words, comma, title
}

// widenCase makes full-width letters half-width and keeps their case.
func widenCase(s string) string { return strings.Map(Half, s) }

func splitLatin(name string) (family, given string) {
	words, comma, _ := latinWords(name)
	n := len(words)
	if n == 0 {
		return "", ""
	}
	if n == 1 {
		return "", Fold(words[0])
	}
	from, to := n-1, n // where the family name stands
	t := loaded()
	sounds := func(w string) bool { return t.famSounds[strings.ToLower(w)] }
	first, last := words[0], words[n-1]
	switch {
	case 0 < comma && comma < n:
		from, to = 0, comma
	case capitals(first) && !capitals(last):
		from, to = 0, 1
	case capitals(last) && !capitals(first):
	case sounds(first) && !sounds(last):
		from, to = 0, 1
	}
	rest := append(slices.Clone(words[:from]), words[to:]...)
	return Fold(strings.Join(words[from:to], " ")), Fold(strings.Join(rest, " "))
}

// capitals tells whether a word is written in capitals throughout; an initial
// such as "D." is not.
func capitals(word string) bool {
	n := 0
	for _, r := range word {
		if unicode.IsLower(r) {
			return false
		}
		if unicode.IsUpper(r) {
			n++
		}
	}
	return n >= 2
}

// NameKey returns what two names must have in common to be called the same: the
// folded name without spaces, signs and titles. A name in Latin letters is put
// family name first, so that "Taozhi Zhu" and "ZHU Taozhi" agree.
//
// It is "" where the name says too little to be compared: a surname with a title
// (王先生, Mr. Wang), a surname alone, 老王, and fillers such as 无 or 客户. A
// caller must treat "" as unknown, never as equal.
//
// For a company it is the whole folded name with its legal form: 有限公司 and
// 股份有限公司 of one brand may be two firms.
func NameKey(name string) string {
	folded := Fold(name)
	if slices.Contains(nobody, letters(folded)) {
		return ""
	}
	if !hasHan(folded) {
		if IsCompany(folded) {
			return letters(folded)
		}
		_, _, title := latinWords(name)
		family, given := SplitName(name)
		if family == "" && title {
			return ""
		}
		return letters(family) + letters(given)
	}
	if IsCompany(folded) {
		return letters(folded)
	}
	name, titled := bare(folded)
	text := []rune(letters(name))
	switch {
	case len(text) < 2:
		return ""
	case len(text) == 2 && (text[0] == '老' || text[0] == '小'):
		return ""
	case len(text) == 2 && titled && compound(text):
		return ""
	}
	return string(text)
}

// bare reduces a name of Chinese characters, of which the width is folded, to the
// name itself: remarks in brackets that say who stands there (本人), a nickname in
// Latin letters set apart by a space or brackets, and a title are taken off.
// (儿子) is no such remark: it makes another person of the name.
func bare(name string) (text string, titled bool) {
	for {
		before, rest, ok := strings.Cut(name, "(")
		inside, after, closed := strings.Cut(rest, ")")
		if !ok || !closed || !slices.Contains(remarks, strings.Map(Simple, inside)) {
			break
		}
		name = before + after
	}
	name = cutNickname(strings.TrimSpace(name))
	text = untitled(name)
	return text, text != name
}

// cutNickname takes words in Latin letters off a Chinese name, where at least two
// letters stand apart from it: "叶芳 tony", but not "王伟a", which some clerks write
// to tell two people of one name apart.
func cutNickname(name string) string {
	start := strings.IndexFunc(name, Is)
	end := strings.LastIndexFunc(name, Is)
	if start < 0 {
		return name
	}
	_, size := utf8.DecodeRuneInString(name[end:])
	end += size
	before, after := name[:start], name[end:]
	apart := func(r rune) bool { return r == ' ' || r == '(' || r == ')' }
	if before != "" && !apart(rune(before[len(before)-1])) || after != "" && !apart(rune(after[0])) {
		return name
	}
	n := 0
	for _, r := range before + after {
		switch {
		case unicode.IsLetter(r):
			n++
		case !apart(r) && r != '.' && r != '-':
			return name
		}
	}
	if n < 2 || strings.ContainsFunc(name[start:end], func(r rune) bool { return !Is(r) && r != ' ' && r != '·' }) {
		return name
	}
	return name[start:end]
}
