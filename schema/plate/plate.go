// Package plate reads registration plates: those of mainland China by GA 36-2018,
// with the new-energy form, and the simple forms of Hong Kong and Macau.
//
// Rules:
//   - Nothing is refused: Parse always gives a Plate and says what is unusual.
//   - I and O stand on no mainland plate, so they are read as 1 and 0 in keys and
//     in search; what was written stays as it was written.
//   - A plate belongs to an owner over time, not to a car: it changes cars and
//     comes back. Whoever keeps one keeps its dates, and whoever takes it as
//     evidence looks at them.
//   - Whether a number has two letters and four digits because it is from Hong Kong
//     or because its province was left out cannot be known; it is read as the first.
//
// All functions fold their argument first, take any string and are pure.
package plate

import (
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"branchline/schema/han"
)

// provinces has the 31 characters a mainland plate can begin with.
const provinces = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"

// energy has the letters of new-energy plates, pure electric ones first.
const energy = "DABCEFGHJK"

// Kind is the form of a plate.
type Kind string

// The kinds of plates.
const (
	Ordinary       Kind = "ordinary"
	NewEnergySmall Kind = "new_energy_small" // D A B C E F G H J K at the head of six
	NewEnergyLarge Kind = "new_energy_large" // the letter at their end
	Trailer        Kind = "trailer"          // 挂
	Learner        Kind = "learner"          // 学
	Police         Kind = "police"           // 警
	CrossBorder    Kind = "cross_border"     // 粤Z…港, 粤Z…澳
	Consulate      Kind = "consulate"        // 领
	Embassy        Kind = "embassy"          // 使 and six digits
	Temporary      Kind = "temporary"        // 临
	Emergency      Kind = "emergency"        // 应急
	HongKong       Kind = "hong_kong"        // two letters, one to four digits
	Macau          Kind = "macau"            // M, a letter, four digits
	Partial        Kind = "partial"          // a mainland plate without its province
	Unknown        Kind = "unknown"
)

// suffixes of plates that have four places before them.
var suffixes = []struct {
	text string
	kind Kind
}{
	{"挂", Trailer},
	{"学", Learner},
	{"警", Police},
	{"港", CrossBorder},
	{"澳", CrossBorder},
	{"领", Consulate},
	{"临", Temporary},
	{"应急", Emergency},
}

// Code names what is unusual about a plate.
type Code string

// The codes a Report may carry.
const (
	NoProvince   Code = "no_province"   // the province character is missing
	BadProvince  Code = "bad_province"  // it begins with another Chinese character
	BadAuthority Code = "bad_authority" // the second place is no letter, or I or O
	LetterIO     Code = "letter_io"     // I or O, probably 1 or 0
	BadNewEnergy Code = "bad_new_energy"
	WrongLength  Code = "wrong_length"
	BadCharacter Code = "bad_character"
	UnknownForm  Code = "unknown_form"
)

// Report is what Parse found; without warnings the plate is as it should be.
type Report struct {
	Warnings []Code
	// Suggestion is the folded plate that was probably meant; "" when there is none.
	Suggestion string
}

// Has tells whether the report carries code.
func (r Report) Has(code Code) bool {
	for _, c := range r.Warnings {
		if c == code {
			return true
		}
	}
	return false
}

// Plate is a plate in its parts. Printed or logged it shows only its end, since it
// leads to a person; Text gives all of it.
type Plate struct {
	Kind      Kind
	Province  string // one character, "" when missing
	Authority string // the letter of the issuing office
	Serial    string // the places behind it, as written
	Suffix    string // 挂 学 警 港 澳 领 临 应急 使
}

// Text is the folded plate, "沪A8K362".
func (p Plate) Text() string {
	if p.Kind == Embassy {
		return p.Suffix + p.Serial
	}
	return p.Province + p.Authority + p.Serial + p.Suffix
}

// String shows the last two characters only.
func (p Plate) String() string {
	t := []rune(p.Text())
	if len(t) < 5 {
		return "***"
	}
	return "***" + string(t[len(t)-2:])
}

// LogValue keeps a plate out of logs.
func (p Plate) LogValue() slog.Value { return slog.StringValue(p.String()) }

