package code

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"branchline/schema"
)

// TestCode128_known holds the reader below against bars that another program drew, and our bars against a sum done by
// hand: start B, the nine values, 88 as their check.
func TestCode128_known(t *testing.T) {
	digits := func(s string) []int {
		var out []int
		for _, c := range s {
			out = append(out, int(c-'0'))
		}
		return out
	}
	drawn := digits("211214213113231113123122123221121124122132223211223112123221123221223211123221" +
		"1221321231221231222212312232111221321123311422112331112")
	if got := read128(t, drawn); got != "SH01a-261121-0042-K" {
		t.Errorf("what another program drew reads as %q", got)
	}
	b, err := Code128("Wikipedia")
	if err != nil {
		t.Fatal(err)
	}
	want := digits("2112143113211421122412111421121112421122141412211421121211244212112331112")
	if got := widths(t, b.Path(40), b.Width()); !slices.Equal(got, want) {
		t.Errorf("bars and gaps are %v, want %v", got, want)
	}
	if b.Width() != 11*11+13+20 {
		t.Errorf("the drawing is %d modules wide", b.Width())
	}
}

func TestCode128_reads(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`[ -~]{1,40}`).Draw(rt, "text")
		b, err := Code128(text)
		if err != nil {
			rt.Fatal(err)
		}
		if got := read128(rt, widths(rt, b.Path(30), b.Width())); got != text {
			rt.Fatalf("%q reads as %q", text, got)
		}
	})
}

func TestQR_reads(t *testing.T) {
	texts := []string{
		"1", "8K362", "SH01A-261121-0042-K", "https://example.cn/a?b=1",
		"沪A·8K362 已修好，请来取车。", strings.Repeat("您好 ", 15),
	}
	for _, text := range texts {
		q, err := QR(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := readQR(t, q); got != text {
			t.Errorf("%q reads as %q", text, got)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringN(1, 30, 100).Draw(rt, "text")
		q, err := QR(text)
		if err != nil {
			rt.Fatal(err)
		}
		if got := readQR(rt, q); got != text {
			rt.Fatalf("%q reads as %q", text, got)
		}
	})
}

func TestLimits(t *testing.T) {
	for _, text := range []string{"", strings.Repeat("A", MaxBars+1), "沪A8K362", "A\tB", "A\u00f1B", "A\x7f"} {
		if _, err := Code128(text); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("Code128(%q): %v, want ErrInvalid", text, err)
		}
	}
	for _, text := range []string{"", strings.Repeat("a", MaxDots+1), "\xff"} {
		if _, err := QR(text); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("QR(%q): %v, want ErrInvalid", text, err)
		}
	}
	if _, err := Code128(strings.Repeat("a", MaxBars)); err != nil {
		t.Error(err)
	}
	q, err := QR(strings.Repeat("车", MaxDots/3))
	if err != nil {
		t.Fatal(err)
	}
	if d := q.Path(); len(d) > 40_000 {
		t.Errorf("the longest QR is %d bytes of path", len(d))
	}
	if (Bars{}).Width() != 0 || (Bars{}).Path(40) != "" || (Dots{}).Size() != 0 || (Dots{}).Path() != "" {
		t.Error("the zero value draws something")
	}
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

func number(t fataler, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%q is no number", s)
	}
	return n
}

// widths reads bars and gaps, by turns, off the drawing between its quiet zones.
func widths(t fataler, d string, width int) []int {
	t.Helper()
	bars := regexp.MustCompile(`M(\d+) 0v(\d+)h(\d+)V0Z`).FindAllStringSubmatch(d, -1)
	if len(bars) == 0 {
		t.Fatalf("no bars in %q", d)
	}
	var out []int
	at := 0
	for i, b := range bars {
		x, w := number(t, b[1]), number(t, b[3])
		if i == 0 {
			if x < 10 {
				t.Fatalf("the quiet zone is %d modules", x)
			}
		} else {
			out = append(out, x-at)
		}
		out, at = append(out, w), x+w
	}
	if width-at < 10 {
		t.Fatalf("the quiet zone after is %d modules", width-at)
	}
	return out
}

