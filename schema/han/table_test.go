package han_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"branchline/schema/sample"
)

var update = flag.Bool("update", false, "write simple.txt and reading.txt anew from the reference data")

// TestTables_Current makes the two embedded tables from the files named in the
// NOTICE files and compares. Run with -update to write them.
func TestTables_Current(t *testing.T) {
	for _, table := range []struct {
		file string
		make func(io.Reader) (string, error)
		from []string
	}{
		{"simple.txt", makeSimple, []string{"data", "linkage", "opencc", "TSCharacters.txt"}},
		{"reading.txt", makeReading, []string{"data", "linkage", "pinyin", "kMandarin_8105.txt"}},
	} {
		from, err := os.Open(sample.Path(t, table.from...))
		if err != nil {
			t.Fatal(err)
		}
		want, err := table.make(from)
		if err := errors.Join(err, from.Close()); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(table.file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(table.file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not what its source gives: go test ./schema/han -run TestTables -update", table.file)
		}
		if len(got) > 40_000 {
			t.Errorf("%s has %d bytes; an embedded table should stay under 40 KB", table.file, len(got))
		}
	}
}

// makeSimple takes the first candidate of each traditional character, follows
// chains to their end and leaves out what maps to itself.
func makeSimple(r io.Reader) (string, error) {
	next := map[rune]rune{}
	var keys []rune
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		line := sc.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, values, ok := strings.Cut(line, "\t")
		value, _, _ := strings.Cut(values, " ")
		k, v := []rune(key), []rune(value)
		if !ok || len(k) != 1 || len(v) != 1 {
			return "", fmt.Errorf("unreadable line %q", line)
		}
		if k[0] != v[0] {
			next[k[0]] = v[0]
			keys = append(keys, k[0])
		}
	}
	slices.Sort(keys)
	var b strings.Builder
	for _, k := range keys {
		v := next[k]
		for range 4 {
			if w, ok := next[v]; ok {
				v = w
			}
		}
		if v == k || norm.NFKC.String(string(v)) != string(v) {
			return "", fmt.Errorf("%c leads to %c, which cannot be a folded form", k, v)
		}
		b.WriteRune(k)
		b.WriteRune(v)
	}
	return b.String(), sc.Err()
}

// makeReading groups the characters by their toneless reading; ü is written v, as
// it is typed.
func makeReading(r io.Reader) (string, error) {
	bySound := map[string][]rune{}
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		line := sc.Text()
		if !strings.HasPrefix(line, "U+") {
			continue
		}
		code, rest, ok := strings.Cut(line[2:], ":")
		n, err := strconv.ParseUint(code, 16, 32)
		fields := strings.Fields(rest)
		if !ok || err != nil || len(fields) == 0 {
			return "", fmt.Errorf("unreadable line %q", line)
		}
		sound := toneless(fields[0])
		if strings.Trim(sound, "abcdefghijklmnopqrstuvwxyz") != "" {
			return "", fmt.Errorf("reading %q of U+%s has other than letters", sound, code)
		}
		bySound[sound] = append(bySound[sound], rune(n))
	}
	var sounds []string
	for s := range bySound {
		sounds = append(sounds, s)
	}
	slices.Sort(sounds)
	var b strings.Builder
	for _, s := range sounds {
		slices.Sort(bySound[s])
		fmt.Fprintf(&b, "%s %s\n", s, string(bySound[s]))
	}
	return b.String(), sc.Err()
}

// toneless takes the tone marks off a syllable and writes ü as v.
func toneless(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		switch {
		case r == 0x308: // the dots of ü
			t := strings.TrimSuffix(b.String(), "u")
			b.Reset()
			b.WriteString(t + "v")
		case r < 0x300 || r > 0x36F:
			b.WriteRune(r)
		}
	}
	return b.String()
}
