package link

import (
	"context"
	"testing"
	"time"

	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// A page in a poke spares the asking: one pull after the hello, none for what comes later.
func TestPush_SparesThePull(t *testing.T) {
	w := newWorld(t, 1)
	w.hq.pushes = true
	w.up()
	w.run(time.Second)
	for i := range 9 {
		w.hq.elsewhere(i)
		w.hqWorks()
		w.run(100 * time.Millisecond)
	}
	if w.hq.pulls != 1 || w.core.Status().Pushed != 9 || len(w.store.rows) != 9 || w.hq.referred != 9 {
		t.Errorf("%d pulls, %d pages in pokes (%d without marks), %d records", w.hq.pulls, w.core.Status().Pushed, w.hq.referred, len(w.store.rows))
	}
	w.write(3) // its own: the marks move
	w.run(10 * time.Second)
	w.healed(3)
	if s := w.core.Status(); s.Hellos != 1 || s.BadWords != 0 || s.HQRev != w.hq.rev {
		t.Errorf("%+v", s)
	}
}

// What does not begin exactly at the cursor, is for another run or cannot be read is a poke like any other.
func TestPush_CountsOnlyAtTheCursor(t *testing.T) {
	for name, spoil := range map[string]func(w *world, p *wirev1.Poke){
		"from another rev":    func(_ *world, p *wirev1.Poke) { p.From++ },
		"from an earlier rev": func(_ *world, p *wirev1.Poke) { p.From-- },
		"for another run":     func(w *world, p *wirev1.Poke) { p.Boot = []byte{w.core.cfg.Boot[0] ^ 1} },
		"for nobody":          func(_ *world, p *wirev1.Poke) { p.Boot = nil },
		"unreadable":          func(_ *world, p *wirev1.Poke) { p.Page = []byte("z?") },
		"not full": func(w *world, p *wirev1.Poke) {
			w.spoil(p, func(pg *wirev1.Page) { pg.Full = false })
		},
		"other marks": func(w *world, p *wirev1.Poke) {
			w.spoil(p, func(pg *wirev1.Page) { pg.Marks, pg.MarksSum = nil, []byte("whatever") })
		},
		"older than it says": func(w *world, p *wirev1.Poke) {
			w.spoil(p, func(pg *wirev1.Page) { pg.HqRev, pg.LastRev = 1, 1 })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			w.hq.pushes = true
			w.up()
			w.run(time.Second)
			w.hq.elsewhere(0)
			w.hq.elsewhere(1)
			w.hqWorks()
			w.run(100 * time.Millisecond)
			w.hq.elsewhere(2)
			p := w.hq.poke()
			if len(p.GetPage()) == 0 {
				t.Fatal("no page to spoil")
			}
			spoil(w, p)
			pages, pulls := w.core.Status().Pushed, w.hq.pulls
			w.core.OnPoke(context.Background(), w.now, mustMarshal(p))
			if w.core.Status().Pushed != pages {
				t.Error("the page was applied")
			}
			w.run(time.Second)
			if w.hq.pulls != pulls+1 || len(w.store.rows) != 3 || w.core.Status().Hellos != 1 {
				t.Errorf("%d pulls, %d records, %d hellos", w.hq.pulls-pulls, len(w.store.rows), w.core.Status().Hellos)
			}
		})
	}
}

// A poke that comes twice, late, or while a page is under way changes nothing but the number of pulls.
func TestPush_TwiceAndWhileAPageIsUnderWay(t *testing.T) {
	w := newWorld(t, 1)
	w.hq.pushes = true
	w.up()
	w.run(time.Second)
	w.hq.elsewhere(0)
	first := mustMarshal(w.hq.poke())
	w.core.OnPoke(context.Background(), w.now, first)
	w.core.OnPoke(context.Background(), w.now, first)
	w.core.pull(context.Background())
	w.hq.elsewhere(1)
	second := mustMarshal(w.hq.poke())
	w.core.OnPoke(context.Background(), w.now, second)
	w.hq.elsewhere(2)
	third := mustMarshal(w.hq.poke())
	w.core.OnPoke(context.Background(), w.now, third)
	w.core.OnPoke(context.Background(), w.now, first)
	w.run(time.Second)
	if s := w.core.Status(); len(w.store.rows) != 3 || !s.Full || s.Hellos != 1 || s.Cursor != w.hq.rev {
		t.Errorf("%d records, %+v", len(w.store.rows), s)
	}
}

// A full pass takes nothing from pokes: what it has not shown by its end is swept.
func TestPush_NotInAFullPass(t *testing.T) {
	w := newWorld(t, 1)
	w.hq.pushes = true
	w.up()
	w.run(time.Second)
	w.hq.elsewhere(0)
	p := w.hq.poke()
	if err := w.core.Refetch(context.Background(), w.now); err != nil {
		t.Fatal(err)
	}
	p.From = 0
	w.core.OnPoke(context.Background(), w.now, mustMarshal(p))
	if w.core.Status().Pushed != 0 {
		t.Error("the page was applied")
	}
	w.run(time.Second)
	if s := w.core.Status(); len(w.store.rows) != 1 || s.FullPass {
		t.Errorf("%d records, %+v", len(w.store.rows), s)
	}
}

// spoil changes the page in a poke.
func (w *world) spoil(p *wirev1.Poke, f func(*wirev1.Page)) {
	pg, err := DecodePage(w.codec, p.GetPage())
	if err != nil {
		w.t.Fatal(err)
	}
	f(pg)
	if p.Page, err = EncodePage(w.codec, pg, PageForm); err != nil {
		w.t.Fatal(err)
	}
}
