package web

import (
	"html/template"
	"net/url"
	"strings"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/front"
	"branchline/schema/setting"
)

// What is written for a customer is in their language, whatever language the page around it is in.

// tongue is the language asked for with the query or form field in; else the customer's own, else the branch's. c is nil
// where there is no customer, or the caller sees none.
func (a *ask) tongue(asked string, c *branchlinev1.Customer) (look.Lang, error) {
	if l, ok := look.LangNamed(asked); ok {
		return l, nil
	}
	if l, ok := look.LangOf(c.GetLanguage()); ok {
		return l, nil
	}
	rules, err := front.Settings(a.R.Context(), a.s.c.Records)
	if err != nil {
		return "", err
	}
	l, ok := look.LangOf(rules.CustomerLanguage(setting.Place{Branch: a.branch(), Entity: a.Names().EntityOf(a.branch()), Day: a.today()}))
	if !ok {
		l = look.ZhCN
	}
	return l, nil
}

// tongues are the ways to a page in each language, whose address otherwise has the query q.
func (a *ask) tongues(path string, q url.Values, now look.Lang) []tabLink {
	var out []tabLink
	for _, l := range look.Langs() {
		q.Set("in", string(l))
		out = append(out, tabLink{path + "?" + q.Encode(), a.s.look.T(l, "tell.tongue"), l == now})
	}
	return out
}

// in is the same request by a reader of another language.
func (a *ask) in(l look.Lang) *ask {
	b := *a
	b.Lang = l
	return &b
}

// written is the part "sheet" of a page, in a language of its own.
func (s *Site) written(p *look.Page, l look.Lang, view any) (template.HTML, error) {
	var b strings.Builder
	if err := p.Write(&b, "sheet", l, view); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil // a template has escaped what stands in it
}
