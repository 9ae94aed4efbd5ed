package api

import (
	"context"
	"errors"
	"fmt"
	"os"

	"branchline/schema"
	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// OpenFile gives the file of an attachment that the caller may see, or its thumbnail, whole, and the record; the caller
// closes it. schema.ErrForbidden; schema.ErrNotFound: no such attachment, or none with a thumbnail; schema.ErrUnavailable:
// the file has not come from its branch yet.
func (h *Records) OpenFile(ctx context.Context, name string, thumb bool) (*os.File, *branchlinev1.Record, error) {
	r, err := h.GetRecord(ctx, &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return nil, nil, err
	}
	raw := r.GetAttachment().GetHash()
	if thumb {
		raw = r.GetAttachment().GetThumbHash()
	}
	hash, err := blob.HashFrom(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%s has no such file: %w", name, schema.ErrNotFound)
	}
	if h.c.Files == nil {
		return nil, nil, fmt.Errorf("headquarters keeps no files: %w", schema.ErrUnavailable)
	}
	f, err := h.c.Files.Open(hash)
	if errors.Is(err, schema.ErrNotFound) {
		return nil, nil, fmt.Errorf("the file lies at %s and has not reached headquarters yet: %w", r.GetAttachment().GetBranch(), schema.ErrUnavailable)
	}
	return f, r, err
}

// HasThumb tells whether the thumbnail of an attachment has come.
func (h *Records) HasThumb(m *branchlinev1.Attachment) bool {
	hash, err := blob.HashFrom(m.GetThumbHash())
	return err == nil && h.c.Files != nil && h.c.Files.Has(hash)
}
