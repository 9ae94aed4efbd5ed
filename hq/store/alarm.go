package store

import (
	stdsql "database/sql"
	"fmt"

	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// What an alarm is about.
const (
	AlarmBadPack    = "bad_pack"    // unsigned, forged or unreadable
	AlarmSideBranch = "side_branch" // the branch's chain is not HQ's
	AlarmClone      = "clone"       // two machines answer as one branch
	AlarmFalseAck   = "false_ack"   // the branch counts on an acknowledgement HQ never gave
	AlarmRefused    = "refused"     // a hello that was refused
	AlarmToken      = "token"       // a used token tried with another key
	AlarmRestored   = "restored"    // HQ was put back from a copy
	AlarmSuperseded = "superseded"  // another copy of HQ has taken over
	AlarmClock      = "clock"       // the branch's clock is far off
	AlarmDisk       = "disk"        // the branch's disk is nearly full
	AlarmGroup      = "group"       // a group of records too large to be one
	AlarmSwallows   = "swallows"    // a group of customers that looks as if it swallowed several parties
)

// Alarm is something a person should know of.
type Alarm struct {
	N      int64
	Branch int32 // HQNum: headquarters itself
	What   string
	Text   string
	At     int64 // unix ms, first seen
}

// Alarm raises an alarm, or renews the text of one that stands.
func (w *W) Alarm(branch int32, what, text string) error {
	res, err := w.Exec("UPDATE alarm SET text = $1 WHERE branch = $2 AND what = $3 AND until = 0", text, branch, what)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return err
	}
	w.s.log.Warn("alarm", "branch", branchCode(w.BranchNum(branch)), "what", what, "text", text)
	_, err = w.Exec("INSERT INTO alarm (branch, what, text, at) VALUES ($1, $2, $3, $4)", branch, what, text, w.Clock())
	return err
}

func branchCode(b *Branch) string {
	if b == nil {
		return ""
	}
	return string(b.Code)
}

// Quiet ends an alarm.
func (w *W) Quiet(branch int32, what string) error {
	_, err := w.Exec("UPDATE alarm SET until = $1 WHERE branch = $2 AND what = $3 AND until = 0", w.Clock(), branch, what)
	return err
}

// Alarms are the alarms that stand, oldest first.
func Alarms(r Reader) ([]Alarm, error) {
	var out []Alarm
	err := r.Each("SELECT n, branch, what, text, at FROM alarm WHERE until = 0 ORDER BY n", nil, func(rows *stdsql.Rows) error {
		var a Alarm
		if err := rows.Scan(&a.N, &a.Branch, &a.What, &a.Text, &a.At); err != nil {
			return fmt.Errorf("hq/store: read alarms: %w", err)
		}
		out = append(out, a)
		return nil
	})
	return out, err
}

// Open tells whether changes of the branch are taken and the feed is given: its
// last hello was answered so, and nothing has happened since.
func (b *Branch) Open() bool { return b.Gate == wirev1.Gate_OPEN && !b.MustHello }

// SetSuperseded notes that a restored copy of this HQ has taken over: nothing is
// taken and nothing given until a person says otherwise (false).
func (w *W) SetSuperseded(yes bool) error {
	v := []byte{0}
	if yes {
		v[0] = 1
	}
	w.After(func() { w.s.superseded.Store(yes) })
	return w.SetSite("superseded", v)
}

// Superseded tells what SetSuperseded noted.
func (s *Store) Superseded() bool { return s.superseded.Load() }

// GoOnNext notes a person's word that this headquarters is to stay although a
// restored copy has taken over. Until the next start nothing changes: the epoch
// that runs is one the branches have seen another grow out of.
func (w *W) GoOnNext() error { return w.SetSite("go_on", []byte{1}) }

// begun reads what is known of the site itself: whether a restored copy has taken
// over (GoOnNext is obeyed), and what the group is called.
func (w *W) begun() error {
	v, err := SiteValue(w, "superseded")
	if err != nil {
		return err
	}
	goOn, err := SiteValue(w, "go_on")
	if err != nil {
		return err
	}
	yes := len(v) == 1 && v[0] == 1
	if yes && len(goOn) == 1 && goOn[0] == 1 {
		yes = false
		if err := w.Quiet(HQNum, AlarmSuperseded); err != nil {
			return err
		}
		if err := w.SetSite("superseded", []byte{0}); err != nil {
			return err
		}
	}
	w.s.superseded.Store(yes)
	b, err := SiteValue(w, "group")
	if err != nil {
		return err
	}
	group := string(b)
	w.s.group.Store(&group)
	return w.SetSite("go_on", []byte{0})
}

// Group is what the dealer group is called; "" when nobody has said.
func (s *Store) Group() string {
	if name := s.group.Load(); name != nil {
		return *name
	}
	return ""
}

// SetGroup keeps what the dealer group is called.
func (w *W) SetGroup(name string) error {
	w.After(func() { w.s.group.Store(&name) })
	return w.SetSite("group", []byte(name))
}

// SetSite keeps a small thing of the site by name.
func (w *W) SetSite(name string, value []byte) error {
	_, err := w.Exec("INSERT INTO site (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
	return err
}

// SiteValue reads it; nil when it was never set.
func SiteValue(r Reader, name string) ([]byte, error) {
	var v []byte
	_, err := r.Scan("SELECT value FROM site WHERE name = $1", []any{name}, &v)
	return v, err
}
