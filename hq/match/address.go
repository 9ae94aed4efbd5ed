package match

import (
	"strings"
	"unicode"

	"branchline/schema/han"
)

// place is an address cut up for comparing.
type place struct {
	whole   uint64
	numbers []word
	words   []word // Latin words, and Chinese roads by their sound
	road    string // the Chinese road with what stands before it, in characters
	house   word   // the first number behind the road's name, or the first there is
	nbits   []Bits
	wbits   []Bits
	freq    Bits
}

const hashNumber = 'n'

// abbreviations of English addresses, and words of numbers; "" leaves a word out.
var abbreviations = map[string]string{
	"st": "street", "str": "street", "rd": "road", "ave": "avenue", "av": "avenue", "blvd": "boulevard", "blv": "boulevard", "boul": "boulevard", "dr": "drive", "ln": "lane", "ct": "court", "pl": "place", "sq": "square", "hwy": "highway", "pkwy": "parkway", "ter": "terrace", "terr": "terrace", "cir": "circuit", "cres": "crescent", "crt": "court", "cct": "circuit",
	"n": "", "s": "", "e": "", "w": "", "north": "", "south": "", "east": "", "west": "", "ne": "", "nw": "", "se": "", "sw": "", "no": "", "apt": "", "unit": "", "suite": "", "ste": "", "floor": "", "fl": "", "bldg": "", "building": "", "room": "", "rm": "", "flat": "", "at": "", "of": "", "the": "", "near": "", "and": "", "between": "", "off": "", "on": "", "corner": "", "sts": "street", "aves": "avenue",
	"first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5", "sixth": "6", "seventh": "7", "eighth": "8", "ninth": "9", "tenth": "10",
}

// roadKinds are the words for a road of some kind.
var roadKinds = func() map[string]bool {
	m := map[string]bool{}
	for _, full := range abbreviations {
		if len(full) > 2 {
			m[full] = true
		}
	}
	return m
}()

// kindWorth bounds what such a word is worth: where most addresses are Chinese, it says no
// more than that two are not.
const kindWorth Bits = 150

// roadEnds close the name of a road.
const roadEnds = "路街道巷里"

func readPlace(folded string) place {
	var p place
	p.whole = hashOf(hashWhole, letters(folded))
	rs := []rune(folded)
	for i := 0; i < len(rs); {
		r := rs[i]
		j := i
		switch {
		case han.Is(r):
			for j < len(rs) && (han.Is(rs[j]) || rs[j] == ' ' && j+1 < len(rs) && han.Is(rs[j+1])) {
				j++
			}
			p.hanRun(letters(string(rs[i:j])))
		case unicode.IsDigit(r):
			for j < len(rs) && unicode.IsDigit(rs[j]) {
				j++
			}
			digits := strings.TrimLeft(string(rs[i:j]), "0")
			k := j
			for k < len(rs) && unicode.IsLetter(rs[k]) && !han.Is(rs[k]) {
				k++
			}
			switch tail := string(rs[j:k]); tail {
			case "st", "nd", "rd", "th":
				j = k
				p.words = append(p.words, word{text: digits, hash: hashOf(hashWord, digits)})
			default:
				if digits != "" {
					p.number(digits)
				}
				if k-j == 1 {
					j = k // 12a
				}
			}
		case unicode.IsLetter(r) || r == '\'':
			for j < len(rs) && (unicode.IsLetter(rs[j]) && !han.Is(rs[j]) || rs[j] == '\'' || rs[j] == '-') {
				j++
			}
			t := letters(string(rs[i:j]))
			if full, ok := abbreviations[t]; ok {
				t = full
			}
			if t != "" {
				w := word{text: t, hash: hashOf(hashWord, t)}
				if roadKinds[t] {
					w.role = kindOf
				}
				p.words = append(p.words, w)
			}
		default:
			j = i + 1
		}
		i = j
	}
	if len(p.words) > maxWords {
		p.words = p.words[:maxWords]
	}
	if len(p.numbers) > maxWords {
		p.numbers = p.numbers[:maxWords]
	}
	return p
}

func (p *place) number(digits string) {
	w := word{text: digits, hash: hashOf(hashNumber, digits)}
	if p.house.text == "" {
		p.house = w
	}
	p.numbers = append(p.numbers, w)
}

