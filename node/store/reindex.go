package store

import (
	"context"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
)

// termForm rises whenever package index gives other terms for the same record: 2 has phones from their beginning, and
// plates without their province; 3 has the facets; 4 has those of orders, and
// who is clocked on to a line; 5 has when a part was ordered and came; 6 has next steps, and of parts, loan cars and next
// steps those that are open.
const termForm = 6

// reindexed is how many records a transaction of reindex looks at: a branch with a million is not to hold its journal full.
const reindexed = 5000

// reindex makes the terms anew that an older program wrote. Cut off, it begins again; what is right already is left.
func (s *Store) reindex(ctx context.Context) error {
	form, err := metaInt(ctx, s.db.W, metaTerms)
	if err != nil || form >= termForm {
		return err
	}
	for after, done := int64(0), false; !done; {
		err := s.write(ctx, func(w *writer) error {
			ns, err := w.ints("SELECT n FROM record WHERE n > $1 ORDER BY n LIMIT $2", after, reindexed)
			if err != nil {
				return err
			}
			if done = len(ns) == 0; done {
				return w.metaSetInt(metaTerms, termForm)
			}
			for _, n := range ns {
				if err := w.reindexRow(n); err != nil {
					return err
				}
			}
			after = ns[len(ns)-1]
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) reindexRow(n int64) error {
	r, err := w.rowAt(n)
	if err != nil || !hasTerms(r.kind) {
		return err
	}
	p, err := r.prepare(w.m.id.Branch)
	if err != nil || p.joined == p.terms {
		return err
	}
	return w.updatePrepared(&p)
}

// hasTerms tells whether records of the kind may have terms that changed.
func hasTerms(k *schema.KindInfo) bool {
	for _, f := range k.Fields {
		switch f.Search {
		case optionsv1.Search_SEARCH_PHONE, optionsv1.Search_SEARCH_PLATE, optionsv1.Search_SEARCH_FACET:
			return true
		default:
		}
	}
	return false
}
