package front

import (
	"net/url"

	"branchline/schema/look"
)

const (
	// mostBack is how many pages back an address remembers; before that, the first page is the way back.
	mostBack = 20
	// forgotten stands for those before. No token is so short.
	forgotten = "-"
)

// Pager leads through a list whose pages are found by tokens, param being the parameter that holds the token of the page
// shown and next the token of the one after it, "" at the end. A token leads forward only, so the address remembers those
// of the pages before. Parameters named in without are left out of the links.
func (a *Ask) Pager(param, next string, without ...string) look.Pager {
	q := a.R.URL.Query()
	for _, name := range without {
		q.Del(name)
	}
	here, before := q.Get(param), q[param+"-was"]
	link := func(token string, was []string) string {
		to := url.Values{}
		for k, v := range q {
			to[k] = v
		}
		to.Del(param)
		to.Del(param + "-was")
		if token != "" {
			to.Set(param, token)
		}
		if len(was) > 0 {
			to[param+"-was"] = was
		}
		if len(to) == 0 {
			return a.R.URL.Path
		}
		return a.R.URL.Path + "?" + to.Encode()
	}
	var p look.Pager
	if next != "" {
		var was []string
		if here != "" {
			was = append(append(was, before...), here)
		}
		if len(was) > mostBack {
			was = append([]string{forgotten}, was[len(was)-mostBack+1:]...)
		}
		p.Next = link(next, was)
	}
	if here == "" {
		return p
	}
	p.First = link("", nil)
	switch last := len(before) - 1; {
	case last < 0: // the second page: one button for one page
		p.Prev, p.First = p.First, ""
	case before[last] != forgotten:
		p.Prev = link(before[last], before[:last])
	}
	return p
}
