package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/desk"
	"branchline/sync/link"
)

// GetLine is how the branch stands with HQ.
func (h *Sites) GetLine(ctx context.Context, _ *branchlinev1.Empty) (*branchlinev1.LineStatus, error) {
	l, err := h.c.Store.Line(ctx)
	if err != nil {
		return nil, err
	}
	st := h.c.Line.Link()
	out := &branchlinev1.LineStatus{
		Branch: string(l.Identity.Branch), Role: "node", Linked: st.Phase != link.Down, LastHeard: unixMilli(st.Heard),
		Saved: int64(l.LastSeq - l.Door), AtDoor: int64(l.Door - l.Watermark), LastSeq: int64(l.LastSeq), Watermark: int64(l.Watermark),
		FeedRev: int64(l.Cursor), HqRev: int64(max(l.HQRev, st.HQRev)), Records: l.Records, Warnings: st.Warnings, Now: h.c.Now().UnixMilli(),
		Version: h.c.Version, LookAt: l.LookAt, Quarantined: l.Quarantined,
	}
	if h.c.Files != nil {
		if out.Files, out.FileBytes, out.FilesWaiting, err = h.c.Files.Sums(ctx); err != nil {
			return nil, err
		}
		out.DiskFree = h.c.Files.Free()
	}
	if h.c.Known != nil {
		if out.KnownElsewhere, err = h.c.Known.Stands(); err != nil {
			return nil, err
		}
	}
	h.stand(l, st, out)
	if l.Incarnation != 0 {
		out.Incarnation = l.Incarnation.String()
	}
	if l.Epoch != 0 {
		out.Epoch = l.Epoch.String()
	}
	return out, nil
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// ListChanges are the branch's own changes that wait, or that a person should look at.
func (h *Sites) ListChanges(ctx context.Context, req *branchlinev1.ListChangesRequest) (*branchlinev1.ListChangesResponse, error) {
	changes, next, err := h.c.Store.OwnChanges(ctx, req.GetLookAt(), int(req.GetPageSize()), req.GetPageToken())
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(changes))
	for _, c := range changes {
		if c.GetRecord() != "" {
			names = append(names, c.GetRecord())
		}
	}
	bodies, err := h.c.Store.Messages(ctx, names)
	if err != nil {
		return nil, err
	}
	caller := access.CallerFrom(ctx)
	for _, c := range changes {
		k, _, err := schema.ParseName(c.GetRecord())
		if err != nil || !access.MayRead(access.Node, k, caller.Roles) {
			c.Record, c.Fields = "", nil
			continue
		}
		info := schema.KindOf(k)
		hide := access.HideFor(caller.Roles)
		c.Fields = slices.DeleteFunc(c.Fields, func(name string) bool { f := info.Field(name); return f == nil || hide(f) })
		if m := bodies[c.GetRecord()]; m != nil {
			r := &branchlinev1.Record{Name: c.GetRecord()}
			if err := schema.SetBody(r, m); err != nil {
				return nil, err
			}
			access.Strip(r, caller.Roles)
			c.Title, _ = desk.Titles(r)
		}
	}
	return &branchlinev1.ListChangesResponse{Changes: changes, NextPageToken: next}, nil
}

// ListBranches are the group's branches as this one knows them.
func (h *Sites) ListBranches(ctx context.Context, _ *branchlinev1.Empty) (*branchlinev1.ListBranchesResponse, error) {
	heard := map[string]int64{}
	for _, o := range h.c.Line.Link().Others {
		heard[o.GetBranch()] = o.GetAt()
	}
	out := &branchlinev1.ListBranchesResponse{Now: h.c.Now().UnixMilli()}
	err := h.c.Store.Each(ctx, schema.Branch, func(r store.Held) error {
		m, err := r.Message()
		if err != nil {
			return err
		}
		b, ok := m.(*branchlinev1.Branch)
		if !ok {
			return fmt.Errorf("api: %s is no branch", r.ID)
		}
		s := &branchlinev1.BranchStatus{Code: b.GetCode(), Name: b.GetName(), Entity: b.GetEntity(), LastHeard: heard[b.GetCode()], Zone: b.GetZone()}
		if b.GetRetiredAt() != 0 {
			s.State = "retired"
		}
		out.Branches = append(out.Branches, s)
		return nil
	})
	slices.SortFunc(out.Branches, func(a, b *branchlinev1.BranchStatus) int { return strings.Compare(a.GetCode(), b.GetCode()) })
	return out, err
}

// Repair fetches the whole scope from HQ anew; unsent changes stay.
func (h *Sites) Repair(ctx context.Context, _ *branchlinev1.Empty) (*branchlinev1.Empty, error) {
	return &branchlinev1.Empty{}, h.c.Line.Refetch(ctx)
}

// Backup writes a copy of the branch's database into its folder, and its files beside the copy.
func (h *Sites) Backup(ctx context.Context, req *branchlinev1.BackupRequest) (*branchlinev1.BackupResponse, error) {
	name := req.GetFile()
	if name == "" {
		name = h.c.Now().In(h.c.ZoneNow()).Format("20060102-150405") + ".db"
	}
	path, size, err := h.c.Store.Backup(ctx, name)
	if err != nil {
		return nil, err
	}
	out := &branchlinev1.BackupResponse{Path: path, Bytes: size}
	if h.c.Files != nil {
		// After the database: what it names is there then.
		out.FilesPath, out.Files, out.FileBytes, err = h.c.Files.Backup(path)
	}
	return out, err
}

