package look

import (
	"fmt"
	"html/template"
	"regexp"
	"strings"

	"branchline/schema/plate"
)

// The state vocabulary of the look: a mark and a word for each state. Round = in our hands, fuller = nearer to done;
// square = waiting for somebody else.

func orderMarks() map[string]string {
	return map[string]string{
		"BOOKED": "booked", "RECEIVED": "received", "DIAGNOSING": "diag", "QUOTED": "quoted", "APPROVED": "approved",
		"IN_WORK": "inwork", "WAITING_PARTS": "parts", "WAITING_INSURER": "insurer", "QUALITY_CHECK": "qc",
		"READY": "ready", "SETTLED": "settled", "HANDED_OVER": "handed", "CANCELLED": "cancelled",
	}
}

func itemMarks() map[string]string {
	return map[string]string{"PROPOSED": "quoted", "APPROVED": "yes", "DECLINED": "no", "DONE": "done"}
}

func whereMarks() map[string]string {
	return map[string]string{
		"SAVED": "l1", "AT_DOOR": "l2", "COMMITTED": "l3", "DELIVERED": "l4", "OVERRIDDEN": "lo", "WAITS": "lw",
		"REFUSED": "lx", "PARKED": "lw", "QUARANTINED": "lx", "APPLIED": "l3", "NO_CHANGE": "l3", "DISCARDED": "lx", "OVERDRAWN": "lw",
	}
}

func payerSeals() map[string]string {
	return map[string]string{"CUSTOMER": "", "INSURER": " i", "MAKER": " m", "INTERNAL": "", "GOODWILL": " g"}
}

func markNames() map[string]bool {
	names := map[string]bool{}
	for n := range strings.FieldsSeq(`booked received diag approved inwork qc ready settled handed cancelled quoted parts
		insurer late soon back yes no hold done own sister find shut off`) {
		names[n] = true
	}
	return names
}

// vocab holds the tables above for the templates of one Look.
type vocab struct {
	order, item, where, payer map[string]string
	marks                     map[string]bool
}

func newVocab() vocab {
	return vocab{order: orderMarks(), item: itemMarks(), where: whereMarks(), payer: payerSeals(), marks: markNames()}
}

// stateName takes a state as a generated enum value or a string, with or without the enum's prefix or suffix
// (LINE_APPROVED is APPROVED, REFUSED_CHANGE is REFUSED), and gives the name that known knows; "" when it knows none.
func stateName(known func(string) bool, state any) string {
	whole := strings.ToUpper(fmt.Sprint(state))
	for _, s := range []string{whole, strings.TrimSuffix(whole, "_CHANGE")} {
		for {
			if known(s) {
				return s
			}
			cut := strings.IndexByte(s, '_')
			if cut < 0 {
				break
			}
			s = s[cut+1:]
		}
	}
	return ""
}

func in(table map[string]string) func(string) bool {
	return func(s string) bool { _, ok := table[s]; return ok }
}

// Word is the word for a value of an enum, as a generated value or a string: groups are order, item (an order's line),
// payer, where, tie, kind (of a line) and role, and any group of a site's own catalogue whose keys are the names. A
// value without a word is "not stated".
func (l *Look) Word(lang Lang, group string, value any) string {
	name := stateName(func(s string) bool { return l.words.Has(group + "." + s) }, value)
	if name == "" {
		return l.T(lang, "order.unknown")
	}
	return l.T(lang, group+"."+name)
}

func markSVG(name, tone string) template.HTML {
	class := "mk"
	if tone != "" {
		class += " mk-" + tone
	}
	return template.HTML(`<svg class="` + class + `" aria-hidden="true"><use href="#m-` + name + `"/></svg>`)
}

func lineSVG(name string) template.HTML {
	return template.HTML(`<svg class="ln" aria-hidden="true"><use href="#m-` + name + `"/></svg>`)
}

func esc(s string) string { return template.HTMLEscapeString(s) }

func plateHTML(p string) template.HTML {
	if p == "" {
		return ""
	}
	return template.HTML(`<span class="plate">` + esc(plate.Format(p)) + `</span>`)
}

// vinHTML makes the last six strong: that is what people search by.
func vinHTML(vin string) template.HTML {
	r := []rune(vin)
	if len(r) == 0 {
		return ""
	}
	cut := max(len(r)-6, 0)
	return template.HTML(`<span class="vin">` + esc(string(r[:cut])) + `<b>` + esc(string(r[cut:])) + `</b></span>`)
}

