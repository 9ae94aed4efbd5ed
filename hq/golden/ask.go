package golden

import (
	"branchline/hq/match"
	"branchline/schema"
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
