package attach

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"log/slog"
	mrand "math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus"
	"branchline/sync/link"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hq is a headquarters whose line breaks at random.
type hq struct {
	mu     sync.Mutex
	files  *blob.Store
	named  map[blob.Hash]bool
	epoch  schema.EpochID
	breaks int // of 100 questions
	down   bool
	puts   int
}

func (h *hq) Link() link.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := link.Status{Phase: link.Open, Blobs: true, Epoch: h.epoch, Full: true}
	if h.down {
		s.Phase = link.Down
	}
	return s
}

func (h *hq) Ask(_ context.Context, verb string, raw []byte) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down || mrand.IntN(100) < h.breaks {
		return nil, bus.ErrNoLink
	}
	var out proto.Message
	switch verb {
	case link.VerbBlobPut:
		h.puts++
		req := new(wirev1.BlobPut)
		if err := proto.Unmarshal(raw, req); err != nil {
			return nil, err
		}
		if !h.named[blob.Hash(req.GetHash())] {
			out = &wirev1.BlobPutReply{Unknown: true}
			break
		}
		next, whole, err := h.files.Take("b1", blob.Hash(req.GetHash()), req.GetSize(), req.GetOffset(), req.GetData())
		if err != nil {
			return nil, err
		}
		out = &wirev1.BlobPutReply{Next: next, Stored: whole}
	case link.VerbBlobGet:
		req := new(wirev1.BlobGet)
		if err := proto.Unmarshal(raw, req); err != nil {
			return nil, err
		}
		b, size, err := h.files.Read(blob.Hash(req.GetHash()), req.GetOffset(), int(req.GetMost()))
		out = &wirev1.BlobGetReply{Size: size, Data: b, Missing: errors.Is(err, schema.ErrNotFound)}
	case link.VerbBlobAsk:
		req := new(wirev1.BlobAsk)
		if err := proto.Unmarshal(raw, req); err != nil {
			return nil, err
		}
		r := &wirev1.BlobAskReply{Stored: make([]byte, len(req.GetHashes()))}
		for i, x := range req.GetHashes() {
			if _, ok := h.files.Has(blob.Hash(x)); ok {
				r.Stored[i] = 1
			}
		}
		out = r
	}
	if mrand.IntN(100) < h.breaks { // it was heard, and the answer is lost
		return nil, bus.ErrNoLink
	}
	return proto.Marshal(out)
}

// site is a branch with its files and the HQ it talks to.
type site struct {
	*Attach
	t     *testing.T
	hq    *hq
	order schema.RecordID
	clock struct {
		sync.Mutex
		ahead time.Duration
	}
}

func newSite(t *testing.T) *site {
	s := &site{t: t, hq: &hq{named: map[blob.Hash]bool{}, epoch: 7}}
	now := func() time.Time {
		s.clock.Lock()
		defer s.clock.Unlock()
		return time.Now().Add(s.clock.ahead)
	}
	st, err := store.Open(t.Context(), store.Config{Dir: t.TempDir(), Now: now, Rand: rand.Reader})
	must(t, err)
	t.Cleanup(func() { must(t, st.Close()) })
	must(t, st.Enrol(t.Context(), store.Enrolment{Identity: store.Identity{Branch: "b1", Entity: "e1", IDKey: []byte("k")}, Incarnation: 11, Epoch: 7}))
	files, err := blob.Open(t.TempDir(), now)
	must(t, err)
	s.hq.files, err = blob.Open(t.TempDir(), now)
	must(t, err)
	s.Attach, err = New(Config{Store: st, Files: files, Line: s.hq, Now: now, Log: slog.New(slog.DiscardHandler), Look: 2 * time.Millisecond})
	must(t, err)
	s.order = s.put(&branchlinev1.ServiceOrder{Branch: proto.String("b1"), Day: proto.String("2026-11-22")})
	return s
}

func (s *site) put(m proto.Message) schema.RecordID {
	s.t.Helper()
	r, err := s.c.Store.Put(s.t.Context(), store.Edit{Kind: schema.KindOfMessage(m).Kind, Actor: "zm", Role: branchlinev1.Role_ROLE_ADVISER, Message: m})
	must(s.t, err)
	return r.ID
}

func (s *site) pass(d time.Duration) {
	s.clock.Lock()
	defer s.clock.Unlock()
	s.clock.ahead += d
}