// Fold makes full-width characters half-width, letters upper-case and province
// characters simplified, and removes spaces, dashes and dots.
func Fold(s string) string {
	var stack [48]byte
	out := stack[:0]
	for _, r := range s {
		switch {
		case '0' <= r && r <= '9', 'A' <= r && r <= 'Z':
			out = append(out, byte(r))
			continue
		case 'a' <= r && r <= 'z':
			out = append(out, byte(r-'a'+'A'))
			continue
		case r >= utf8.RuneSelf:
			r = unicode.ToUpper(han.Half(han.Simple(r)))
		}
		switch {
		case r == '·', r == '•', r == '・', r == '‧', r == '∙', r == '●', r == '.', r == '-', r == ' ':
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), unicode.Is(unicode.Cf, r):
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	if string(out) == s {
		return s
	}
	return string(out)
}

// Parse takes a plate apart and reports what is unusual about it. An empty string
// gives the zero Plate and no warnings.
func Parse(s string) (Plate, Report) {
	text := Fold(s)
	if text == "" {
		return Plate{}, Report{}
	}
	if p, ok := embassy(text); ok {
		return p, Report{}
	}
	var p Plate
	var rep Report
	warn := func(c Code) { rep.Warnings = append(rep.Warnings, c) }

	rest := text
	if first, size := utf8.DecodeRuneInString(text); han.Is(first) {
		p.Province, rest = text[:size], text[size:]
		if !strings.ContainsRune(provinces, first) {
			warn(BadProvince)
		}
	} else if k := abroad(text); k != Unknown {
		letters := strings.IndexAny(text, "0123456789")
		return Plate{Kind: k, Authority: text[:letters], Serial: text[letters:]}, Report{}
	} else {
		warn(NoProvince)
	}
	if rest != "" && rest[0] < utf8.RuneSelf {
		p.Authority, rest = rest[:1], rest[1:]
	}
	if !letter(p.Authority) {
		warn(BadAuthority)
	}
	places := 5
	for _, suffix := range suffixes {
		if cut, ok := strings.CutSuffix(rest, suffix.text); ok {
			rest, p.Suffix, p.Kind = cut, suffix.text, suffix.kind
			places = 4
			break
		}
	}
	p.Serial = rest

	fixed := digitsForLetters(rest)
	if fixed != rest {
		warn(LetterIO)
	}
	for _, r := range rest {
		if !('0' <= r && r <= '9' || 'A' <= r && r <= 'Z') {
			warn(BadCharacter)
			break
		}
	}
	n := utf8.RuneCountInString(rest)
	switch {
	case p.Suffix != "":
		if n != places && !(n == 5 && (p.Kind == Temporary || p.Kind == Police)) {
			warn(WrongLength)
		}
		if p.Kind == CrossBorder && (p.Province != "粤" || p.Authority != "Z") {
			warn(UnknownForm)
		}
	case n == 6:
		p.Kind = newEnergy(fixed)
		if p.Kind == Unknown {
			warn(BadNewEnergy)
		}
	case n == 5:
		p.Kind = Ordinary
	default:
		p.Kind = Unknown
		warn(WrongLength)
	}
	if p.Province == "" && (p.Kind == Ordinary || p.Kind == NewEnergySmall || p.Kind == NewEnergyLarge) {
		p.Kind = Partial
	}
	if rep.Has(BadProvince) || rep.Has(BadAuthority) || rep.Has(BadCharacter) {
		p.Kind = Unknown
	} else if fixed != rest && !rep.Has(WrongLength) && !rep.Has(BadNewEnergy) {
		rep.Suggestion = p.Province + p.Authority + fixed + p.Suffix
	}
	return p, rep
}

// embassy reads 使 and six digits; plates before 2018 and after write it at
// different ends.
func embassy(text string) (Plate, bool) {
	digits, ok := strings.CutPrefix(text, "使")
	if !ok {
		digits, ok = strings.CutSuffix(text, "使")
	}
	if !ok || len(digits) != 6 || strings.Trim(digits, "0123456789") != "" {
		return Plate{}, false
	}
	return Plate{Kind: Embassy, Serial: digits, Suffix: "使"}, true
}

// abroad tells a plate of Hong Kong (two letters, one to four digits without a
// leading zero) or Macau (M and a letter, four digits) from everything else.
func abroad(text string) Kind {
	if len(text) < 3 || len(text) > 6 || text[0] < 'A' || text[0] > 'Z' || text[1] < 'A' || text[1] > 'Z' {
		return Unknown
	}
	digits := text[2:]
	if strings.Trim(digits, "0123456789") != "" {
		return Unknown
	}
	switch {
	case text[0] == 'M' && len(digits) == 4:
		return Macau
	case digits[0] != '0':
		return HongKong
	}
	return Unknown
}

// newEnergy tells the form of six places: a small car has the energy letter first,
// then a letter or digit, then four digits; a large one five digits, then the letter.
func newEnergy(six string) Kind {
	if len(six) != 6 {
		return Unknown
	}
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	switch {
	case strings.IndexByte(energy, six[0]) >= 0 && (digits(six[1:2]) || letter(six[1:2])) && digits(six[2:]):
		return NewEnergySmall
	case digits(six[:5]) && strings.IndexByte(energy, six[5]) >= 0:
		return NewEnergyLarge
	}
	return Unknown
}

// Electric tells whether a new-energy plate is that of a purely electric car.
func (p Plate) Electric() bool {
	var mark byte
	switch p.Kind {
	case NewEnergySmall:
		mark = p.Serial[0]
	case NewEnergyLarge:
		mark = p.Serial[len(p.Serial)-1]
	default:
		return false
	}
	return strings.IndexByte(energy[:5], mark) >= 0
}

// letter tells whether s is one letter that a mainland plate can have.
func letter(s string) bool {
	return len(s) == 1 && 'A' <= s[0] && s[0] <= 'Z' && s[0] != 'I' && s[0] != 'O'
}

func digitsForLetters(s string) string {
	if !strings.ContainsAny(s, "IO") {
		return s
	}
	return strings.NewReplacer("I", "1", "O", "0").Replace(s)
}

// Format writes a plate as people do, "沪A·8K362", and what is no plate folded. The dot of a small new-energy car stands
// behind its energy letter, "沪AD·12867", so that five places follow it as on any plate.
func Format(s string) string {
	p, _ := Parse(s)
	switch {
	case p.Kind == Embassy:
		return p.Suffix + p.Serial[:3] + "·" + p.Serial[3:]
	case p.Kind == HongKong || p.Kind == Macau:
		return p.Authority + " " + p.Serial
	case p.Kind != Unknown && p.Kind != "":
		head, serial := p.Province+p.Authority, p.Serial
		if p.Suffix == "" && newEnergy(digitsForLetters(serial)) == NewEnergySmall {
			head, serial = head+serial[:1], serial[1:]
		}
		return head + "·" + serial + p.Suffix
	}
	return Fold(s)
}

// Key returns the folded plate, I and O read as 1 and 0, where it names one plate:
// a mainland plate with its province, or one of Hong Kong, Macau or an embassy.
// Otherwise it is "", which a caller must treat as unknown, never as equal.
func Key(s string) string {
	p, rep := Parse(s)
	switch {
	case rep.Suggestion != "" && p.Province != "":
		return rep.Suggestion
	case p.Kind == Unknown && len(rep.Warnings) == 1 && rep.Has(BadNewEnergy):
		return p.Text() // all its places are there
	case p.Kind == Unknown, p.Kind == Partial, p.Province == "" && p.Suffix != "" && p.Kind != Embassy, rep.Has(WrongLength):
		return ""
	}
	return p.Text()
}

// SearchForms returns the words under which a plate is found by prefix: with its
// province, without it, and without the letter behind it. QueryForm brings what a
// person typed to the same form.
func SearchForms(s string) []string {
	full := QueryForm(s)
	if full == "" {
		return nil
	}
	out := []string{full}
	rest := full
	if first, size := utf8.DecodeRuneInString(rest); han.Is(first) && len(rest) > size {
		rest = rest[size:]
		out = append(out, rest)
	}
	if len(rest) > 3 && 'A' <= rest[0] && rest[0] <= 'Z' {
		out = append(out, rest[1:])
	}
	return out
}

// QueryForm is Fold with I and O read as 1 and 0.
func QueryForm(s string) string { return digitsForLetters(Fold(s)) }