func (l *Look) funcs(lang Lang) template.FuncMap {
	v := newVocab()
	t := func(key string, args ...any) string { return l.T(lang, key, args...) }
	st := func(class, svg template.HTML, word string) template.HTML {
		return `<span class="st` + class + `">` + svg + template.HTML(esc(word)) + `</span>`
	}
	mark := func(name string, tone ...string) (template.HTML, error) {
		if !v.marks[name] {
			return "", fmt.Errorf("look: no mark %q", name)
		}
		class := strings.Join(tone, "")
		if !strings.Contains("bwgaq", class) || len(class) > 1 {
			return "", fmt.Errorf("look: no tone %q of a mark", class)
		}
		return markSVG(name, class), nil
	}
	two := func(f func(a, b int64) string) func(a, b any) (string, error) {
		return func(a, b any) (string, error) {
			x, err := instant(a)
			if err != nil {
				return "", err
			}
			y, err := instant(b)
			if err != nil {
				return "", err
			}
			return f(x, y), nil
		}
	}
	one := func(f func(int64) string) func(any) (string, error) {
		return func(a any) (string, error) {
			x, err := instant(a)
			if err != nil {
				return "", err
			}
			return f(x), nil
		}
	}
	return template.FuncMap{
		"t":     t,
		"word":  func(group string, value any) string { return l.Word(lang, group, value) },
		"langs": Langs,
		"asset": l.static.href,
		"inc":   func(i int) int { return i + 1 },

		"num":   func(n any) (string, error) { return numOf(n) },
		"money": Money,
		"cash":  Cash,
		"qty":   Qty,
		"day":   one(l.Day),
		"clock": one(l.Clock),
		"when":  two(func(now, ms int64) string { return l.When(lang, now, ms) }),
		"ago":   two(func(now, ms int64) string { return l.Ago(lang, now, ms) }),
		"span":  two(func(a, b int64) string { return l.Span(lang, a, b) }),
		"due":   two2(func(now, promised int64) template.HTML { return l.due(lang, now, promised) }),

		"whole":     unbroken,
		"plate":     plateHTML,
		"plateText": plate.Format,
		"vin":       vinHTML,
		"mark":      mark,
		"lineMark":  lineSVG,

		"orderState": func(s any) template.HTML {
			name := stateName(in(v.order), s)
			if name == "" {
				return template.HTML(`<span class="st q">` + esc(t("order.unknown")) + `</span>`)
			}
			return st("", markSVG(v.order[name], ""), t("order."+name))
		},
		"lineState": func(s any) template.HTML {
			name := stateName(in(v.item), s)
			class := map[string]template.HTML{"APPROVED": " g", "DECLINED": " q2"}[name]
			if name == "" {
				return template.HTML(`<span class="st q">` + esc(t("order.unknown")) + `</span>`)
			}
			return st(class, markSVG(v.item[name], ""), t("item."+name))
		},
		"payer": func(s any) template.HTML {
			name := stateName(in(v.payer), s)
			if name == "" {
				return ""
			}
			return template.HTML(`<abbr class="pay` + v.payer[name] + `" title="` + esc(t("payer."+name)) + `">` + esc(t("seal."+name)) + `</abbr>`)
		},
		"where": func(s any) template.HTML {
			name := stateName(in(v.where), s)
			if name == "" {
				return template.HTML(`<span class="st q">` + esc(t("order.unknown")) + `</span>`)
			}
			return st("", lineSVG(v.where[name]), t("where."+name))
		},
		// The little line alone, beside a source; its word is for those who listen, and on pointing.
		"whereMark": func(s any) template.HTML {
			name := stateName(in(v.where), s)
			if name == "" {
				return ""
			}
			word := esc(t("where." + name))
			return template.HTML(`<svg class="ln" role="img" aria-label="` + word + `"><title>` + word + `</title><use href="#m-` + v.where[name] + `"/></svg>`)
		},

		"panel": func(title string, more ...any) (PanelHead, error) {
			h := PanelHead{Title: title}
			for _, m := range more {
				switch m := m.(type) {
				case string:
					h.Sub = m
				case Act:
					h.Act = &m
				default:
					return h, fmt.Errorf("look: panel takes a text and an act, not %T", m)
				}
			}
			return h, nil
		},
		"act": func(href, text string, more ...string) Act {
			a := Act{Href: href, Text: text}
			if len(more) > 0 {
				a.Kind = more[0]
			}
			if len(more) > 1 {
				a.Key = more[1]
			}
			return a
		},
		"empty": func(head, text string, act ...Act) Empty {
			e := Empty{Head: head, Text: text}
			if len(act) > 0 {
				e.Act = &act[0]
			}
			return e
		},
		"note": func(tone, mark, fact, then string, act ...Act) Note {
			n := Note{Tone: tone, Mark: mark, Fact: fact, Then: then}
			if len(act) > 0 {
				n.Act = &act[0]
			}
			return n
		},
	}
}

// due is a promised time seen from now: late, soon (half an hour), or how long it still is.
func (l *Look) due(lang Lang, now, promised int64) template.HTML {
	span := l.Span(lang, now, promised)
	switch left := promised - now; {
	case left < 0:
		return markSVG("late", "b") + template.HTML(` <b class="bad">`+esc(l.T(lang, "due.late", span))+`</b>`)
	case left <= 30*60*1000:
		return markSVG("soon", "w") + template.HTML(` <span class="warn">`+esc(l.T(lang, "due.left", span))+`</span>`)
	default:
		return template.HTML(esc(l.T(lang, "due.left", span)))
	}
}

func two2(f func(a, b int64) template.HTML) func(a, b any) (template.HTML, error) {
	return func(a, b any) (template.HTML, error) {
		x, err := instant(a)
		if err != nil {
			return "", err
		}
		y, err := instant(b)
		if err != nil {
			return "", err
		}
		return f(x, y), nil
	}
}

func numOf(v any) (string, error) {
	n, ok := whole(v)
	if !ok {
		return "", fmt.Errorf("look: %T is no whole number", v)
	}
	return Num(n), nil
}

var dayForm = regexp.MustCompile(`\d{4}-\d{2}-\d{2}`)

// unbroken is a text whose days are not broken at the end of a line.
func unbroken(text string) template.HTML {
	return template.HTML(dayForm.ReplaceAllString(string(esc(text)), `<span class="nw">$0</span>`))
}