// hanRun reads Chinese text between numbers: the road, with province, city and
// district taken off where they are marked.
func (p *place) hanRun(s string) {
	rs := []rune(s)
	if len(rs) < 2 || len(p.numbers) > 0 && !strings.ContainsAny(s, roadEnds) {
		return
	}
	for i := len(rs) - 1; i > 1; i-- {
		if strings.ContainsRune("省市区县", rs[i]) && i < len(rs)-2 {
			rs = rs[i+1:]
			break
		}
	}
	for _, end := range []string{"大道", "大街", "路", "街", "道", "巷"} {
		if t, ok := strings.CutSuffix(string(rs), end); ok && len([]rune(t)) >= 2 {
			rs = []rune(t)
			break
		}
	}
	if p.road != "" {
		return
	}
	p.road = string(rs)
	if py := han.Pinyin(p.road).Full(); py != "" {
		p.words = append(p.words, word{text: py, hash: hashOf(hashWord, py)})
	}
}

// Levels of two addresses. They stand in shipped model files.
const (
	placeOther  = iota
	placeLittle // the road with another number, or the number of another road
	placeRoad   // the road; one of the two gives no number
	placeNear   // the road and some number
	placeAll    // all that the shorter says, with its numbers
	placeSame
	placeLevels
)

func comparePlaces(a, b *place) (int8, Bits) {
	if a.whole == b.whole {
		return placeSame, a.worth()
	}
	if len(a.words)+len(a.numbers) > len(b.words)+len(b.numbers) {
		a, b = b, a
	}
	road, ww := a.sameRoad(b)
	numbers, nw := 0, Bits(0)
	for i, x := range a.numbers {
		for _, y := range b.numbers {
			if x.hash == y.hash {
				numbers++
				nw += a.nbits[i]
				break
			}
		}
	}
	fewer := min(len(a.numbers), len(b.numbers))
	most := max(a.freq, b.freq)
	switch {
	case road && fewer == 0:
		return placeRoad, min(ww, most)
	case road && numbers >= fewer:
		return placeAll, min(ww+nw, most)
	case road && numbers > 0 && (numbers > 1 || a.road == "" || b.road == "" || a.house.hash == b.house.hash):
		return placeNear, min(ww+nw, most)
	case road || numbers > 0 && numbers >= fewer && (ww > 0 || len(a.words) == 0 || len(b.words) == 0):
		return placeLittle, min(ww+nw, most)
	}
	return placeOther, 0
}

// sided tells whether two words are one but for a point of the compass before it, which
// stands apart in the other address and was left out: northpoint.
func sided(x, y string) bool {
	if len(x) > len(y) {
		x, y = y, x
	}
	side, ok := strings.CutSuffix(y, x)
	if !ok || len(x) < 4 {
		return false
	}
	switch side {
	case "north", "south", "east", "west":
		return true
	}
	return false
}

func (p *place) worth() Bits {
	var sum Bits
	for _, w := range p.wbits {
		sum += w
	}
	for _, w := range p.nbits {
		sum += w
	}
	return min(sum, p.freq)
}

// sameRoad tells whether the rarer half of the words agree, and what they are worth.
func (p *place) sameRoad(q *place) (bool, Bits) {
	if p.road != "" && q.road != "" {
		x, y := p.road, q.road
		if len(x) > len(y) {
			x, y = y, x
		}
		if strings.HasSuffix(y, x) {
			return true, min(p.wbits[0], q.wbits[0])
		}
		return false, 0
	}
	var got, all Bits
	var taken uint32
	for i, x := range p.words {
		all += p.wbits[i]
		for j, y := range q.words {
			if taken&(1<<j) != 0 {
				continue
			}
			if x.hash == y.hash || (p.road != "" || q.road != "") && len(x.text) >= 4 && len(y.text) >= 4 && (strings.HasSuffix(x.text, y.text) || strings.HasSuffix(y.text, x.text)) || alike(x.text, y.text) && len(x.text) > 1 || sided(x.text, y.text) {
				taken |= 1 << j
				got += min(p.wbits[i], q.wbits[j])
				break
			}
		}
	}
	var other Bits
	for _, w := range q.wbits {
		other += w
	}
	all = min(all, other)
	return got > 0 && 2*got >= all, got
}
