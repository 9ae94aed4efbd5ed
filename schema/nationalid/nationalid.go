// Package nationalid reads whole national ids, of which records keep the end and a
// keyed hash only.
//
// Rules:
//   - A resident id of mainland China has 17 digits and a check character (ISO 7064,
//     mod 11-2); one of 15 digits, as given until 1999, is the same person's with the
//     century left out, and becomes one of 18.
//   - Any other is a passport, a permit or the like: letters and digits, six to
//     twenty of them.
//   - Equal ids give equal hashes however they were written; without the key nothing
//     tells an id from its hash.
//
// An ID prints and logs as its end. All functions are pure and safe for concurrent use.
package nationalid

import (
	"crypto/hmac"
	"crypto/sha256"
	"log/slog"
	"strings"

	"branchline/schema"
	"branchline/schema/han"
)

// LastLen is how many characters of an id records keep.
const LastLen = 4

// ID is one whole id in the form that is equal whoever wrote it.
type ID struct{ form string }

// Parse reads an id as people write it: with spaces or dashes, in full width, a
// small x. schema.ErrInvalid for what can be none; a resident id whose check
// character does not fit is one mistyped.
func Parse(text string) (ID, error) {
	form := strings.Map(func(r rune) rune {
		switch r = han.Half(r); {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case r == ' ' || r == '-' || r == '·' || r == '\u3000' || r == '\t':
			return -1
		}
		return r
	}, strings.TrimSpace(text))
	for _, r := range form {
		if !('0' <= r && r <= '9' || 'A' <= r && r <= 'Z') {
			return ID{}, schema.Invalid("national_id", "has a character that no id has")
		}
	}
	switch {
	case len(form) < 6 || len(form) > 20:
		return ID{}, schema.Invalid("national_id", "has 6 to 20 characters")
	case len(form) == 15 && digits(form):
		form = form[:6] + "19" + form[6:]
		form += string(checkOf(form))
	case len(form) == 18 && digits(form[:17]) && checkOf(form[:17]) != form[17]:
		return ID{}, schema.Invalid("national_id", "its last character does not fit: one of the others is probably wrong")
	}
	return ID{form}, nil
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// checkOf is the check character of the first 17 digits of a resident id.
func checkOf(d string) byte {
	sum := 0
	for i := range 17 {
		sum = (sum + int(d[i]-'0')) * 2 % 11 // Horner's way, the weights being powers of two mod 11
	}
	return "10X98765432"[sum]
}

// Hash is what records keep of the id, under the group's key: 32 bytes.
func (id ID) Hash(key []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("branchline national id 1\x00"))
	m.Write([]byte(id.form))
	return m.Sum(nil)
}

// Last is the end of the id that records keep.
func (id ID) Last() string { return id.form[max(0, len(id.form)-LastLen):] }

// String hides all but the end.
func (id ID) String() string { return "***" + id.Last() }

// GoString is String, for the same reason.
func (id ID) GoString() string { return id.String() }

// LogValue keeps the id out of logs.
func (id ID) LogValue() slog.Value { return slog.StringValue(id.String()) }