const (
	verifyTime = 20 * time.Second
	// maxDiffering is how many differing records an answer names.
	maxDiffering = 50
)

// Verify compares digests of what the branch holds with HQ's, at a cut both have
// reached, and names what differs. ErrUnavailable when HQ does not answer or the
// two do not come to a common cut in time.
func (h *Sites) Verify(whole context.Context, _ *branchlinev1.Empty) (*branchlinev1.VerifyResponse, error) {
	ctx, stop := context.WithTimeout(whole, verifyTime)
	defer stop()
	watch := h.c.Store.Changes()
	defer watch.Close()
	why := ""
	for {
		out, wait, err := h.compare(ctx)
		if err != nil {
			return nil, err
		}
		if wait == "" {
			return h.checkFiles(whole, out)
		}
		why = wait
		if _, err := watch.Next(ctx); err != nil {
			return nil, fmt.Errorf("verify: %s: %w", why, schema.ErrUnavailable)
		}
	}
}

// checkFiles reads the files of attachments through. Those missing are fetched again.
func (h *Sites) checkFiles(ctx context.Context, out *branchlinev1.VerifyResponse) (*branchlinev1.VerifyResponse, error) {
	if h.c.Files == nil {
		return out, nil
	}
	id, err := h.c.Store.Identity(ctx)
	if err != nil {
		return nil, err
	}
	if out.Files, out.FilesMissing, err = h.c.Files.Check(ctx, id.Branch); err != nil {
		return nil, err
	}
	if len(out.GetFilesMissing()) > 0 {
		out.Same = false
	}
	return out, nil
}

// compare tries once. wait says why there is no common cut yet.
func (h *Sites) compare(ctx context.Context) (out *branchlinev1.VerifyResponse, wait string, err error) {
	out = &branchlinev1.VerifyResponse{Same: true}
	ranges := [][]byte{{}}
	for len(ranges) > 0 {
		prefix := ranges[0]
		ranges = ranges[1:]
		mine, cut, err := h.c.Store.Digests(ctx, prefix)
		if err != nil {
			return nil, "", err
		}
		if cut.Pending > 0 {
			return nil, fmt.Sprintf("%d own changes are not worked into what HQ sent yet", cut.Pending), nil
		}
		theirs, err := h.askDigests(ctx, cut, prefix)
		if err != nil {
			return nil, "", err
		}
		if theirs.GetRev() != cut.Cursor.GetRev() || theirs.GetEpoch() != cut.Cursor.GetEpoch() {
			return nil, fmt.Sprintf("headquarters is at rev %d, this branch has its feed up to %d", theirs.GetRev(), cut.Cursor.GetRev()), nil
		}
		// An own edit takes no rev at HQ: the same rev with other watermarks is another cut.
		if !sameMarks(cut.Marks, theirs.GetMarks()) {
			return nil, "headquarters has taken changes that no page has confirmed here yet", nil
		}
		if len(prefix) == 0 {
			out.Note = fmt.Sprintf("compared at rev %d of epoch %s", cut.Cursor.GetRev(), schema.EpochID(cut.Cursor.GetEpoch()))
			for _, d := range mine {
				out.Records += d.GetRecords()
			}
		}
		for _, p := range schema.DifferingRanges(mine, theirs.GetDigests()) {
			out.Same = false
			switch {
			case len(p) == len(schema.RecordID{}):
				out.Differing = append(out.Differing, h.nameOf(ctx, p))
			case len(out.Differing) < maxDiffering:
				ranges = append([][]byte{p}, ranges...)
			}
		}
		if len(out.Differing) >= maxDiffering {
			out.Note += fmt.Sprintf("; more than %d differ", maxDiffering)
			break
		}
	}
	return out, "", nil
}

// sameMarks tells whether HQ's watermarks are those the branch's bases stand for.
func sameMarks(mine, theirs []*wirev1.Mark) bool {
	at := map[int64]int64{}
	for _, m := range theirs {
		at[m.GetIncarnation()] = m.GetWatermark()
	}
	for _, m := range mine {
		if at[m.GetIncarnation()] != m.GetWatermark() {
			return false
		}
	}
	return true
}

func (h *Sites) askDigests(ctx context.Context, cut store.Cut, prefix []byte) (*wirev1.VerifyReply, error) {
	b, err := proto.Marshal(&wirev1.VerifyRequest{Epoch: cut.Cursor.GetEpoch(), Rev: cut.Cursor.GetRev(), Prefix: prefix})
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	ans, err := h.c.Line.Ask(ctx, VerbVerify, b)
	if err != nil {
		return nil, fmt.Errorf("verify: headquarters did not answer: %w: %w", schema.ErrUnavailable, err)
	}
	out := new(wirev1.VerifyReply)
	if err := proto.Unmarshal(ans, out); err != nil {
		return nil, fmt.Errorf("verify: headquarters' answer cannot be read: %w", err)
	}
	return out, nil
}

// nameOf is the name of a record by its id, as far as it is held here.
func (h *Sites) nameOf(ctx context.Context, id []byte) string {
	rid, err := schema.RecordIDFromBytes(id)
	if err != nil {
		return fmt.Sprintf("%x", id)
	}
	k, _, err := h.c.Store.State(ctx, rid)
	if err != nil {
		return rid.String()
	}
	return schema.ResourceName(k.Kind, rid)
}
