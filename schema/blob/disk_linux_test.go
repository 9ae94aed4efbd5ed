package blob

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"branchline/schema"
)

// On a disk that is full: a clear answer, nothing half done, all that was said to be stored still whole, and work goes on
// when there is room. The disk is a tmpfs of two megabytes in namespaces of its own.
func TestStore_FullDisk(t *testing.T) {
	if dir := os.Getenv("BLOB_DISK"); dir != "" {
		fullDisk(t, dir)
		return
	}
	dir := t.TempDir()
	c := exec.Command("unshare", "-rm", "sh", "-c", `mount -t tmpfs -o size=2m,mode=700 t "$0" && echo mounted && exec "$1" -test.run='^TestStore_FullDisk$' -test.v`, dir, os.Args[0])
	c.Env = append(os.Environ(), "BLOB_DISK="+dir)
	out, err := c.CombinedOutput()
	if !strings.Contains(string(out), "mounted") {
		why := fmt.Sprintf("a disk of its own cannot be mounted here: %v: %s", err, out)
		if slices.Contains(strings.Split(os.Getenv("BRANCHLINE_REQUIRE"), ","), "tmpfs") {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	if err != nil || !strings.Contains(string(out), "the disk was full") {
		t.Errorf("%v\n%s", err, out)
	}
}

func fullDisk(t *testing.T, dir string) {
	s, err := Open(dir, time.Now)
	must(t, err)
	// With room kept for the database nothing is taken at all.
	if _, err := s.Put(noise(100, 1)); !errors.Is(err, schema.ErrExhausted) {
		t.Errorf("into the room of the database: %v", err)
	}
	s.spare = 0
	var stored []Hash
	for i := uint64(0); ; i++ {
		h, err := s.Put(noise(150_000, i))
		if errors.Is(err, schema.ErrExhausted) {
			break
		}
		must(t, err)
		if stored = append(stored, h); len(stored) > 20 {
			t.Fatal("the disk is never full")
		}
	}
	t.Log("the disk was full")
	file := noise(400_000, 99)
	h := HashOf(file)
	next, whole, err := s.Take("b1", h, int64(len(file)), 0, file[:300_000])
	if !errors.Is(err, schema.ErrExhausted) || next != 0 || whole {
		t.Errorf("a piece on a full disk: %d %v %v", next, whole, err)
	}
	if _, err := s.Receive(strings.NewReader(strings.Repeat("x", 1<<20))); !errors.Is(err, schema.ErrExhausted) {
		t.Errorf("handed in on a full disk: %v", err)
	}
	for _, h := range stored {
		must(t, s.Check(h))
	}
	left, err := os.ReadDir(s.part(""))
	must(t, err)
	for _, e := range left {
		if strings.HasPrefix(e.Name(), tmpPrefix) {
			t.Errorf("left behind: %s", e.Name())
		}
	}
	for _, h := range stored[:4] {
		must(t, s.Erase(h))
	}
	if next, whole, err = s.Take("b1", h, int64(len(file)), 0, file); err != nil || !whole {
		t.Errorf("with room again: %d %v %v", next, whole, err)
	}
	must(t, s.Check(h))
}
