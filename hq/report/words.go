package report

import (
	"embed"
	"io/fs"
	"strconv"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

//go:embed words/*.toml
var wordFiles embed.FS

// Words is the catalogue of the reports' words in every language, for the pages:
// report.name.<report>, report.column.<key>, and the sentences of ReportResponse.
func Words() fs.FS {
	f, err := fs.Sub(wordFiles, "words")
	if err != nil {
		panic(err) // only an invalid path fails, and this one is fixed
	}
	return f
}

// Say gives a sentence of a report in a language; words hold Words.
func Say(words *look.Words, lang look.Lang, s *branchlinev1.ReportSentence) string {
	args := make([]any, len(s.GetArgs()))
	for i, a := range s.GetArgs() {
		args[i] = a
		if n, err := strconv.ParseInt(a, 10, 64); err == nil {
			args[i] = n // so that one line and two lines are told apart
		}
	}
	return words.Say(lang, s.GetKey(), args...)
}

func (r *Reports) title(key string) string { return r.words.Say(look.En, "report.column."+key) }
