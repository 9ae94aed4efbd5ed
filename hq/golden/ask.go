package golden

import (
	"context"

	"branchline/hq/match"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Group is a golden customer: its members, by id, and its own id, which is that of the
// oldest of them.
type Group struct {
	ID      schema.RecordID
	Members []schema.RecordID
}

// Question asks a person of two registrations; every answer it waits for would change a group.
type Question struct {
	match.Question // A and B are ids as schema.RecordID.String writes them
	First, Second  schema.RecordID
	// GroupA and GroupB are the members of the groups the two stand in, by id.
	GroupA, GroupB []schema.RecordID
	Contradiction  bool // a decision "same" about the two is kept from holding by others
	Alarm          bool // the group is so large that it looks as if it swallowed several parties
}

// Explanation says why two registrations are one or not.
type Explanation struct {
	match.Explanation
	// Said is the decision that counts for the pair; the zero id where there is none, or
	// where it is a registration's own word (same_as, an id of one source).
	Said schema.RecordID
}

// Effect is what a decision would change.
type Effect struct {
	Before, After []Group           // the groups it would change, as they are and as they would be
	Contradicts   []schema.RecordID // decisions in force that say otherwise of a pair, or would not be heeded any more
}

// Event is one change of who is one customer.
type Event struct {
	N             int64
	At            int64 // unix ms
	Before, After []Group
	Model         string
}

// Epoch is a version of the model and what became of it.
type Epoch struct {
	Version string
	State   string // used, proposed or former
	Made    int64  // unix ms; 0: it came with the program
	Taken   int64  // unix ms; 0: never
	Records int64  // it was learned from so many
	Summary []string
}

// Trained is a model just learned, and what it would change.
type Trained struct {
	Epoch         Epoch
	Before, After int64 // golden customers now, and under it
	Changed       int64
	Changes       []Event // the first of them, by id
}

// Questions gives the open questions, the best first, those about groups that look too
// large before all others; about: only those about the group of this registration. after
// is where the page before ended ("" begins); next is "" at the end; open counts them all,
// to 10,000.
func (g *Golden) Questions(ctx context.Context, about *schema.RecordID, after string, limit int) (list []Question, next string, open int, err error) {
	return nil, "", 0, schema.ErrUnavailable
}

// Explain says why two registrations are one or not. ErrNotFound where one is none.
func (g *Golden) Explain(ctx context.Context, a, b schema.RecordID) (*Explanation, error) {
	return nil, schema.ErrUnavailable
}

// Try says what a decision would change, and changes nothing.
func (g *Golden) Try(ctx context.Context, verdict branchlinev1.Verdict, a, b []schema.RecordID) (*Effect, error) {
	return nil, schema.ErrUnavailable
}

// Contradicted are the decisions in force that other decisions keep from holding, about
// the group of a registration where one is given.
func (g *Golden) Contradicted(ctx context.Context, about *schema.RecordID) ([]schema.RecordID, error) {
	return nil, schema.ErrUnavailable
}

// Events gives what was joined and parted, the newest first; about, after, limit and next
// are as with Questions. Old ones are dropped.
func (g *Golden) Events(ctx context.Context, about *schema.RecordID, after string, limit int) (list []Event, next string, err error) {
	return nil, "", schema.ErrUnavailable
}

// Models are the models this headquarters knows, the newest first.
func (g *Golden) Models(ctx context.Context) ([]Epoch, error) { return nil, schema.ErrUnavailable }

// Train learns a model from the registrations held here, keeps it as proposed and says
// what it would change, show groups at most. It takes as long as it takes: some seconds
// for 20,000 registrations.
func (g *Golden) Train(ctx context.Context, show int) (*Trained, error) {
	return nil, schema.ErrUnavailable
}

// Take puts a model in use. The groups follow behind the line, and Catch waits for them.
// ErrNotFound for an unknown version.
func (g *Golden) Take(ctx context.Context, version string) error { return schema.ErrUnavailable }
