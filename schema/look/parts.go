package look

// Types of the templates in parts.html. Texts are finished words.

// Note is one sentence of fact, one of consequence, one action. Tone is "", "warn", "bad" or "info".
type Note struct {
	ID   string
	Tone string
	Mark string
	Fact string
	Then string
	Act  *Act
}

// Act is a link that looks like a button. Kind is "", "go" (once a page), "lite" or "tight"; Key is its letter.
type Act struct {
	Href string
	Text string
	Kind string
	Key  string
}

// PanelHead is the heading of a panel: it says what stands first.
type PanelHead struct {
	Title string
	Sub   string
	Act   *Act
}

// Empty says that there is nothing, and what to do next.
type Empty struct {
	Head string
	Text string
	Act  *Act
}

// ListItem is a row of the part "list", which takes a slice of them. Tone is that of the mark: "", b, w, g, a or q.
type ListItem struct {
	Mark  string
	Tone  string
	Plate string
	Text  string
	Href  string
	Meta  string
	Act   *Act
}

// Pager links to the neighbouring pages of a list; an empty address leaves its button out, three leave out the whole.
type Pager struct {
	First string
	Prev  string
	Next  string
	Text  string
	Label string // which list; "": the only one
}

// Some tells whether there is another page.
func (p Pager) Some() bool { return p.First != "" || p.Prev != "" || p.Next != "" }

// Field is an input with its label and what is wrong (Fault), doubtful (Doubt: it may be kept) or helpful (Hint).
// ID is the form's name of it too.
type Field struct {
	ID       string
	Label    string
	Type     string // "" is text
	Value    string
	Auto     string // autocomplete
	Hint     string
	Fault    string
	Doubt    string
	Required bool
	Focus    bool
}

// Below says whether a sentence stands under the field.
func (f Field) Below() bool { return f.Fault != "" || f.Doubt != "" || f.Hint != "" }

// Source says where a value is from. Own is a value of this site; Where a state of the vocabulary.
type Source struct {
	Where any
	Site  string
	Own   bool
	At    int64 // unix ms
	Now   int64 // unix ms
	Who   string
}

// Found is the part "found": the list under the search box. None is said above it when nothing was found, More below it
// when there is more.
type Found struct {
	Items []FoundItem
	None  string
	More  string
}

// FoundItem is one row: a plate or a name, what tells it apart, its kind or the state of its open order.
type FoundItem struct {
	Href  string
	Plate string
	Name  []Piece
	Text  []Piece
	Meta  string // the second line: where, which cars, when last
	Kind  string
	State any // a state of the vocabulary; nil: none, and the kind is shown
}

// Piece is a part of a text; Hit is what was looked for.
type Piece struct {
	Text string
	Hit  bool
}

// Plain is text without anything to be marked.
func Plain(s string) []Piece { return []Piece{{Text: s}} }