// keep takes a picture in.
func (s *site) keep(seed uint64) *Kept {
	s.t.Helper()
	img := image.NewGray(image.Rect(0, 0, 400, 300))
	r := mrand.New(mrand.NewPCG(seed, 1))
	for i := range img.Pix {
		img.Pix[i] = byte(r.Uint32())
	}
	var b bytes.Buffer
	must(s.t, jpeg.Encode(&b, img, nil))
	in, err := s.Receive(&b)
	must(s.t, err)
	k, err := s.Keep(s.t.Context(), in)
	must(s.t, errors.Join(err, in.Close()))
	return k
}

// name saves the attachment that names a file.
func (s *site) name(k *Kept) {
	s.t.Helper()
	s.put(&branchlinev1.Attachment{
		Order: proto.String(s.order.String()), Branch: proto.String("b1"), Day: proto.String("2026-11-22"), Role: branchlinev1.AttachmentRole_ATTACHMENT_PHOTO.Enum(),
		Hash: k.Hash[:], Size: proto.Int64(k.Size), ThumbHash: k.Thumb[:], ThumbSize: proto.Int64(k.ThumbSize), MediaType: proto.String(k.Type),
	})
	s.Named()
}

func (s *site) known(k *Kept) {
	s.hq.mu.Lock()
	defer s.hq.mu.Unlock()
	s.hq.named[k.Hash], s.hq.named[k.Thumb] = true, true
}

func (s *site) until(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("never came: %s", what)
		}
	}
}

// run starts the moving, and gives what ends it.
func (s *site) run() func() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		must(s.t, <-done)
	}
}

func (s *site) at(k *Kept) (file, thumb bool) {
	_, file = s.hq.files.Has(k.Hash)
	_, thumb = s.hq.files.Has(k.Thumb)
	return file, thumb
}

// Whatever the line loses, every file that is named comes to HQ whole and is known to be there, and none that is not
// named; and again, when HQ has lost it.
func TestUp_everythingNamedArrives(t *testing.T) {
	s := newSite(t)
	s.hq.breaks = 30
	defer s.run()()
	var all []*Kept
	for i := range 6 {
		k := s.keep(uint64(i))
		if i != 5 { // HQ never hears of the last one
			s.name(k)
			s.known(k)
			all = append(all, k)
		}
	}
	arrived := func() bool {
		_, _, waiting, err := s.c.Store.FileSums(t.Context())
		must(t, err)
		for _, k := range all {
			if f, th := s.at(k); !f || !th {
				return false
			}
		}
		return waiting == 2
	}
	s.until("all that is named is at HQ", arrived)
	for _, k := range all {
		must(t, s.hq.files.Check(k.Hash))
		must(t, s.hq.files.Check(k.Thumb))
	}
	s.hq.mu.Lock()
	must(t, s.hq.files.Erase(all[1].Hash))
	must(t, s.hq.files.Erase(all[3].Thumb))
	s.hq.epoch++
	s.hq.mu.Unlock()
	s.until("what HQ lost is there again", arrived)
}

// Thumbnails go before originals.
func TestUp_thumbnailsFirst(t *testing.T) {
	s := newSite(t)
	s.hq.down = true
	defer s.run()()
	var all []*Kept
	for i := range 4 {
		k := s.keep(uint64(20 + i))
		s.name(k)
		s.known(k)
		all = append(all, k)
	}
	s.hq.mu.Lock()
	s.hq.down = false
	s.hq.mu.Unlock()
	s.until("an original is at HQ", func() bool {
		for _, k := range all {
			if f, _ := s.at(k); f {
				return true
			}
		}
		return false
	})
	for _, k := range all {
		if _, thumb := s.at(k); !thumb {
			t.Error("an original came before a thumbnail")
		}
	}
}

// When there is nothing to hand up HQ is left alone.
func TestUp_restsWhenThereIsNothing(t *testing.T) {
	s := newSite(t)
	defer s.run()()
	k := s.keep(1)
	s.name(k)
	s.known(k)
	s.until("it is at HQ", func() bool { f, th := s.at(k); return f && th })
	s.until("it is known to be", func() bool { _, _, w, err := s.c.Store.FileSums(t.Context()); return err == nil && w == 0 })
	s.hq.mu.Lock()
	was := s.hq.puts
	s.hq.mu.Unlock()
	time.Sleep(50 * time.Millisecond) // some twenty looks; it cannot be waited for that nothing happens
	s.hq.mu.Lock()
	defer s.hq.mu.Unlock()
	if s.hq.puts != was {
		t.Errorf("%d more questions about nothing", s.hq.puts-was)
	}
}

