package web

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// noteList is what was written down about one customer, car or order.
type noteList struct {
	List      []noteRow
	More      string
	Write     bool
	RequestID string
	On        string // name of the record
}

type noteRow struct {
	Text, Site, Day, Who string
	Own                  bool
	Where                string
}

const fewNotes = 12

func isMissing(err error) bool { return errors.Is(err, schema.ErrNotFound) }

// notes are those of a record, of its whole group, newest first.
func (a *ask) notes(on string) (noteList, error) {
	out := noteList{On: on, Write: a.Writes(schema.Note)}
	if !a.Reads(schema.Note) {
		return noteList{}, nil
	}
	var err error
	if out.RequestID, err = a.requestID(); err != nil {
		return out, err
	}
	req := &branchlinev1.ListRecordsRequest{Collection: "notes"}
	switch collection, _, _ := strings.Cut(on, "/"); collection {
	case "customers":
		req.Customer = on
	case "vehicles":
		req.Vehicle = on
	default:
		req.Order = on
	}
	all, _, err := a.listAll(a.R.Context(), req)
	if err != nil {
		return out, err
	}
	slices.SortStableFunc(all, func(x, y *branchlinev1.Record) int { return cmp.Compare(y.GetCreateTime(), x.GetCreateTime()) })
	for _, r := range all {
		n := r.GetNote()
		if n.GetText() == "" {
			continue
		}
		if len(out.List) == fewNotes {
			out.More = a.T("note.more", len(all)-fewNotes)
			break
		}
		row := noteRow{
			Text: n.GetText(), Site: a.SiteName(n.GetBranch()), Day: n.GetDay(), Who: a.Names().Person(n.GetAuthor()),
			Own: n.GetBranch() == a.branch(), Where: "DELIVERED",
		}
		if row.Own {
			row.Where = whereWord(r.GetWhere())
		}
		out.List = append(out.List, row)
	}
	return out, nil
}

func (s *Site) noteCreate(a *ask) error {
	on := a.Form("on")
	k, id, err := schema.ParseName(on)
	if err != nil {
		return err
	}
	text := strings.ReplaceAll(a.Form("text"), "\r\n", "\n")
	if text == "" {
		return a.GoTo("/" + on)
	}
	n := &branchlinev1.Note{Text: proto.String(text)} // the API adds day, branch and author
	switch k {
	case schema.Customer:
		n.Customer = proto.String(id.String())
	case schema.Vehicle:
		n.Vehicle = proto.String(id.String())
	case schema.ServiceOrder:
		n.Order = proto.String(id.String())
	default:
		return schema.Invalid("on", "a note is about a customer, a vehicle or an order")
	}
	_, err = s.c.Records.CreateRecord(a.R.Context(), &branchlinev1.CreateRecordRequest{
		Record: &branchlinev1.Record{Body: &branchlinev1.Record_Note{Note: n}}, RequestId: a.Form("request_id"),
	})
	if err != nil {
		return err
	}
	return a.GoTo("/" + on)
}
