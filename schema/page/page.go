// Package page is how both sites list records: what a list can be asked for, in
// which orders, and how it goes on where a page ended.
//
// Rules:
//   - A kind has the filters and orders its options give it; a query for others
//     is refused, not ignored.
//   - A token is opaque to who holds it, and good only for the list it was given
//     for: it bears a sum of the list's filter and order. It tells nothing but the
//     sort key and number of the last row shown.
//
// It promises that pages taken one after the other show every record that stays as
// it is once. It does not know who may see what, nor the tables: both sites name
// the columns it speaks of alike.
package page

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"branchline/schema"
)

// Place is where a page ended: the sort key of its last row (int64, string or
// []byte) and the row's number.
type Place struct {
	Key any
	N   int64
}

// Sum is of everything a list was asked for, but for the page's size and token.
type Sum [8]byte

// SumOf sums what a list was asked for.
func SumOf(asked ...any) Sum {
	h := sha256.New()
	for _, a := range asked {
		fmt.Fprintf(h, "%#v|", a)
	}
	return Sum(h.Sum(nil)[:8])
}

const (
	keyInt   = 1
	keyText  = 2
	keyBytes = 3
)

// Token carries a place of the list with this sum.
func Token(s Sum, p Place) string {
	b := binary.AppendUvarint(s[:], uint64(p.N))
	switch v := p.Key.(type) {
	case int64:
		b = binary.BigEndian.AppendUint64(append(b, keyInt), uint64(v))
	case string:
		b = append(append(b, keyText), v...)
	case []byte:
		b = append(append(b, keyBytes), v...)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// Parse reads what Token wrote for the same list. ErrInvalid for anything else.
func Parse(s Sum, token string) (Place, error) {
	bad := schema.Invalid("page_token", "was not given for this list: begin again without one")
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 10 || Sum(b[:8]) != s {
		return Place{}, bad
	}
	n, w := binary.Uvarint(b[8:])
	if w <= 0 || len(b) < 8+w+1 {
		return Place{}, bad
	}
	p := Place{N: int64(n)}
	typ, rest := b[8+w], b[8+w+1:]
	switch {
	case typ == keyInt && len(rest) == 8:
		p.Key = int64(binary.BigEndian.Uint64(rest))
	case typ == keyText:
		p.Key = string(rest)
	case typ == keyBytes:
		p.Key = rest
	default:
		return Place{}, bad
	}
	return p, nil
}
