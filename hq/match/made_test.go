package match

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Sets with a known truth, made from seeds, of kinds that the shared data has not: so that
// what is learned there is not what the program was fitted to.

// dice draws what the makers need.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 42))} }

func (d dice) hit(p float64) bool       { return d.Float64() < p }
func (d dice) of(list []string) string  { return list[d.IntN(len(list))] }
func (d dice) zipf(n int) int           { return int(float64(n) * d.Float64() * d.Float64() * d.Float64()) }
func (d dice) zipfOf(l []string) string { return l[d.zipf(len(l))] }

// syllables makes a word no list needs to hold.
func (d dice) syllables(n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(d.of([]string{"bar", "den", "ford", "ham", "ley", "mor", "ton", "wick", "ash", "col", "dun", "el", "far", "gar", "hol", "kin", "lan", "mil", "nor", "pen", "ros", "sel", "thor", "win", "wor"}))
	}
	return b.String()
}

// slip makes a typing error.
func (d dice) slip(s string) string {
	if len(s) < 3 {
		return s
	}
	b := []byte(s)
	switch i := 1 + d.IntN(len(b)-2); d.IntN(4) {
	case 0:
		b[i], b[i+1] = b[i+1], b[i]
	case 1:
		b = append(b[:i], b[i+1:]...)
	case 2:
		b = append(b[:i+1], b[i:]...)
	default:
		b[i] = 'a' + byte(d.IntN(26))
	}
	return string(b)
}

func (d dice) list(n, syllables int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = d.syllables(syllables)
	}
	return out
}

func newSet(name string, fields ...string) set {
	s := set{name: name, truth: map[string]string{}}
	for _, f := range fields {
		c, t, _ := strings.Cut(f, " ")
		s.fields = append(s.fields, Field{c, Type(t)})
	}
	return s
}

func (s *set) add(truth string, values ...string) {
	id := fmt.Sprintf("r%06d", len(s.records)*7919%1_000_003)
	s.records = append(s.records, Record{id, values})
	s.truth[id] = truth
}

var givens = strings.Fields("john william thomas george james henry charles robert edward joseph richard samuel francis arthur david frederick alexander walter benjamin philip hugh daniel peter edmund alfred andrew stephen nicholas matthew simon mary elizabeth anne jane sarah margaret catherine charlotte frances emily")

// historical makes persons of history: many records each, full names with titles beside
// their parts, much missing, birthdays of which the year only is known, families.
func historical(seed uint64, people int, per float64) set {
	d := newDice(seed)
	s := newSet(fmt.Sprintf("historical-%d", seed), "full_name name", "first_and_surname name", "first_name given_name", "surname family_name", "dob birthday", "birth_place locality", "postcode_fake postcode", "gender category", "occupation category")
	surnames, towns := d.list(people/3+20, 2), d.list(people/20+30, 2)
	jobs := strings.Fields("politician writer painter clergyman officer lawyer physician merchant cricketer architect engineer actor")
	pets := map[string][]string{"john": {"jack", "johnny"}, "william": {"will", "bill"}, "thomas": {"tom"}, "james": {"jim"}, "henry": {"harry"}, "robert": {"bob", "rob"}, "edward": {"ted", "ned"}, "richard": {"dick"}, "charles": {"charlie"}, "elizabeth": {"bess", "betty"}, "margaret": {"meg"}, "mary": {"polly"}}
	var fam, town string
	for p := range people {
		if p == 0 || !d.hit(.25) { // a quarter are born into the family before
			fam, town = d.zipfOf(surnames), d.zipfOf(towns)
		}
		first := d.zipfOf(givens)
		middle := ""
		if d.hit(.4) {
			middle = d.zipfOf(givens)
		}
		title := ""
		if d.hit(.3) {
			title = d.of([]string{"1st baronet", "2nd baronet", "3rd earl of " + town, "1st baron " + fam, "sir"})
		}
		y, mo, da := 1600+d.IntN(320), 1+d.IntN(12), 1+d.IntN(28)
		if d.hit(.25) {
			mo, da = 1, 1
		}
		area := fmt.Sprintf("%c%c%d", 'a'+town[0]%26, 'a'+town[1]%26, int(town[len(town)-1])%20)
		post := fmt.Sprintf("%s %d%c%c", area, d.IntN(10), 'a'+d.IntN(26), 'a'+d.IntN(26))
		gender := "male"
		for _, f := range givens[30:] {
			if f == first {
				gender = "female"
			}
		}
		job := d.of(jobs)
		for range 1 + min(34, int(d.ExpFloat64()*(per-1))) {
			g, f := first, fam
			if l := pets[g]; l != nil && d.hit(.15) {
				g = d.of(l)
			}
			if d.hit(.1) {
				g = d.slip(g)
			}
			if d.hit(.12) {
				f = d.slip(f)
			}
			if d.hit(.04) {
				f = town // known by the title
			}
			if middle != "" && d.hit(.08) {
				g = middle
			}
			full := g
			if middle != "" && d.hit(.6) {
				full += " " + middle
			}
			full += " " + f
			if title != "" && d.hit(.6) {
				full += ", " + title
			}
			dob := fmt.Sprintf("%d-%02d-%02d", y, mo, da)
			if d.hit(.1) {
				dob = fmt.Sprintf("%d-%02d-%02d", y+d.IntN(3)-1, 1+d.IntN(12), 1+d.IntN(28))
			} else if d.hit(.1) {
				dob = fmt.Sprintf("%d-01-01", y)
			}
			place, code, sex, work := town, post, gender, job
			if d.hit(.1) {
				code = fmt.Sprintf("%s %d%c%c", area, d.IntN(10), 'a'+d.IntN(26), 'a'+d.IntN(26))
			}
			if d.hit(.1) {
				place = d.slip(place)
			}
			if d.hit(.08) {
				work = d.of(jobs)
			}
			v := []string{full, g + " " + f, g, f, dob, place, code, sex, work}
			for i, p := range []float64{.02, 0, 0, .04, .25, .25, .3, .3, .25} {
				if d.hit(p) {
					v[i] = ""
				}
			}
			s.add(fmt.Sprint(p), v...)
		}
	}
	return s
}

