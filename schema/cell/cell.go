// Package cell writes text into the cells of CSV files that people open in a spreadsheet.
//
// Rule: a spreadsheet must not take what somebody typed for a formula (CSV injection, OWASP). It promises that, and that
// numbers stay numbers. Quotes and commas are encoding/csv's own business.
package cell

import "strconv"

// Mark is what an Excel file of UTF-8 text begins with: without it Excel reads Chinese in the code page of its desk.
const Mark = "\ufeff"

// Safe is the text of a cell: a leading = + - @, tab or line end, in half or full width, gets a quote before it, unless
// the whole is a number.
func Safe(s string) string {
	if s == "" {
		return s
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s
	}
	switch []rune(s)[0] {
	case '=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠':
		return "'" + s
	}
	return s
}
