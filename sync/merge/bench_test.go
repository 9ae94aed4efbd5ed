package merge

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

func benchBody(b *testing.B) *wirev1.ChangeBody {
	v, err := proto.Marshal(&branchlinev1.Customer{
		Name: proto.String("欧阳建国"), Phones: []*branchlinev1.Phone{{Number: proto.String("13812345678")}},
		Addresses: []*branchlinev1.Address{{City: proto.String("上海"), Street: proto.String("漕溪北路881弄15-1906")}},
		Emails:    []string{"a@example.net"}, Remark: proto.String("brake pads worn front axle noise at low speed"),
		Type: branchlinev1.CustomerType_PERSON.Enum(),
	})
	if err != nil {
		b.Fatal(err)
	}
	return &wirev1.ChangeBody{Values: v}
}

func BenchmarkEncodeFresh(b *testing.B) {
	body := benchBody(b)
	for b.Loop() {
		if _, ok := EncodeFresh(schema.Stamp{At: 1, Branch: "pd", Inc: 7, Seq: 9}, body); !ok {
			b.Fatal("not fresh")
		}
	}
}

// BenchmarkUpdate is what HQ does for a change of a stored record.
func BenchmarkUpdate(b *testing.B) {
	enc, _ := EncodeFresh(schema.Stamp{At: 1, Branch: "pd", Inc: 7, Seq: 9}, benchBody(b))
	v, err := proto.Marshal(&branchlinev1.Customer{Name: proto.String("欧阳建國")})
	if err != nil {
		b.Fatal(err)
	}
	body := &wirev1.ChangeBody{Values: v, Names: []*wirev1.Names{{Field: 2, Entries: []*wirev1.EntryName{{At: 1, Branch: "pd", Incarnation: 7, Seq: 9}}}}}
	k := schema.KindOf(schema.Customer)
	for b.Loop() {
		s, err := Decode(enc)
		if err != nil {
			b.Fatal(err)
		}
		c, err := FromChange(schema.Stamp{At: 2, Branch: "th", Inc: 8, Seq: 1}, body)
		if err != nil {
			b.Fatal(err)
		}
		j := Join(s, c)
		if len(j.Encode()) == 0 || len(j.Fold(k)) == 0 {
			b.Fatal("empty")
		}
	}
}