// organisations makes centres at sites: several at one address with one telephone, brands
// with many sites, the same centre on many lists under many names.
func organisations(seed uint64, sites int) set {
	d := newDice(seed)
	s := newSet(fmt.Sprintf("organisations-%d", seed), "site name", "address address", "zip postcode", "phone phone", "program category")
	brands := d.list(sites/8+3, 3)
	streets := d.list(sites/4+5, 2)
	n := 0
	for range sites {
		addr := fmt.Sprintf("%d %s %s %s", 100+d.IntN(9000), d.of([]string{"n", "s", "w", "e"}), d.of(streets), d.of([]string{"st", "ave", "blvd", "rd"}))
		zip := fmt.Sprintf("606%02d", d.IntN(40))
		tel := fmt.Sprintf("312 %03d %04d", 200+d.IntN(700), d.IntN(10000))
		for k := range 1 + d.IntN(5)/4 + d.IntN(8)/7 {
			name := d.syllables(2) + " " + d.of([]string{"child development center", "day care", "academy", "learning center", "head start", "early childhood", "school", "nursery school"})
			if d.hit(.35) {
				name = d.zipfOf(brands) + " " + d.of([]string{"child care center", "head start", "community center", "kids"})
			}
			if k > 0 && d.hit(.5) {
				tel = fmt.Sprintf("312 %03d %04d", 200+d.IntN(700), d.IntN(10000))
			}
			n++
			for range 1 + int(d.ExpFloat64()*5) {
				nm, ad, z, t := name, addr, zip, tel
				switch {
				case d.hit(.15):
					nm = strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(nm, "center", "ctr"), "development", "dev"), "community", "comm")
				case d.hit(.1):
					nm = strings.Join(strings.Fields(nm)[:max(2, len(strings.Fields(nm))-1)], " ")
				case d.hit(.1):
					nm += d.of([]string{" inc", " - main", " site 1", " program"})
				}
				if d.hit(.1) {
					nm = d.slip(nm)
				}
				if d.hit(.2) {
					f := strings.Fields(ad)
					ad = f[0] + " " + strings.Join(f[2:], " ")
				}
				if d.hit(.2) {
					ad = strings.ReplaceAll(strings.ReplaceAll(ad, " st", " street"), " ave", " avenue")
				}
				if d.hit(.06) {
					ad = d.slip(ad)
				}
				if d.hit(.12) {
					t = fmt.Sprintf("312 %03d %04d", 200+d.IntN(700), d.IntN(10000))
				}
				if d.hit(.2) {
					t = ""
				}
				if d.hit(.2) {
					z = ""
				}
				s.add(fmt.Sprint(n), nm, ad, z, t, d.of([]string{"", "head start", "child care", "pre-k"}))
			}
		}
	}
	return s
}

