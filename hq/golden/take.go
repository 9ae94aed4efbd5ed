package golden

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"strings"

	"branchline/hq/match"
	"branchline/hq/store"
	"branchline/schema"
)

// Phases of taking a model.
const (
	phaseDone   = 0
	phasePairs  = 1 // keys and pairs of all customers; their groups stay as they are
	phaseGroups = 2
)

// States of a model.
const (
	stateUsed     = "used"
	stateProposed = "proposed"
	stateFormer   = "former"
)

// sweep is how many record numbers one step of taking a model passes.
const sweep = 2 * atOnce

// state is the one row of match_state.
type state struct {
	model string
	phase int
	at    int64
}

func readState(r store.Reader) (state, error) {
	var s state
	_, err := r.Scan("SELECT model, phase, at FROM match_state WHERE one = 1", nil, &s.model, &s.phase, &s.at)
	return s, err
}

func setState(w *store.W, s state) error {
	_, err := w.Exec("UPDATE match_state SET model = $1, phase = $2, at = $3 WHERE one = 1", s.model, s.phase, s.at)
	return err
}

// begin gives the model in use. At first it is the program's own; where that has become
// another with the program, it is taken. The caller works.
func (g *Golden) begin(ctx context.Context) (*match.Model, error) {
	if m := g.inUse.Load(); m != nil {
		return m, nil
	}
	var m *match.Model
	err := g.st.Read(ctx, func(r *store.R) (err error) {
		m, err = g.load(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	if m == nil {
		if m, err = g.base(); err != nil {
			return nil, err
		}
		err = g.st.Write(ctx, func(w *store.W) error {
			_, err := w.Exec("INSERT INTO match_model (version, state, made, taken, records, summary) VALUES ($1, $2, 0, $3, 0, $4) ON CONFLICT (version) DO UPDATE SET body = NULL",
				m.Version(), stateProposed, w.Clock(), strings.Join(m.Summary(), "\n"))
			if err != nil {
				return err
			}
			if err := take(w, m.Version()); err != nil || w.Swept() > 0 {
				return err
			}
			return setState(w, state{m.Version(), phaseDone, 0}) // all are new
		})
		if err != nil {
			return nil, err
		}
	}
	g.inUse.Store(m)
	return m, nil
}

// load reads the model in use; nil where there is none yet, or it was a former program's own.
func (g *Golden) load(r store.Reader) (*match.Model, error) {
	s, err := readState(r)
	if err != nil || s.model == "" {
		return nil, err
	}
	return g.version(r, s.model)
}

// version reads a model; nil where there is none such, or it was a former program's own.
func (g *Golden) version(r store.Reader, version string) (*match.Model, error) {
	var body []byte
	found, err := r.Scan("SELECT body FROM match_model WHERE version = $1", []any{version}, &body)
	if err != nil || !found {
		return nil, err
	}
	if body != nil {
		return match.Load(body)
	}
	m, err := g.base()
	if err != nil || m.Version() != version {
		return nil, err
	}
	return m, nil
}

// take puts a model in use: all keys and pairs are made anew from here on.
func take(w *store.W, version string) error {
	for _, t := range []string{"match_node", "match_key", "match_crowd", "match_row", "match_edge"} {
		if _, err := w.Exec("DELETE FROM " + t); err != nil {
			return err
		}
	}
	if _, err := w.Exec("UPDATE match_model SET state = $1 WHERE state = $2", stateFormer, stateUsed); err != nil {
		return err
	}
	if _, err := w.Exec("UPDATE match_model SET state = $1, taken = $2 WHERE version = $3", stateUsed, w.Clock(), version); err != nil {
		return err
	}
	return setState(w, state{version, phasePairs, 0})
}

// Take puts a model in use. The groups follow behind the line, and Catch waits for them.
// One that is in use already stays so. ErrNotFound for an unknown version.
func (g *Golden) Take(ctx context.Context, version string) error {
	if err := g.lock(ctx); err != nil {
		return err
	}
	defer g.unlock()
	now, err := g.begin(ctx)
	if err != nil {
		return fmt.Errorf("hq/golden: take: %w", err)
	}
	if now.Version() == version {
		return nil
	}
	var m *match.Model
	err = g.st.Write(ctx, func(w *store.W) (err error) {
		if m, err = g.version(w, version); err != nil {
			return err
		}
		if m == nil {
			return fmt.Errorf("model %s: %w", version, schema.ErrNotFound)
		}
		return take(w, version)
	})
	if err != nil {
		return fmt.Errorf("hq/golden: take: %w", err)
	}
	g.inUse.Store(m)
	g.shelf.clear()
	return nil
}

// advance goes one step on with taking a model. Nothing is dirty, and s was read by look.
func (g *Golden) advance(ctx context.Context, m *match.Model, s *seen) error {
	upTo := min(s.state.at+sweep, s.swept)
	var ns []int64
	err := g.st.Read(ctx, func(r *store.R) error {
		if err := r.Each(fmt.Sprintf("SELECT n FROM record WHERE n > $1 AND n <= $2 AND kind = %d", schema.Customer), []any{s.state.at, upTo}, scanN(&ns)); err != nil {
			return err
		}
		if s.state.phase == phaseGroups {
			return nil
		}
		return g.enter(r, m, s, ns)
	})
	if err != nil {
		return err
	}
	return g.st.Write(ctx, func(w *store.W) error {
		b := &batch{g, w}
		next := state{s.state.model, s.state.phase, upTo}
		if s.state.phase == phasePairs {
			if _, err := b.writeKeys(s, nil, s.customers); err != nil {
				return err
			}
			if _, err := b.pair(m, s.entries); err != nil {
				return err
			}
			if upTo == s.swept {
				next = state{s.state.model, phaseGroups, 0}
			}
		} else {
			if err := b.regroup(m, ns); err != nil {
				return err
			}
			if upTo == s.swept {
				next = state{s.state.model, phaseDone, 0}
			}
		}
		return setState(w, next)
	})
}

// Models are the models this headquarters knows, the newest first.
func (g *Golden) Models(ctx context.Context) ([]Epoch, error) {
	if err := g.ready(ctx); err != nil {
		return nil, err
	}
	var out []Epoch
	err := g.st.Read(ctx, func(r *store.R) error {
		return r.Each("SELECT version, state, made, taken, records, summary FROM match_model ORDER BY made DESC, version", nil, func(rows *stdsql.Rows) error {
			var e Epoch
			var summary string
			if err := rows.Scan(&e.Version, &e.State, &e.Made, &e.Taken, &e.Records, &summary); err != nil {
				return fmt.Errorf("read models: %w", err)
			}
			if e.State == stateProposed {
				e.Taken = 0
			}
			e.Summary = strings.Split(summary, "\n")
			out = append(out, e)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("hq/golden: models: %w", err)
	}
	return out, nil
}

// ready has a model in use, for those who read.
func (g *Golden) ready(ctx context.Context) error {
	if g.inUse.Load() != nil {
		return nil
	}
	if err := g.lock(ctx); err != nil {
		return err
	}
	defer g.unlock()
	if _, err := g.begin(ctx); err != nil {
		return fmt.Errorf("hq/golden: %w", err)
	}
	return nil
}
