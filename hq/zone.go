package hq

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// zoneLook is how often it is looked whether a branch's record says another zone.
const zoneLook = 5 * time.Second

// Zone is where headquarters counts its own days: where most of its branches, as
// their records say, count theirs; of equals schema.DefaultZone, else the first by
// name. Days of reports are the branches' own.
func (q *HQ) Zone() *time.Location { return q.zone.Load() }

// followZone reads the zone again when branches' records have changed, until ctx ends.
func (q *HQ) followZone(ctx context.Context) error {
	t := time.NewTicker(zoneLook)
	defer t.Stop()
	var seen schema.Rev
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		now := q.store.Rev()
		if now == seen {
			continue
		}
		if err := q.readZone(ctx); err != nil {
			if ctx.Err() == nil {
				q.log.Warn("zone of the branches not read", "err", err)
			}
			continue
		}
		seen = now
	}
}

func (q *HQ) readZone(ctx context.Context) error {
	k := schema.KindOf(schema.Branch)
	count := map[string]int{}
	err := q.store.Read(ctx, func(r *store.R) error {
		return r.Each("SELECT state FROM record WHERE id IN (SELECT record FROM branch WHERE state <> $1)", []any{string(store.Retired)}, func(rows *stdsql.Rows) error {
			var state []byte
			if err := rows.Scan(&state); err != nil {
				return err
			}
			b := &branchlinev1.Branch{}
			raw, err := store.MessageOf(k, state)
			if err == nil {
				err = proto.Unmarshal(raw, b)
			}
			if err != nil {
				return err
			}
			z, err := schema.Zone(b.GetZone())
			if err == nil { // one that this program does not know is as none said
				count[z.String()]++
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("hq: zone: %w", err)
	}
	best := schema.DefaultZone
	for name, n := range count {
		if n > count[best] || n == count[best] && best != schema.DefaultZone && name < best {
			best = name
		}
	}
	z, err := schema.Zone(best)
	if err != nil {
		return fmt.Errorf("hq: zone: %w", err)
	}
	if was := q.zone.Swap(z); was != nil && was.String() != z.String() {
		q.log.Info("headquarters counts its days in another zone", "zone", z.String())
	}
	return nil
}