// papers makes citations: long texts cut and mistyped, authors abbreviated.
func papers(seed uint64, n int) set {
	d := newDice(seed)
	s := newSet(fmt.Sprintf("papers-%d", seed), "title text", "authors text", "venue category", "year year")
	vocabulary := append(strings.Fields("learning data query optimization parallel database distributed systems mining efficient algorithms for of in the using a an analysis approach indexing spatial temporal web semantic xml streams"), d.list(400, 2)...)
	fams := d.list(300, 2)
	venues := []string{"sigmod", "vldb", "icde", "kdd", "tods"}
	for p := range n {
		title := make([]string, 4+d.IntN(7))
		for i := range title {
			title[i] = d.zipfOf(vocabulary)
		}
		authors := make([]string, 1+d.IntN(4))
		for i := range authors {
			authors[i] = d.of(givens) + " " + d.zipfOf(fams)
		}
		year, venue := 1990+d.IntN(20), d.of(venues)
		for range 1 + int(d.ExpFloat64()) {
			t, a := strings.Join(title, " "), strings.Join(authors, ", ")
			if d.hit(.3) {
				t = d.slip(t)
			}
			if d.hit(.1) {
				t = strings.Join(title[:len(title)-1], " ")
			}
			if d.hit(.4) {
				var short []string
				for _, x := range authors {
					g, f, _ := strings.Cut(x, " ")
					short = append(short, g[:1]+". "+f)
				}
				a = strings.Join(short, " and ")
			}
			v := venue
			if d.hit(.3) {
				v = "proc. of " + v
			}
			y := fmt.Sprint(year)
			if d.hit(.2) {
				y = ""
			}
			s.add(fmt.Sprint(p), t, a, v, y)
		}
	}
	return s
}

// products makes offers of goods: a brand, a model number that tells models of one series
// apart, words of advertising, a price.
func products(seed uint64, n int) set {
	d := newDice(seed)
	s := newSet(fmt.Sprintf("products-%d", seed), "name text", "brand category", "price number")
	brands := d.list(25, 2)
	kinds := strings.Fields("camera printer speaker headphones television refrigerator microwave phone keyboard monitor")
	words := strings.Fields("black white silver digital wireless compact stereo home portable inch series new pro kit with")
	for p := range n {
		brand, kind := d.zipfOf(brands), d.of(kinds)
		number := fmt.Sprintf("%c%c%d", 'a'+d.IntN(26), 'a'+d.IntN(26), 100+d.IntN(900))
		price := 20 + d.IntN(900)
		for range 1 + d.IntN(2) {
			name := []string{brand, kind, number}
			for range 1 + d.IntN(4) {
				name = append(name, d.of(words))
			}
			if d.hit(.1) {
				name = append(name[:2], name[3:]...)
			}
			b := brand
			if d.hit(.3) {
				b = ""
			}
			c := fmt.Sprint(price + d.IntN(11) - 5)
			if d.hit(.3) {
				c = ""
			}
			s.add(fmt.Sprint(p), strings.Join(name, " "), b, c)
		}
	}
	return s
}

// households makes families: one address, one telephone, mostly one family name.
func households(seed uint64, homes int, copies float64) set {
	d := newDice(seed)
	s := newSet(fmt.Sprintf("households-%d-%.0f", seed, copies), "given given_name", "family family_name", "phone phone", "street address", "city locality", "born birthday")
	fams, streets, towns := d.list(homes/2+10, 2), d.list(60, 2), d.list(20, 2)
	p := 0
	for range homes {
		fam, addr, town := d.zipfOf(fams), fmt.Sprintf("%d %s street", 1+d.IntN(200), d.of(streets)), d.of(towns)
		tel := fmt.Sprintf("13%09d", d.IntN(1_000_000_000))
		for range 1 + d.IntN(4) {
			p++
			first, f := d.zipfOf(givens), fam
			if d.hit(.2) {
				f = d.zipfOf(fams)
			}
			born := fmt.Sprintf("%d-%02d-%02d", 1940+d.IntN(70), 1+d.IntN(12), 1+d.IntN(28))
			n := 1
			if copies > 1 {
				n += int(d.ExpFloat64() * (copies - 1))
			}
			for range n {
				v := []string{first, f, tel, addr, town, born}
				if d.hit(.15) {
					v[0] = d.slip(v[0])
				}
				if d.hit(.1) {
					v[1] = d.slip(v[1])
				}
				if d.hit(.1) {
					v[2] = fmt.Sprintf("13%09d", d.IntN(1_000_000_000))
				}
				for i, q := range []float64{.05, .02, .2, .2, .1, .4} {
					if d.hit(q) {
						v[i] = ""
					}
				}
				s.add(fmt.Sprint(p), v...)
			}
		}
	}
	return s
}

func TestFigures_madeSets(t *testing.T) {
	figures(t, []set{
		historical(1, 400, 8), historical(2, 700, 3), organisations(1, 200), papers(1, 700), products(1, 700),
		households(1, 400, 1), households(2, 300, 3),
	})
}
