//go:build linux

package soak

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// disk is a tmpfs of its own, made without any privilege: a process in user and
// mount namespaces of its own keeps it. Sites on it run in there too; the tests
// reach its files through that process.
type disk struct {
	pid int
	at  string // the folder as those in there see it
	dir string // the folder as the tests see it
}

func newDisk(t *testing.T, mb int) *disk {
	t.Helper()
	for _, tool := range []string{"unshare", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			need(t, "tmpfs", err.Error())
		}
	}
	d := &disk{at: t.TempDir()}
	cmd := exec.Command("unshare", "-rm", "sh", "-c", fmt.Sprintf(`mount -t tmpfs -o size=%dm,mode=700 t "$0" && echo mounted && exec cat`, mb), d.at)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		need(t, "tmpfs", err.Error())
	}
	word := make([]byte, len("mounted\n"))
	if _, err := io.ReadFull(out, word); err != nil {
		err = cmd.Wait()
		need(t, "tmpfs", fmt.Sprintf("%v: %s", err, strings.TrimSpace(said.String())))
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Error(err)
		}
	})
	d.pid = cmd.Process.Pid
	d.dir = filepath.Join(fmt.Sprintf("/proc/%d/root", d.pid), d.at)
	if st := d.stat(t); st.Bsize*int64(st.Blocks) != int64(mb)<<20 {
		need(t, "tmpfs", "it is not reached through /proc")
	}
	if out, err := d.command("true").CombinedOutput(); err != nil {
		need(t, "tmpfs", fmt.Sprintf("nsenter: %v: %s", err, out))
	}
	return d
}

// command runs a program where the disk is.
func (d *disk) command(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"-t", strconv.Itoa(d.pid), "-U", "-m", "--preserve-credentials", "--", name}, args...)...)
}

func (d *disk) stat(t *testing.T) (st syscall.Statfs_t) {
	t.Helper()
	if err := syscall.Statfs(d.dir, &st); err != nil {
		need(t, "tmpfs", err.Error())
	}
	return st
}

// fill takes all there is but so many bytes. The file it does so with is to be removed.
func (d *disk) fill(t *testing.T, left int64) (ballast string) {
	t.Helper()
	ballast = filepath.Join(d.dir, "ballast")
	st := d.stat(t)
	err := os.WriteFile(ballast, make([]byte, max(0, int64(st.Bavail)*st.Bsize-left)), 0o600)
	if err != nil && !errors.Is(err, syscall.ENOSPC) { // others write too
		t.Fatal(err)
	}
	return ballast
}

// on puts a site not yet started on a disk; nil: where it is.
func (s *site) on(d *disk) {
	if d != nil {
		s.disk, s.dir = d, filepath.Join(d.dir, s.name)
	}
}

// A branch's disk fills up while people work. What was saved stays saved, the clerk
// is told why the next edit is not, everything can be read, and with room again work
// goes on, through a restart too.
func TestDisk_BranchFull(t *testing.T) {
	g := newGroup(t, 1)
	d := newDisk(t, 24)
	b := g.add("b2", "e1", d)
	g.put(t, "one", b, 2)
	ballast := d.fill(t, 600<<10)
	c := b.calls()
	var err error
	for i := 0; err == nil; i++ {
		if i > 5000 {
			t.Fatal("the disk is never full")
		}
		text := fmt.Sprintf("note %d %s", i, strings.Repeat("长", 600))
		want := &branchlinev1.Note{Text: proto.String(text)}
		var r *branchlinev1.Record
		r, err = c.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: &branchlinev1.Record{Body: &branchlinev1.Record_Note{Note: want}}})
		if err == nil {
			_, err := g.book.made(r, want, code(b))
			g.must(err)
		}
	}
	if !errors.Is(err, schema.ErrExhausted) || !strings.Contains(err.Error(), "disk") {
		t.Errorf("the clerk is told: %v", err)
	}
	if r, err := c.Records.ListRecords(t.Context(), &branchlinev1.ListRecordsRequest{Collection: "notes", PageSize: 100}); err != nil || len(r.GetRecords()) == 0 {
		t.Errorf("nothing can be read: %v", err)
	}
	if !b.running() {
		t.Fatal("the branch has ended")
	}
	// A restart with a full disk: it works or says why not.
	b.kill()
	err = b.tryStart(nil)
	until(t, "the branch serves or ends", func() (bool, string) {
		_, err := b.line(t.Context())
		return err == nil || !b.running(), fmt.Sprint(err)
	})
	t.Logf("started again on a full disk it runs: %t (%v)", b.running(), err)
	g.must(os.Remove(ballast))
	if !b.running() {
		b.start()
	}
	g.put(t, "two", b, 2)
	g.audit()
}

