package blob

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"branchline/schema"
)

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir(), time.Now)
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func noise(n int, seed uint64) []byte {
	r, b := rand.New(rand.NewPCG(seed, 1)), make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// In whatever order pieces come, twice or not at all, with the process killed between them: what bears the name in the
// end is the file, and nothing bears it before.
func TestTake_AnyOrderGivesTheFile(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		file := noise(rapid.IntRange(1, 5000).Draw(t, "size"), rapid.Uint64().Draw(t, "seed"))
		h := HashOf(file)
		s, err := Open(dir, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Erase(h); err != nil {
				t.Fatal(err)
			}
		}()
		size := int64(len(file))
		next, whole := int64(0), false
		for steps := 0; !whole; steps++ {
			if rapid.IntRange(0, 9).Draw(t, "killed") == 0 {
				if s, err = Open(dir, time.Now); err != nil {
					t.Fatal(err)
				}
			}
			from := next
			// The longer it takes, the more often the right piece comes.
			if steps < 50 && rapid.Bool().Draw(t, "elsewhere") {
				from = rapid.Int64Range(0, size).Draw(t, "from")
			}
			n := rapid.Int64Range(0, min(size-from, 700)).Draw(t, "n")
			if steps >= 50 {
				n = min(size-from, 700)
			}
			was := next
			next, whole, err = s.Take("b1", h, size, from, file[from:from+n])
			if err != nil {
				t.Fatal(err)
			}
			if want := was + n; from == was && next != want || from != was && next != was {
				t.Fatalf("a piece of %d at %d after %d: %d", n, from, was, next)
			}
			if _, ok := s.Has(h); ok != whole || whole && next != size {
				t.Fatalf("whole %v, has %v, %d of %d", whole, ok, next, size)
			}
		}
		f, n, err := s.Open(h)
		if err != nil || n != size {
			t.Fatal(n, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTake_OfSomethingElse(t *testing.T) {
	s := newStore(t)
	file := noise(1000, 7)
	h := HashOf(file)
	if _, _, err := s.Take("b1", h, 1000, 0, file[:500]); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Take("b1", h, 1000, 500, file[:500]); !errors.Is(err, schema.ErrInvalid) {
		t.Fatalf("pieces of another file: %v", err)
	}
	if next, whole, err := s.Take("b1", h, 1000, 0, nil); next != 0 || whole || err != nil {
		t.Errorf("what was wrong is still there: %d %v %v", next, whole, err)
	}
	// Another sender's bad pieces do not disturb.
	if _, _, err := s.Take("b2", h, 1000, 0, noise(999, 8)); err != nil {
		t.Fatal(err)
	}
	if next, whole, err := s.Take("b1", h, 1000, 0, file); next != 1000 || !whole || err != nil {
		t.Errorf("%d %v %v", next, whole, err)
	}
	if _, _, err := s.Take("b1", h, MaxFile+1, 0, nil); !errors.Is(err, schema.ErrTooLarge) {
		t.Errorf("a file above the limit: %v", err)
	}
	must(t, s.Erase(h))
	left, err := os.ReadDir(s.part(""))
	if err != nil || len(left) != 0 {
		t.Errorf("after erasure there is still %v (%v)", left, err)
	}
}

func TestPut_ReadEraseDamage(t *testing.T) {
	s := newStore(t)
	file := noise(100_000, 1)
	h, err := s.Put(file)
	must(t, err)
	for range 2 {
		if again, err := s.Put(file); again != h || err != nil {
			t.Fatal(again, err)
		}
	}
	if b, size, err := s.Read(h, 99_990, 100); !bytes.Equal(b, file[99_990:]) || size != 100_000 || err != nil {
		t.Errorf("%d bytes of %d: %v", len(b), size, err)
	}
	if _, _, err := s.Read(h, 100_001, 1); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("beyond the end: %v", err)
	}
	bad := bytes.Clone(file)
	bad[5]++
	must(t, os.WriteFile(s.path(h), bad, 0o600))
	if err := s.Check(h); !errors.Is(err, schema.ErrNotFound) {
		t.Errorf("a damaged file is read: %v", err)
	}
	if _, ok := s.Has(h); ok {
		t.Error("a damaged file counts as there")
	}
	if _, err := os.Stat(s.part(badPrefix + h.String())); err != nil {
		t.Errorf("a damaged file is gone: %v", err)
	}
	if _, err := s.Put(file); err != nil {
		t.Fatal(err)
	}
	must(t, s.Check(h))
	must(t, os.WriteFile(s.path(h), bad, 0o600))
	if _, err := s.Put(file); err != nil {
		t.Fatal(err)
	}
	must(t, s.Check(h)) // put over a damaged one
	must(t, s.Erase(h))
	must(t, s.Erase(h))
	if err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("erased, but there is %s", path)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if _, err := s.Put(make([]byte, MaxFile+1)); !errors.Is(err, schema.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if _, err := s.Receive(bytes.NewReader(make([]byte, MaxFile+1))); !errors.Is(err, schema.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func TestEraseOlder_SparesWhatIsNamedOrYoung(t *testing.T) {
	now := time.Now()
	s, err := Open(t.TempDir(), func() time.Time { return now })
	must(t, err)
	h, err := s.Put([]byte("an orphan"))
	must(t, err)
	erase := func(before time.Time, free bool) bool {
		t.Helper()
		gone, err := s.EraseOlder(h, before, func() (bool, error) { return free, nil })
		must(t, err)
		return gone
	}
	if erase(now.Add(-time.Hour), true) {
		t.Error("a young one is gone")
	}
	now = now.Add(2 * time.Hour)
	if erase(now.Add(-time.Hour), false) {
		t.Error("a named one is gone")
	}
	if _, err := s.Put([]byte("an orphan")); err != nil { // handed in again: young again
		t.Fatal(err)
	}
	if erase(now.Add(-time.Hour), true) {
		t.Error("one handed in again is gone")
	}
	now = now.Add(2 * time.Hour)
	if !erase(now.Add(-time.Hour), true) {
		t.Error("an orphan is still there")
	}
}

func TestCopyInto_AndTakeBack(t *testing.T) {
	s := newStore(t)
	var all []Hash
	for i := range 20 {
		h, err := s.Put(noise(100+i, uint64(i)))
		must(t, err)
		all = append(all, h)
	}
	to := filepath.Join(t.TempDir(), "x.blobs")
	for range 2 { // again is no error
		if n, _, err := s.CopyInto(to); n != 20 || err != nil {
			t.Fatal(n, err)
		}
	}
	other := newStore(t)
	// The copy and the original are one file, where the disk allows: what spoils one is seen at the other.
	spoiled := filepath.Join(to, all[3].String()[:2], all[3].String()[2:])
	must(t, os.Remove(spoiled))
	must(t, os.WriteFile(spoiled, []byte("spoiled"), 0o600))
	n, bad, err := other.TakeBack(to)
	if n != 19 || len(bad) != 1 || bad[0] != all[3] || err != nil {
		t.Fatalf("%d taken back, bad %v: %v", n, bad, err)
	}
	for _, h := range all {
		if err := other.Check(h); (err == nil) == (h == all[3]) {
			t.Errorf("%s: %v", h, err)
		}
	}
}

// A process that is killed at any moment: whatever it had been told is stored is whole, whatever bears a name is whole,
// and what it left half done is gone after the next start.
func TestPut_Killed(t *testing.T) {
	if dir := os.Getenv("BLOB_KILLED"); dir != "" {
		s, err := Open(dir, time.Now)
		must(t, err)
		for i := uint64(0); ; i++ {
			h, err := s.Put(noise(50_000+int(i%7), i+uint64(os.Getpid())<<20))
			must(t, err)
			fmt.Println("stored", h)
		}
	}
	dir := t.TempDir()
	stored := 0
	for range 4 {
		c := exec.Command(os.Args[0], "-test.run=^TestPut_Killed$")
		c.Env = append(os.Environ(), "BLOB_KILLED="+dir)
		out, err := c.StdoutPipe()
		must(t, err)
		must(t, c.Start())
		var told []Hash
		in := bufio.NewScanner(out)
		for in.Scan() {
			if x, ok := strings.CutPrefix(in.Text(), "stored "); ok {
				b, err := hex.DecodeString(x)
				must(t, err)
				told = append(told, Hash(b))
			}
			if len(told) == 10 {
				must(t, c.Process.Kill())
			}
		}
		if err := c.Wait(); err == nil {
			t.Fatal("was not killed")
		}
		s, err := Open(dir, time.Now)
		must(t, err)
		for _, h := range told {
			must(t, s.Check(h))
		}
		must(t, s.Each(func(i Info) error { stored++; return s.Check(i.Hash) }))
		left, err := os.ReadDir(s.part(""))
		if err != nil || len(left) != 0 {
			t.Errorf("left half done: %v (%v)", left, err)
		}
	}
	if stored < 40 {
		t.Errorf("%d stored: the processes did nothing", stored)
	}
}
