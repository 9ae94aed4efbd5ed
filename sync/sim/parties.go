package sim

import (
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// Rig makes the parties. It has one group of one headquarters and its branches.
// Folders are the simulator's: it copies them between steps, when the party that
// has one is not in the middle of anything.
type Rig interface {
	// Found makes headquarters' folder and one folder a branch, all enrolled.
	Found(hqDir string, branches []Founding, g Ground) error
	// OpenHQ and OpenBranch start a process on a folder. Everything they read of the
	// world comes through the ground they are given.
	OpenHQ(dir string, g Ground) (HQ, error)
	OpenBranch(dir string, b schema.BranchID, boot []byte, g Ground, r Road) (Branch, error)
	// FoundAnew makes headquarters' folder anew, with other keys, and enrols the
	// branches whose folders are given at it: they keep all that they have.
	FoundAnew(hqDir string, branches []Founding, g Ground) error
	// Replace gives a branch a new machine: a key of its own in an empty folder,
	// enrolled at the headquarters that runs. What the machine before it still holds
	// is salvaged from then on.
	Replace(f Founding, g Ground) error
	// HQKeeps are the files in HQ's folder that need not go back with it.
	HQKeeps() []string
	// Forge signs a pack of the victim's next change with the key of the branch
	// whose folder is given: a pack that must count for nothing.
	Forge(dir string, thief, victim schema.BranchID, inc schema.Incarnation, after schema.Seq, chain schema.Hash) ([]byte, error)
}

// Founding is one branch to be made.
type Founding struct {
	Branch schema.BranchID
	Entity schema.EntityID
	Dir    string
}

// Ground is what a process stands on.
type Ground struct {
	// Now is the machine's clock, which may be wrong and may jump.
	Now func() time.Time
	// Rand fills b; it never fails.
	Rand func(b []byte)
	// Number is a fresh seed for what the process itself spreads.
	Number func() uint64
}

// Road carries a branch's words. It only notes them: the answers come by the
// Branch's On… methods in later steps.
type Road interface {
	Pack(token uint64, pack []byte) error
	Ask(id uint64, verb string, req []byte) error
}

// Branch is one running process of a branch: its database and its side of the line.
type Branch interface {
	LinkUp(now time.Time)
	LinkDown(now time.Time)
	Tick(now time.Time) (next time.Time)
	Stalled(now time.Time) bool
	Wake(now time.Time)
	OnDoor(now time.Time, token uint64, stream string, seq uint64, err error)
	OnAnswer(now time.Time, id uint64, b []byte, err error)
	OnReceipt(now time.Time, b []byte)
	OnPoke(now time.Time, b []byte)
	Line() Line
	// Key is the public key its link is opened with.
	Key() string

	// Put commits one edit; nil means that a person was told "saved". Get is what
	// a page shows; schema.ErrNotFound when the record is not held.
	Put(e Edit) (Saved, error)
	Get(id schema.RecordID) (*branchlinev1.Record, error)

	// What the auditor reads, straight from the database.
	Held() ([]Held, error)
	HeldOne(id schema.RecordID) (Held, bool, error)
	// Log is every change the branch keeps, of all its incarnations, the current one's last.
	Log() ([]Logged, error)
	// Keeps are the names of own edits that the database still tells of, though it
	// may have forgotten their changes.
	Keeps() (map[schema.ChangeID]bool, error)
	// Outcomes are HQ's outcomes that the branch has stored.
	Outcomes() ([]*wirev1.Outcome, error)
	Cursor() (schema.EpochID, schema.Rev, error)
	// SayRestored notes that the folder was put back from a backup, as the restore command does.
	SayRestored() error

	// Crash ends the process. Its folder is as after a kill between two steps.
	Crash() error
}

// Line is where a branch stands with HQ.
type Line struct {
	Open        bool   // both ways
	Salvage     bool   // only what it had not sent goes up
	Shut        string // why HQ keeps it out; "" otherwise
	State       string // for people
	Incarnation schema.Incarnation
	Mark        schema.Seq
	Cut         schema.Seq // changes forgotten, of all incarnations
	Epoch       schema.EpochID
	HQRev       schema.Rev
	Cursor      schema.Rev
	Full        bool // the last page was all there was
	FullPass    bool
	Restored    bool // HQ said at the last hello that it lost something
	Hellos      int
	Rewinds     int
}

// Edit is one thing a person does.
type Edit struct {
	Kind    schema.Kind
	ID      schema.RecordID // zero: a new record
	Message proto.Message
	Mask    []string
	Etag    string
	Home    schema.BranchID // moves the record's home
}

// Saved is what an edit became.
type Saved struct {
	ID       schema.RecordID
	Change   schema.ChangeID
	Before   schema.Hash     // chain hash before the change
	Chain    schema.Hash     // and after it
	Edit     schema.ChangeID // the name of the edit
	NoChange bool
}

// Held is a record as a branch holds it.
type Held struct {
	ID      schema.RecordID
	Kind    schema.Kind
	Home    schema.BranchID
	Shared  bool
	Pending bool
	State   []byte // encoded, as shown
}

// Logged is one change in a branch's log.
type Logged struct {
	schema.Sealed
	At     schema.Tick // as it counts at the branch
	Record schema.RecordID
	Former bool
}

// Pack is a pack as it lay in UP.
type Pack struct {
	Branch schema.BranchID // over whose link it came
	Data   []byte
	Stream string
	Seq    uint64
	Ack    func() error
}

// Word is something HQ says to all links of a branch.
type Word struct {
	To   schema.BranchID
	Data []byte
}

// Request is what came over the link of a branch.
type Request struct {
	Branch schema.BranchID
	Key    string // the link's
	Verb   string
	Data   []byte
	// OtherBoot, of a hello, is what the probe said: another machine answers as this branch.
	OtherBoot bool
}

// HQ is one running process of headquarters.
type HQ interface {
	// Work takes packs in stream order. What it gives is to be sent also beside an error.
	Work(packs []Pack) ([]Word, error)
	// BeforeHello is the first step of a hello: HQ has every pack of the branch that
	// stands in UP worked off.
	BeforeHello(drain func() error) error
	Ask(r Request) ([]byte, error)
	// Settle does what waits behind the line (groups), and gives the branches to poke since it was last called.
	Settle() ([]schema.BranchID, error)
	// Poke is what such a branch is told.
	Poke(b schema.BranchID) (*wirev1.Poke, error)
	Epoch() schema.EpochID
	Rev() schema.Rev
	// Stream tells HQ which UP there is.
	Stream(id string)
	// ReEnrol opens a re-enrolment of a branch, as a person does who knows the machine.
	ReEnrol(b schema.BranchID) error
	// Quarantine is what waits there for a person and for no other change; Decide is
	// what the person says: judged again, or discarded.
	Quarantine() ([]schema.ChangeID, error)
	Decide(id schema.ChangeID, discard bool) error
	// BackedUp notes a backup of the folder as it is.
	BackedUp() error
	Books() (*Books, error)
	Crash() error
}

// Books is what the auditor reads of headquarters' database.
type Books struct {
	Lives    []BookLife
	Packs    []BookPack // in the order of incarnation and seq
	Sides    []BookPack
	Rulings  []*wirev1.RulingRun
	Outcomes []BookOutcome
	Records  []BookRecord
	Entities map[schema.BranchID]schema.EntityID
}

// BookLife is one incarnation at HQ.
type BookLife struct {
	Branch    schema.BranchID
	Inc       schema.Incarnation
	Watermark schema.Seq
	Chain     schema.Hash
	Frozen    bool
}

// BookPack is a pack as HQ keeps it. Life is, of a side branch, the life its changes were given; 0: not applied.
type BookPack struct {
	Branch schema.BranchID
	Inc    schema.Incarnation
	Raw    []byte
	Life   schema.Incarnation
}

// BookOutcome is an outcome at HQ.
type BookOutcome struct {
	Branch schema.BranchID
	Inc    schema.Incarnation
	Seq    schema.Seq
	Kind   wirev1.OutcomeKind
	Reason string
}

// BookRecord is a record at HQ.
type BookRecord struct {
	ID    schema.RecordID
	Kind  schema.Kind
	Home  schema.BranchID
	State []byte
	Group int64 // equal for records HQ takes for one; 0: none
}
