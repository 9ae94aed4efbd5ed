package store

import (
	"google.golang.org/protobuf/encoding/protowire"

	"branchline/schema"
	"branchline/schema/index"
)

// facts are what a record's row and search entries say beside its state: read off
// the message's bytes by the options of its kind, in one walk and without building
// the message.
type facts struct {
	customer, vehicle, order []byte // record ids; nil for none
	day, number              string // "" for none
	state                    int64
	hasState                 bool
	retired                  bool
	found                    index.Entry
}

// readFacts walks the message bytes of a record.
func readFacts(k *schema.KindInfo, msg []byte) facts {
	var f facts
	for len(msg) > 0 {
		num, typ, n := protowire.ConsumeTag(msg)
		if n < 0 {
			break
		}
		m := protowire.ConsumeFieldValue(num, typ, msg[n:])
		if m < 0 {
			break
		}
		fi := k.FieldNumber(int32(num))
		if fi != nil && (fi.Ref != 0 || fi == k.Day || fi == k.Number || fi == k.State || fi.Name == retiredField || index.Indexed(fi)) {
			switch typ {
			case protowire.VarintType:
				v, _ := protowire.ConsumeVarint(msg[n:])
				f.varint(k, fi, v)
			case protowire.BytesType:
				b, _ := protowire.ConsumeBytes(msg[n:])
				f.bytes(k, fi, b)
			}
		}
		msg = msg[n+m:]
	}
	f.found.Done()
	f.found.Terms = append(f.found.Terms, f.found.Facets...)
	return f
}

const retiredField = "retired_at"

func (f *facts) varint(k *schema.KindInfo, fi *schema.FieldInfo, v uint64) {
	if fi.Name == retiredField {
		f.retired = v != 0
	}
	if fi == k.State {
		f.state, f.hasState = int64(v), true
	}
	f.found.AddNumber(fi, v)
}

func (f *facts) bytes(k *schema.KindInfo, fi *schema.FieldInfo, b []byte) {
	switch fi {
	case k.Customer:
		f.customer = refBytes(b)
	case k.Vehicle:
		f.vehicle = refBytes(b)
	case k.Order:
		f.order = refBytes(b)
	case k.Day:
		f.day = string(b)
	case k.Number:
		f.number = string(b)
	}
	f.found.Add(k, fi, b)
}

func refBytes(b []byte) []byte {
	id, err := schema.ParseRecordID(string(b))
	if err != nil {
		return nil
	}
	return id[:]
}