func TestTidy_orphansGoNamedStay(t *testing.T) {
	s := newSite(t)
	orphan, named := s.keep(1), s.keep(2)
	s.name(named)
	here := func() string {
		return fmt.Sprint(s.Here(orphan.Hash), s.Here(orphan.Thumb), s.Here(named.Hash), s.Here(named.Thumb))
	}
	must(t, s.Tidy(t.Context()))
	if here() != "true true true true" {
		t.Fatalf("at once: %s", here())
	}
	if gone, err := s.Erase(t.Context(), named.Hash); gone || err != nil {
		t.Errorf("what is named is erased: %v %v", gone, err)
	}
	s.pass(25 * time.Hour)
	must(t, s.Tidy(t.Context()))
	if here() != "false false true true" {
		t.Errorf("after a day: %s", here())
	}
	s.pass(400 * 24 * time.Hour)
	must(t, s.Tidy(t.Context()))
	if here() != "false false true true" {
		t.Errorf("after a year: %s", here())
	}
	// One that the database does not know of, as after a restore, is known again.
	must(t, s.c.Store.ForgetFile(t.Context(), named.Hash))
	must(t, s.Tidy(t.Context()))
	if _, err := s.c.Store.FileOf(t.Context(), named.Hash); err != nil {
		t.Error(err)
	}
	if gone, err := s.Erase(t.Context(), orphan.Hash); !gone || err != nil {
		t.Errorf("%v %v", gone, err)
	}
}

// A file of another branch is fetched once for all who wait, and cleared away when nobody has looked at it for long.
func TestOpen_fetchesFromHQ(t *testing.T) {
	s := newSite(t)
	stop := s.run()
	file := make([]byte, 700_000)
	for i := range file {
		file[i] = byte(i * i >> 5)
	}
	h, err := s.hq.files.Put(file)
	must(t, err)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			f, n, err := s.Open(t.Context(), h, int64(len(file)))
			if err != nil || n != int64(len(file)) {
				t.Errorf("%d bytes: %v", n, err)
				return
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, _, err := s.Open(t.Context(), blob.HashOf([]byte("nobody's")), 8); !errors.Is(err, schema.ErrNotFound) {
		t.Errorf("nobody's: %v", err)
	}
	s.hq.mu.Lock()
	s.hq.down = true
	s.hq.mu.Unlock()
	if _, _, err := s.Open(t.Context(), blob.HashOf([]byte("nobody's")), 8); !errors.Is(err, schema.ErrUnavailable) {
		t.Errorf("cut off: %v", err)
	}
	stop()
	s.pass(40 * 24 * time.Hour)
	f, _, err := s.Open(t.Context(), h, int64(len(file))) // looked at: young again
	must(t, err)
	must(t, f.Close())
	s.pass(40 * 24 * time.Hour)
	must(t, s.Tidy(t.Context()))
	if !s.Here(h) {
		t.Error("gone though it was looked at")
	}
	s.pass(10 * 24 * time.Hour)
	must(t, s.Tidy(t.Context()))
	if s.Here(h) {
		t.Error("still there though nobody looked at it")
	}
	if _, _, err := s.Open(t.Context(), h, int64(len(file))); !errors.Is(err, schema.ErrUnavailable) {
		t.Errorf("fetched by what has ended: %v", err)
	}
}

// Files are not sent while changes wait, but a small piece now and then.
func TestWait_changesGoFirst(t *testing.T) {
	s := newSite(t)
	for name, c := range map[string]struct {
		st    link.Status
		quiet bool
	}{
		"quiet":           {link.Status{Phase: link.Open, Full: true, Sent: 5, Mark: 5}, true},
		"changes wait":    {link.Status{Phase: link.Open, Full: true, Sent: 6, Mark: 5}, false},
		"the feed is due": {link.Status{Phase: link.Open, Sent: 5, Mark: 5}, false},
		"a whole pass":    {link.Status{Phase: link.Open, Full: true, FullPass: true}, false},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 120*time.Millisecond)
		s.c.Line = fixed{c.st}
		got := s.wait(ctx, &pace{maxPiece}, true)
		if (got == maxPiece) != c.quiet || (ctx.Err() == nil) != c.quiet {
			t.Errorf("%s: a piece of %d, after waiting: %v", name, got, ctx.Err())
		}
		cancel()
	}
	p := &pace{64 << 10}
	p.took(time.Second)
	if p.piece != 32<<10 {
		t.Errorf("after a slow piece: %d", p.piece)
	}
	for range 10 {
		p.took(time.Millisecond)
	}
	if p.piece != maxPiece {
		t.Errorf("on a quick line: %d", p.piece)
	}
}

type fixed struct{ s link.Status }

func (f fixed) Link() link.Status                                   { return f.s }
func (f fixed) Ask(context.Context, string, []byte) ([]byte, error) { return nil, bus.ErrNoLink }
