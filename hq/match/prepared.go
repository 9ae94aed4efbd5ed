package match

import (
	"fmt"
	"slices"
	"strings"
)

// Prepared is a record taken apart under a model: what a caller who keeps records, keys
// and edges in tables of its own compares. It is a pure function of the record and the
// model and does not change. All of it stands in one string, see sheet.pack.
type Prepared struct {
	id     string // a piece of packed, as word is
	word   string
	packed string
	keys   []uint64
}

// Prepare takes a record apart and looks its values' frequencies up. An error where it
// has another number of values than the model has fields.
func (m *Model) Prepare(r Record) (*Prepared, error) {
	x, err := m.sheet(r)
	if err != nil {
		return nil, err
	}
	return x.prepared(m.cmp), nil
}

// sheet is a record taken apart: what is compared. What is kept is Prepared.
type sheet struct {
	id   string
	word string
	vals []value
	says uint64 // a bit for each of vals that says something
	keys []uint64
}

func (m *Model) sheet(r Record) (*sheet, error) {
	if len(r.Values) != len(m.fields) {
		return nil, fmt.Errorf("match: record %s has %d values, the model %d fields", r.ID, len(r.Values), len(m.fields))
	}
	x := read(m.cmp, m.fields, r)
	m.annotate(x)
	x.keys = m.keysOf(atoms(m.cmp, x))
	return x, nil
}

func (x *sheet) prepared(cmp []comparison) *Prepared {
	return asPrepared(x.pack(cmp), x.keys)
}

func asPrepared(packed string, keys []uint64) *Prepared {
	p := &Prepared{packed: packed, keys: keys}
	r := reader{s: packed, at: 8}
	p.id = r.text()
	p.word = r.text()
	return p
}

// scorer compares prepared records, one pair at a time.
type scorer struct {
	m    *Model
	a, b sheet
	buf  []answer
}

func newScorer(m *Model) *scorer {
	n := len(m.cmp)
	return &scorer{m, sheet{vals: make([]value, n)}, sheet{vals: make([]value, n)}, make([]answer, n)}
}

// open takes all that a prepared record says out. It is good until the next pair or open.
func (s *scorer) open(p *Prepared) *sheet {
	s.a.open(s.m.cmp, p.packed, ^uint64(0))
	return &s.a
}

// pair compares two prepared records.
func (s *scorer) pair(a, b *Prepared) Verdict {
	s.a.open(s.m.cmp, a.packed, says(b.packed))
	return s.against(&s.a, b.packed)
}

// against compares a record with a packed one.
func (s *scorer) against(a *sheet, packed string) Verdict {
	s.b.open(s.m.cmp, packed, a.says)
	return s.m.pair(a, &s.b, s.buf)
}

// ID is the record's.
func (p *Prepared) ID() string { return p.id }

// Keys are what the record is found by, ascending, each once. Two records are compared
// when they meet by a key that both have: see Long.
func (p *Prepared) Keys() []uint64 { return slices.Clone(p.keys) }

// Word is what the holders of a long key stand in its row by, and then by their ids: alike
// records stand near one another.
func (p *Prepared) Word() string { return p.word }

// All holders of a key meet as long as they are at most Long. What more have is hardly a
// reason to compare any two of them. A long key that is no Whole value finds nobody. In the
// row of one that is, by Word and then by id, one meets only those at most Beside places
// away, and of them only his Namesakes. So a telephone that became common after the model
// was learned, or a street that it does not know, costs next to nothing for each record,
// and the many records of one large customer are still found. It is a matter of the
// records that are there alone, not of their order of arrival: who comes may part others,
// unless another key lets them meet; who goes may let them meet again.
const (
	Long   = 96
	Beside = 4
)

// NameOf is what a Word begins with: the name, by its sound, or what stands in a name's
// place. In a row all who have one name stand side by side.
func NameOf(word string) string {
	name, _, _ := strings.Cut(word, "\x00")
	return name
}

// Namesakes tells whether two Words begin with the same name.
func Namesakes(a, b string) bool { return NameOf(a) == NameOf(b) }

// Limits of the walk from evidence to a decision, in centi-bits.
const (
	// Threshold is the score from which on a pair is called one: even odds.
	Threshold Bits = 0
	// Band is how far from Threshold, either way, a person may be asked.
	Band Bits = 1000
	// most is what a single comparison can say for or against.
	most Bits = 2500
)

// Verdict is the outcome for a pair of records. Each of its scores is the log odds of
// one party against another story.
type Verdict struct {
	Strangers Bits `json:"strangers"` // against two strangers
	Sharers   Bits `json:"sharers"`   // against two who share something, or who are of one area
	Bound     bool `json:"bound"`     // something binds them: Sharers means a household or a site
	Veto      bool `json:"veto"`      // their names conflict as those of one party never do
}

// Score is how much better one party explains the pair than any other story does, the
// veto apart.
func (v Verdict) Score() Bits { return min(v.Strangers, v.Sharers) }

// Joins tells whether the pair is called one.
func (v Verdict) Joins() bool { return !v.Veto && v.Score() >= Threshold }

// Near tells whether the pair is an edge: one by itself, or a question worth keeping.
func (v Verdict) Near() bool { return v.Score() >= -Band }

// Score compares two records prepared under this model. It is symmetric.
func (m *Model) Score(a, b *Prepared) Verdict {
	s, ok := m.scorers.Get().(*scorer)
	if !ok {
		s = newScorer(m)
	}
	defer m.scorers.Put(s)
	return s.pair(a, b)
}

// Meet tells whether two records have a key in common.
func Meet(a, b *Prepared) bool { return meet(a.keys, b.keys) }
