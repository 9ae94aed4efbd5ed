// Package lexicon makes the dictionary that small packs and pages are compressed
// with: what records of a dealer group look like, and the words of a workshop.
//
// Rules: the same program makes the same bytes (everything drawn by chance comes
// from a seed). A dictionary that was shipped is never made anew: packs written
// with it lie in databases. A better one gets the next number and a file of its own.
package lexicon

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/cmd/rig/town"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

// words are those of workshops, in English and Chinese.
//
//go:embed words.txt
var words string

const (
	size  = 16 << 10 // of the text in it; twice as much gains next to nothing
	spare = 2        // every such sample goes into the tables
)

// Build makes the dictionary with this number.
func Build(number uint32) ([]byte, error) {
	samples, err := samples()
	if err != nil {
		return nil, fmt.Errorf("lexicon: %w", err)
	}
	var text []byte
	for _, w := range strings.Fields(words) {
		text = append(append(text, ' '), w...)
	}
	step := max(1, len(samples)/400)
	for i := 0; i < len(samples); i += step {
		if len(text)+len(samples[i]) <= size {
			text = append(text, samples[i]...)
		}
	}
	var contents [][]byte
	for i := 0; i < len(samples); i += spare {
		contents = append(contents, samples[i])
	}
	r := rand.New(rand.NewPCG(3, 4))
	list := strings.Fields(words)
	for range len(contents) / 8 { // a third of what people type is free text
		var s []string
		for range 6 {
			s = append(s, list[r.IntN(len(list))])
		}
		contents = append(contents, []byte(strings.Join(s, " ")))
	}
	d, err := zstd.BuildDict(zstd.BuildDictOptions{ID: number, Contents: contents, History: text, Offsets: [3]int{1, 4, 8}, Level: zstd.SpeedFastest})
	if err != nil {
		return nil, fmt.Errorf("lexicon: %w", err)
	}
	return d, nil
}

// samples are what small packs and pages hold, before compression.
func samples() ([][]byte, error) {
	t, err := town.New(town.Config{Seed: 7, Customers: 600, Lines: 5000, Today: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		return nil, err
	}
	z, err := schema.NewPackCodec()
	if err != nil {
		return nil, err
	}
	defer z.Close()
	r := rand.New(rand.NewPCG(1, 2))
	var out [][]byte
	for n, b := range t.Branches() {
		ids := map[string]schema.RecordID{}
		for e := range t.Edits(n) {
			m := e.Message.ProtoReflect()
			for field, key := range e.Refs {
				m.Set(m.Descriptor().Fields().ByName(protoreflect.Name(field)), protoreflect.ValueOfString(ids[key].String()))
			}
			id := idAt(e.At, r)
			ids[e.Key] = id
			change, page, err := sample(z, e, b.Code, id, r)
			if err != nil {
				return nil, err
			}
			out = append(out, change, page)
		}
	}
	return out, nil
}

func sample(z *schema.PackCodec, e town.Edit, b schema.BranchID, id schema.RecordID, r *rand.Rand) (change, page []byte, err error) {
	same := proto.MarshalOptions{Deterministic: true}
	values, err := same.Marshal(e.Message)
	if err != nil {
		return nil, nil, err
	}
	body := &wirev1.ChangeBody{
		At: uint64(e.At.UnixMilli()) << 16, Kind: uint32(e.Kind), Record: id[:], Values: values, Actor: e.Actor, Create: true, Role: 7, Run: r.Uint32N(1 << 23),
	}
	payload, err := same.Marshal(body)
	if err != nil {
		return nil, nil, err
	}
	life := schema.ChangeID{Branch: b, Inc: schema.Incarnation(r.Int64()), Seq: schema.Seq(1 + r.IntN(5000))}
	state, _ := merge.EncodeFresh(schema.StampOf(life, schema.Tick(body.GetAt()), body), body)
	rev := int64(life.Seq) * 3
	page, err = same.Marshal(&wirev1.Page{
		HqRev: rev, LastRev: rev, Full: true, MarksSum: id[8:],
		Rows: []*wirev1.Row{{Row: wirev1.RowKind_RECORD, Rev: rev, Kind: uint32(e.Kind), Record: id[:], State: state, Home: string(b)}},
	})
	return z.Sample(schema.Seal(life, schema.Hash{}, [16]byte{}, payload)), page, err
}

// idAt is an id minted at that moment.
func idAt(at time.Time, r *rand.Rand) (id schema.RecordID) {
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6], id[7], id[8] = 0x70, 0, id[8]&0x3f|0x80
	return id
}