// symbols are the bars and gaps of the code's 103 values and its three starts, as the standard lists them.
const symbols = "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 " +
	"113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 " +
	"212321 232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 " +
	"133121 313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 " +
	"111224 111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 " +
	"134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 " +
	"114113 114311 411113 411311 113141 114131 311141 411131 211412 211214 211232"

func read128(t fataler, ws []int) string {
	t.Helper()
	const stop = "2331112"
	var s strings.Builder
	for _, w := range ws {
		s.WriteString(strconv.Itoa(w))
	}
	body, found := strings.CutSuffix(s.String(), stop)
	if !found || len(body)%6 != 0 || len(body) < 18 {
		t.Fatalf("no stop or no whole symbols in %s", s.String())
	}
	table := strings.Fields(symbols)
	var codes []int
	for i := 0; i < len(body); i += 6 {
		v := slices.Index(table, body[i:i+6])
		if v < 0 {
			t.Fatalf("%s is no symbol", body[i:i+6])
		}
		codes = append(codes, v)
	}
	sum := codes[0]
	for i, v := range codes[1 : len(codes)-1] {
		sum += (i + 1) * v
	}
	if sum%103 != codes[len(codes)-1] {
		t.Fatalf("the check symbol is %d, want %d", codes[len(codes)-1], sum%103)
	}
	const setA, setB, setC = 103, 104, 105
	set := codes[0]
	var out strings.Builder
	for _, v := range codes[1 : len(codes)-1] {
		switch {
		case set == setC && v < 100:
			fmt.Fprintf(&out, "%02d", v)
		case v == 99:
			set = setC
		case v == 100:
			set = setB
		case v == 101:
			set = setA
		case set == setB && v < 96:
			out.WriteByte(byte(v + ' '))
		case set == setA && v < 64:
			out.WriteByte(byte(v + ' '))
		default:
			t.Fatalf("value %d in set %d", v, set)
		}
	}
	return out.String()
}

// blocksM are, for versions 1 to 6 at level M, the blocks and the data and check words of each.
var blocksM = [...]struct{ n, data, check int }{{1, 16, 10}, {1, 28, 16}, {1, 44, 26}, {2, 32, 18}, {2, 43, 24}, {4, 27, 16}}

// readQR reads a QR of version 1 to 6 off its drawing, checking format and check words.
func readQR(t fataler, q Dots) string {
	t.Helper()
	size := q.Size() - 8
	version := (size - 17) / 4
	if version < 1 || version > len(blocksM) || size != 17+4*version {
		t.Fatalf("%d modules", size)
	}
	grid := make([][]bool, q.Size())
	for y := range grid {
		grid[y] = make([]bool, q.Size())
	}
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(q.Path(), -1) {
		for i := range number(t, m[3]) {
			grid[number(t, m[2])][number(t, m[1])+i] = true
		}
	}
	at := func(x, y int) bool { return grid[y+4][x+4] }
	for i := range grid {
		for k := range 4 {
			end := q.Size() - 1 - k
			if grid[i][k] || grid[k][i] || grid[i][end] || grid[end][i] {
				t.Fatalf("a dot in the quiet zone")
			}
		}
	}

	format := 0
	for _, p := range [][2]int{
		{0, 8}, {1, 8}, {2, 8}, {3, 8}, {4, 8}, {5, 8}, {7, 8}, {8, 8}, {8, 7}, {8, 5}, {8, 4}, {8, 3}, {8, 2}, {8, 1}, {8, 0},
	} {
		format <<= 1
		if at(p[0], p[1]) {
			format |= 1
		}
	}
	format ^= 0b101010000010010
	rest := format
	for i := 14; i >= 10; i-- {
		if rest>>i&1 == 1 {
			rest ^= 0b10100110111 << (i - 10)
		}
	}
	if rest != 0 || format>>13 != 0 {
		t.Fatalf("the format %015b is damaged or not of level M", format)
	}

	words := readWords(size, version, format>>10&7, at)
	b := blocksM[version-1]
	var data []byte
	for k := range b.n {
		var block []byte
		for i := range b.data + b.check {
			block = append(block, words[i*b.n+k])
		}
		for i := range b.check {
			if v := horner(block, i); v != 0 {
				t.Fatalf("block %d fails check %d: %d", k, i, v)
			}
		}
		data = append(data, block[:b.data]...)
	}
	return readBits(t, data)
}

