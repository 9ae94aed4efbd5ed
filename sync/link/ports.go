package link

import (
	"context"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// BranchStore is a branch's database as the line sees it. Every method that
// changes something has committed durably when it returns nil.
type BranchStore interface {
	// Lives are the incarnations the branch keeps, the current one first.
	// None: the branch is not enrolled.
	Lives(ctx context.Context) ([]*wirev1.Life, error)
	// Nonce is the nonce a new incarnation will be bound to; made and stored at the first call after each new incarnation.
	Nonce(ctx context.Context) ([]byte, error)
	// Outgoing reads changes of inc after the given seq in seq order, at most n and at most about bytes of payload
	// (at least one when there is any), with the chain hash before the first.
	Outgoing(ctx context.Context, inc schema.Incarnation, after schema.Seq, n, bytes int) (schema.Hash, []schema.Sealed, error)
	// ChainAt is the chain hash at seq (the zero Hash at 0); false when seq is beyond the last or forgotten.
	ChainAt(ctx context.Context, inc schema.Incarnation, seq schema.Seq) (schema.Hash, bool, error)
	// Receive stores a receipt whose signature and chain hash the caller has checked: it raises the watermark (never lowers it
	// within one epoch), applies the rulings and forgets changes the receipt allows to forget and a full page has folded in.
	Receive(ctx context.Context, r *wirev1.Receipt, signed []byte) error
	// AtDoor notes that HQ's door has the changes of inc up to seq. It need not survive a restart.
	AtDoor(inc schema.Incarnation, seq schema.Seq)
	// Receipts are the last signed receipts, one an incarnation.
	Receipts(ctx context.Context) ([][]byte, error)
	// Cursors are the last sixteen feed cursors, newest first.
	Cursors(ctx context.Context) ([]*wirev1.Cursor, error)
	EpochLine(ctx context.Context) ([]byte, error)
	SaveEpochLine(ctx context.Context, signed []byte) error
	// ApplyPage applies a page and its cursor in one transaction. The caller has checked its marks like a receipt's.
	ApplyPage(ctx context.Context, p *wirev1.Page) error
	// BeginFullPass notes that the pass begins at zero: what it has not shown by the first full page is swept,
	// but for records with pending changes. Calling it again starts the pass anew.
	BeginFullPass(ctx context.Context) error
	// FullPass tells whether a full pass is under way, and SetCursor where the next pull begins.
	FullPass(ctx context.Context) (bool, error)
	SetCursor(ctx context.Context, c *wirev1.Cursor) error
	Ledger(ctx context.Context) ([]*wirev1.LedgerEntry, error)
	// TakeLedger adds entries the branch lacks (by id).
	TakeLedger(ctx context.Context, entries []*wirev1.LedgerEntry) error
	// Fork begins a new incarnation. See Fork.
	Fork(ctx context.Context, f Fork) error
	// SaveSite keeps what HQ said of the branch at its hello.
	SaveSite(ctx context.Context, s Site) error
}

// Fork is what a branch does when HQ answers FORKED, ADOPT or REBUILD for its
// current incarnation: Old is kept as a former incarnation that is never
// written again, New becomes current, Back (HQ's changes of Old above From) is
// stored, and the branch's own changes of Old above From that Back does not hold
// with the same chain hash are re-issued under New in their order, each naming
// its origin and keeping its stamp. The clock is set above every stamp seen.
//
// With New the current incarnation and Old a former one, nothing new begins: the
// changes of Old above From are re-issued under the current one, and Old ends at From.
type Fork struct {
	Old         schema.Incarnation // 0 for ADOPT of an empty database
	From        schema.Seq
	New         schema.Incarnation
	Certificate []byte // signed wirev1.Certificate
	Back        []schema.Sealed
	// Rebuild: offer every record that bears own stamps as changes, stamps kept.
	Rebuild bool
}

// Site is what HQ says of a branch.
type Site struct {
	Entity schema.EntityID
	HQKey  string
	IDKey  []byte
	Epoch  schema.EpochID
	HQRev  schema.Rev
}

// Transport carries the branch's side of the line. It answers by calling the
// core's On… methods from the goroutine that drives it, never from within a call.
type Transport interface {
	// Pack hands a pack to HQ's door; the answer comes by OnDoor with the same token.
	Pack(token uint64, pack []byte) error
	// Ask sends a request; the answer comes by OnAnswer with the same id. An ask under way when the link falls is answered with an error at once.
	Ask(id uint64, verb string, req []byte) error
}