// Headquarters' disk fills up. The branches work on, and with room again all of it
// arrives.
func TestDisk_HeadquartersFull(t *testing.T) {
	d := newDisk(t, 48)
	g := newGroupOn(t, d, 2)
	l := g.run("full", g.all...)
	l.pass(40)
	ballast := d.fill(t, 0)
	l.pass(400)
	if g.hq.running() {
		t.Log("headquarters runs on")
	} else {
		t.Log("headquarters has ended")
	}
	line, err := g.all[0].line(t.Context())
	g.must(err)
	if line.GetSaved()+line.GetAtDoor() == 0 {
		t.Error("headquarters' disk was never full")
	}
	g.must(os.Remove(ballast))
	if !g.hq.running() {
		g.startHQ()
	}
	l.pass(40)
	l.stop()
	g.audit()
}

// From some moment on the disk of a site takes nothing for good: every fsync fails.
// Nothing is acknowledged then, and after a kill and with a whole disk nothing that
// was acknowledged is missing or there twice.
func TestDisk_FsyncFails(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 1)
	for _, s := range []*site{g.all[0].site, g.hq} {
		failing := []string{"strace", "-D", "-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO:when=40+"}
		if out, err := exec.Command(failing[0], append(failing[1:len(failing):len(failing)], "true")...).CombinedOutput(); err != nil {
			t.Skipf("no strace: %v: %s", err, out)
		}
		l := g.runLoad(&load{g: g, stubborn: true}, "fsync-"+s.name, g.all...)
		l.pass(20)
		s.kill()
		s.under = failing
		s.start()
		g.cables()
		until(t, "an fsync fails", func() (bool, string) { return strings.Contains(s.said.String(), "I/O error"), tail(s.said.String()) })
		if s == g.hq {
			l.pass(50) // the branch works on
		} else {
			// The counter is of each thread: nothing is saved once all have reached it.
			for last := int64(-1); last != l.acks.Load(); {
				last = l.acks.Load()
				quiet := time.NewTimer(time.Second)
				<-quiet.C
			}
		}
		// It must not say "saved" again on what the system keeps of its files: it ends, and says why.
		until(t, s.name+" ends by itself", func() (bool, string) { return !s.running(), tail(s.said.String()) })
		if !strings.Contains(s.said.String(), "the disk has failed") {
			t.Errorf("%s has ended and says: %s", s.name, tail(s.said.String()))
		}
		s.kill()
		s.under = nil
		s.start()
		g.cables()
		l.pass(20)
		l.stop()
	}
	g.audit()
}

func sums(t *testing.T, dir string) map[string][sha256.Size]byte {
	t.Helper()
	out := map[string][sha256.Size]byte{}
	list, err := filepath.Glob(filepath.Join(dir, "*.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range list {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(path)] = sha256.Sum256(b)
	}
	return out
}

// A damaged database is refused in words a person can act on, and left as it is.
func TestDamage_Refused(t *testing.T) {
	g := newGroup(t, 1)
	b := g.all[0]
	g.put(t, "one", b, 3)
	g.settled()
	b.stop()
	g.hq.stop()
	for _, s := range []struct {
		of   *site
		file string
	}{{b.site, "branch.db"}, {g.hq, "hq.db"}} {
		whole := g.copyOf(s.of)
		for _, row := range []struct {
			name string
			harm func(b []byte) []byte
		}{
			{"the first page flipped", func(b []byte) []byte { return flip(b, 0, 64) }},
			{"the schema page's cells flipped", func(b []byte) []byte { return flip(b, 100, 64) }},
			{"every fourth page flipped", func(b []byte) []byte {
				for i := 4096; i+4096 <= len(b); i += 4 * 4096 {
					flip(b, i, 100)
				}
				return b
			}},
			{"cut off in the middle", func(b []byte) []byte { return b[:len(b)/2/4096*4096+100] }},
			{"another kind of file", func([]byte) []byte { return bytes.Repeat([]byte("not a database. "), 4096) }},
		} {
			t.Run(s.of.name+" "+row.name, func(t *testing.T) {
				path := filepath.Join(s.of.dir, s.file)
				g.putBack(whole, s.of)
				raw, err := os.ReadFile(path)
				g.must(err)
				g.must(os.WriteFile(path, row.harm(raw), 0o600))
				before := sums(t, s.of.dir)
				err = s.of.tryStart(nil)
				if err == nil {
					s.of.kill()
					t.Fatal("it starts")
				}
				if !strings.Contains(err.Error(), "exit status 1") || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), "restore") {
					t.Errorf("it says: %v", err)
				}
				after := sums(t, s.of.dir)
				for name, sum := range before {
					if after[name] != sum {
						t.Errorf("%s was changed", name)
					}
				}
			})
		}
		g.putBack(whole, s.of)
	}
	g.startHQ()
	b.start()
	g.put(t, "two", b, 1)
	g.audit()
}

func flip(b []byte, at, n int) []byte {
	for i := range n {
		b[at+i] ^= 0xa5
	}
	return b
}
