package look

// View is what a page renders: any struct that embeds Frame.
type View interface{ frame() Frame }

func (f Frame) frame() Frame { return f }

// FrameOf is the frame a page stands in.
func FrameOf(v View) Frame { return v.frame() }

// Frame is what stands around every page. Texts are finished words in Lang.
type Frame struct {
	Lang      Lang
	Now       int64  // unix ms: the time at which the page is true
	Title     string // of the page, without the site
	SiteName  string // "浦东店"
	GroupName string // "申陆汽车"
	HQ        bool   // HQ's rail is ink, a branch's is paper
	Path      string // where this page is, with its query: a change of language comes back here
	Rail      []RailItem
	Active    string // id of the rail item this page belongs to
	User      Person
	Line      LineState
	Find      Find
	Live      string // address of the stream of live parts, if the page has one
	Sent      bool   // it answers a form that was sent, and may hold what was typed
	Touch     bool   // worked on with fingers, at a tablet: what can be hit is 44 px high

	// Bare leaves out rail, search and line: pages before sign-in. Wide gives such a page 42 rem instead of 24.
	Bare, Wide bool
}

// HasRest says whether the rail has items that do not fit a phone's bottom bar.
func (f Frame) HasRest() bool {
	for _, it := range f.Rail {
		if it.Wide {
			return true
		}
	}
	return false
}

// RailItem is one word of the rail. A phone's bottom bar holds five: mark the others Wide, and they are found under
// "more" at the foot of the page.
type RailItem struct {
	ID    string
	Href  string
	Text  string
	Count int64 // shown where it means work; 0 shows nothing
	Wide  bool
}

// Person is who is signed in.
type Person struct {
	Name    string
	Role    string // in words
	SignOut string // POST address; empty shows no button
	// Pages of the person's own account and of all accounts of the site; empty shows no link.
	Account, Accounts string
	// Desk is the sheet by which another takes over the browser with a PIN; empty shows no button.
	Desk string
}

// Find is the search box of the top bar.
type Find struct {
	Action string // GET address that takes q; empty shows no box
	Query  string
	Hint   string // what may be typed; "" for what who sees everything may
	// Live asks Action while the person types, with the header HX-Request; it must then answer with the part "found".
	Live bool
}

// LineKind says how the line to HQ stands.
type LineKind string

// The kinds of LineState. Fleet is HQ's own: how many branches are connected.
const (
	LineNone  LineKind = ""
	LineUp    LineKind = "up"
	LineDown  LineKind = "down"
	LineFleet LineKind = "fleet"
)

// LineState is how the line stands, in the top bar of every page and, when it is down, in a strip under it.
type LineState struct {
	Kind      LineKind
	Href      string // the page that says more
	Waiting   int64  // changes kept here that HQ has not committed
	Heard     int64  // unix ms at which HQ was last heard; 0 = never
	Branches  int64  // Fleet: branches in all
	Connected int64  // Fleet: branches connected
}