// readWords takes the words off the dots, two columns at a time from the right, up and down by turns.
func readWords(size, version, mask int, at func(x, y int) bool) []byte {
	fixed := func(x, y int) bool {
		centre := 4*version + 10
		return x == 6 || y == 6 || x < 9 && y < 9 || x < 9 && y >= size-8 || x >= size-8 && y < 9 ||
			version > 1 && x >= centre-2 && x <= centre+2 && y >= centre-2 && y <= centre+2
	}
	masked := [...]func(x, y int) bool{
		func(x, y int) bool { return (x+y)%2 == 0 },
		func(_, y int) bool { return y%2 == 0 },
		func(x, _ int) bool { return x%3 == 0 },
		func(x, y int) bool { return (x+y)%3 == 0 },
		func(x, y int) bool { return (x/3+y/2)%2 == 0 },
		func(x, y int) bool { return x*y%2+x*y%3 == 0 },
		func(x, y int) bool { return (x*y%2+x*y%3)%2 == 0 },
		func(x, y int) bool { return ((x+y)%2+x*y%3)%2 == 0 },
	}[mask]
	var words []byte
	bits, n := byte(0), 0
	up := true
	for right := size - 1; right > 0; right -= 2 {
		if right == 6 {
			right--
		}
		for i := range size {
			y := i
			if up {
				y = size - 1 - i
			}
			for _, x := range []int{right, right - 1} {
				if fixed(x, y) {
					continue
				}
				bits <<= 1
				if at(x, y) != masked(x, y) {
					bits |= 1
				}
				if n++; n%8 == 0 {
					words, bits = append(words, bits), 0
				}
			}
		}
		up = !up
	}
	return words
}

// horner is the block as a polynomial at the i-th power of 2 in the code's field; 0 of a whole block.
func horner(block []byte, i int) byte {
	times := func(a, b byte) byte {
		p, x := 0, int(a)
		for ; b > 0; b >>= 1 {
			if b&1 == 1 {
				p ^= x
			}
			if x <<= 1; x > 255 {
				x ^= 0x11d
			}
		}
		return byte(p)
	}
	root := byte(1)
	for range i {
		root = times(root, 2)
	}
	v := byte(0)
	for _, w := range block {
		v = times(v, root) ^ w
	}
	return v
}

func readBits(t fataler, data []byte) string {
	t.Helper()
	pos := 0
	take := func(n int) int {
		v := 0
		for range n {
			v = v<<1 | int(data[pos/8]>>(7-pos%8)&1)
			pos++
		}
		return v
	}
	const alnum = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
	var out strings.Builder
	switch mode := take(4); mode {
	case 1:
		for n := take(10); n > 0; n -= 3 {
			digits := min(n, 3)
			fmt.Fprintf(&out, "%0*d", digits, take(3*digits+1))
		}
	case 2:
		for n := take(9); n > 0; n -= 2 {
			if n == 1 {
				out.WriteByte(alnum[take(6)])
				break
			}
			v := take(11)
			out.WriteByte(alnum[v/45])
			out.WriteByte(alnum[v%45])
		}
	case 4:
		for range take(8) {
			out.WriteByte(byte(take(8)))
		}
	default:
		t.Fatalf("mode %d", mode)
	}
	return out.String()
}
