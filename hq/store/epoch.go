package store

import (
	"context"
	stdsql "database/sql"
	"fmt"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

func (w *W) newEpoch() error {
	id, err := w.s.Number()
	if err != nil {
		return err
	}
	var parent int64
	if _, err := w.Scan("SELECT id FROM epoch ORDER BY n DESC LIMIT 1", nil, &parent); err != nil {
		return err
	}
	_, err = w.Exec("INSERT INTO epoch (id, parent, birth, began) VALUES ($1, $2, $3, $4)", id, parent, int64(w.rev), w.Clock())
	return err
}

func (s *Store) loadEpochs(ctx context.Context) error {
	err := s.Read(ctx, func(r *R) error {
		return r.Each("SELECT id, parent, birth FROM epoch ORDER BY n", nil, func(rows *stdsql.Rows) error {
			e := new(wirev1.Epoch)
			if err := rows.Scan(&e.Id, &e.Parent, &e.BirthRev); err != nil {
				return fmt.Errorf("hq/store: read epochs: %w", err)
			}
			s.epochs = append(s.epochs, e)
			return nil
		})
	})
	if err != nil {
		return err
	}
	s.line, err = s.SignWord(&wirev1.EpochLine{Epochs: s.epochs})
	return err
}

// Epoch is the epoch this run is.
func (s *Store) Epoch() schema.EpochID {
	return schema.EpochID(s.epochs[len(s.epochs)-1].GetId())
}

// Epochs is HQ's line of epochs, oldest first, the last running. Do not change it.
func (s *Store) Epochs() []*wirev1.Epoch { return s.epochs }

// SignedLine is the same as a signed wirev1.EpochLine.
func (s *Store) SignedLine() []byte { return s.line }
