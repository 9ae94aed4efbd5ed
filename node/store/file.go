package store

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"

	"branchline/schema"
	"branchline/schema/blob"
	"branchline/schema/index"
)

// File is what is known of a file that lies in the branch's folder.
type File struct {
	Hash    blob.Hash
	Size    int64
	Thumb   bool
	AtHQ    schema.EpochID // the epoch of HQ that said it has stored it; 0: none has
	Fetched bool           // it came from HQ
}

const fileColumns = "hash, size, thumb, at_hq, fetched"

func scanFile(rows scanner) (f File, err error) {
	var raw []byte
	var epoch int64
	if err := rows.Scan(&raw, &f.Size, &f.Thumb, &epoch, &f.Fetched); err != nil {
		return f, err
	}
	f.AtHQ = schema.EpochID(epoch)
	f.Hash, err = blob.HashFrom(raw)
	return f, err
}

// KeepFiles notes files that are in the folder now, and lets those it knows be as they are noted.
func (s *Store) KeepFiles(ctx context.Context, files ...File) error {
	return s.write(ctx, func(w *writer) error {
		for _, f := range files {
			_, err := w.exec("INSERT INTO file (hash, size, thumb, at_hq, fetched, at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (hash) DO NOTHING",
				f.Hash[:], f.Size, f.Thumb, int64(f.AtHQ), f.Fetched, w.now())
			if err != nil {
				return fmt.Errorf("store: keep file: %w", err)
			}
		}
		return nil
	})
}

// FileAtHQ notes which epoch of HQ has stored a file; 0: it does not have it any more. Pages are told.
func (s *Store) FileAtHQ(ctx context.Context, epoch schema.EpochID, hashes ...blob.Hash) error {
	return s.write(ctx, func(w *writer) error {
		for _, h := range hashes {
			if _, err := w.exec("UPDATE file SET at_hq = $1 WHERE hash = $2", int64(epoch), h[:]); err != nil {
				return fmt.Errorf("store: file at headquarters: %w", err)
			}
		}
		w.event.Line = true
		return nil
	})
}

// ForgetFile notes that a file is not in the folder any more.
func (s *Store) ForgetFile(ctx context.Context, h blob.Hash) error {
	return s.write(ctx, func(w *writer) error {
		if _, err := w.exec("DELETE FROM file WHERE hash = $1", h[:]); err != nil {
			return fmt.Errorf("store: forget file: %w", err)
		}
		return nil
	})
}

// FileOf is what is known of a file. schema.ErrNotFound: it is not noted.
func (s *Store) FileOf(ctx context.Context, h blob.Hash) (f File, err error) {
	err = s.reading(ctx, func(r *reader) error {
		f, err = scanFile(r.tx.QueryRowContext(r.ctx, "SELECT "+fileColumns+" FROM file WHERE hash = $1", h[:]))
		if errors.Is(err, stdsql.ErrNoRows) {
			err = schema.ErrNotFound
		}
		return err
	})
	if err != nil {
		return f, fmt.Errorf("store: file %s: %w", h, err)
	}
	return f, nil
}

func (s *Store) files(ctx context.Context, query string, args ...any) (out []File, err error) {
	err = s.reading(ctx, func(r *reader) error {
		rows, err := r.tx.QueryContext(r.ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close() // its error comes with rows.Err
		for rows.Next() {
			f, err := scanFile(rows)
			if err != nil {
				return err
			}
			out = append(out, f)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("store: files: %w", err)
	}
	return out, nil
}

// FilesWaiting are files that HQ does not have, thumbnails first, then by age.
func (s *Store) FilesWaiting(ctx context.Context, most int) ([]File, error) {
	return s.files(ctx, "SELECT "+fileColumns+" FROM file WHERE at_hq = 0 ORDER BY thumb DESC, at LIMIT $1", most)
}

// FilesUnsure are files that HQ had in another epoch than this one: they may be lost with what it lost.
func (s *Store) FilesUnsure(ctx context.Context, epoch schema.EpochID, most int) ([]File, error) {
	return s.files(ctx, "SELECT "+fileColumns+" FROM file WHERE at_hq > 0 AND at_hq < $1 UNION ALL SELECT "+fileColumns+" FROM file WHERE at_hq > $1 LIMIT $2",
		int64(epoch), most)
}

// FilesAfter are the files noted, by hash, after a given one.
func (s *Store) FilesAfter(ctx context.Context, h blob.Hash, most int) ([]File, error) {
	return s.files(ctx, "SELECT "+fileColumns+" FROM file WHERE hash > $1 ORDER BY hash LIMIT $2", h[:], most)
}

// FileSums are the number of files noted, their bytes, and how many HQ does not have.
func (s *Store) FileSums(ctx context.Context) (files, bytes, waiting int64, err error) {
	err = s.reading(ctx, func(r *reader) error {
		return r.tx.QueryRowContext(r.ctx, "SELECT count(*), coalesce(sum(size), 0), count(*) FILTER (WHERE at_hq = 0) FROM file").Scan(&files, &bytes, &waiting)
	})
	if err != nil {
		return 0, 0, 0, fmt.Errorf("store: files: %w", err)
	}
	return files, bytes, waiting, nil
}

// FileNamed tells whether a record held here names a file, and whether one whose home this branch is does.
func (s *Store) FileNamed(ctx context.Context, h blob.Hash) (named, own bool, err error) {
	err = s.reading(ctx, func(r *reader) error {
		return r.tx.QueryRowContext(r.ctx, "SELECT count(*) > 0, count(*) FILTER (WHERE r.home = $1) > 0 FROM term t JOIN record r ON r.n = t.n WHERE t.k = $2",
			string(r.branch), index.FileTerm(h[:])).Scan(&named, &own)
	})
	if err != nil {
		return false, false, fmt.Errorf("store: who names a file: %w", err)
	}
	return named, own, nil
}

// FilesUnnamed are files that HQ has and that no record held here names, after a given one by hash.
func (s *Store) FilesUnnamed(ctx context.Context, h blob.Hash, most int) ([]File, error) {
	return s.files(ctx, "SELECT "+fileColumns+" FROM file WHERE at_hq <> 0 AND hash > $1 AND NOT EXISTS (SELECT 1 FROM term WHERE k = $2 || lower(hex(file.hash))) ORDER BY hash LIMIT $3",
		h[:], index.FileTerm(nil), most)
}

// RecentAttachments are the attachments of days from a given one on, the latest first.
func (s *Store) RecentAttachments(ctx context.Context, from string, most int) (ids []schema.RecordID, err error) {
	err = s.reading(ctx, func(r *reader) error {
		rows, err := r.tx.QueryContext(r.ctx, "SELECT id FROM record WHERE kind = $1 AND day >= $2 ORDER BY day DESC LIMIT $3", int64(schema.Attachment), from, most)
		if err != nil {
			return fmt.Errorf("store: recent attachments: %w", err)
		}
		ids, err = scanIDs(rows)
		return err
	})
	return ids, err
}
