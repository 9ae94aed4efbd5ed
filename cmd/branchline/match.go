package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"branchline/hq/match"
	"branchline/schema"
)

func matchCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "match", Usage: "who is one customer: in any CSV file, and at headquarters, where a person has the last word",
		Subcommands: []*cli.Command{matchRunCommand(e), matchScoreCommand(e), matchExplainCommand(e), matchQuestionsCommand(e), matchDecideCommand(e), matchWithdrawCommand(e), matchDecisionsCommand(e), matchEventsCommand(e), matchTrainCommand(e), matchModelsCommand(e)},
	}
}

// matchFlags say which records, and by which model.
func matchFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "map", Required: true, Usage: "map file with id and typed columns, or the name of one that comes with the program: match-dealer-zh, match-fake-1000, match-febrl, match-restaurant"},
		&cli.StringFlag{Name: "in", Required: true, Usage: "CSV file"},
		&cli.StringFlag{Name: "model", Usage: "model file: used where it exists, written where not; without it the model is learned from the file and not kept"},
		&cli.StringFlag{Name: "answers", Usage: "CSV of record_a,record_b,same|different: what a person decided"},
		jsonFlag(),
	}
}

// matched is what the flags name: the records and the model for them.
type matched struct {
	fields  []match.Field
	records []match.Record
	model   *match.Model
	answers []answer
}

// answer is one decision of a person.
type answer struct {
	a, b string
	same bool
}

func loadMatch(c *cli.Context) (*matched, error) {
	m, err := loadMap(c.String("map"))
	if err != nil {
		return nil, err
	}
	in := c.String("in")
	x := &matched{}
	if x.fields, x.records, err = match.ReadFile(os.DirFS(filepath.Dir(in)), filepath.Base(in), m); err != nil {
		return nil, err
	}
	if name := c.String("answers"); name != "" {
		if x.answers, err = readAnswers(name, x.records); err != nil {
			return nil, err
		}
	}
	name := c.String("model")
	b, err := os.ReadFile(name)
	switch {
	case name != "" && err == nil:
		if x.model, err = match.Load(b); err != nil {
			return nil, fmt.Errorf("%s: %w; give a file that --model wrote, or the name of a new one", name, err)
		}
		if !slices.Equal(x.model.Fields(), x.fields) {
			return nil, schema.Invalid("model", "%s was learned for other columns than the map's: give the name of a new file, and a model is learned", name)
		}
		return x, nil
	case name != "" && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read model: %w", err)
	}
	if x.model, err = match.Learn(c.Context, x.fields, x.records); err != nil {
		return nil, err
	}
	if name != "" {
		if err := os.WriteFile(name, x.model.Bytes(), 0o600); err != nil {
			return nil, fmt.Errorf("write model: %w", err)
		}
		fmt.Fprintf(c.App.ErrWriter, "%s was not there: a model was learned and written to it\n", name)
	}
	return x, nil
}

// engine puts all records and answers into an engine, in the order given.
func (x *matched) engine(order []int) (*match.Engine, error) {
	e := match.NewEngine(x.model)
	for _, i := range order {
		if err := e.Put(x.records[i]); err != nil {
			return nil, err
		}
	}
	for _, a := range x.answers {
		if a.same {
			e.Same(a.a, a.b)
		} else {
			e.Different(a.a, a.b)
		}
	}
	return e, nil
}

func straight(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// readPairs reads the first columns of a small CSV file with a header.
func readPairs(name string, columns int) ([][]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	r.TrimLeadingSpace = true
	var out [][]string
	for first := true; ; first = false {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.Join(schema.Invalid("", "%s: %s", name, err), f.Close())
		}
		if len(row) < columns {
			line, _ := r.FieldPos(0)
			return nil, errors.Join(schema.Invalid("", "%s line %d has %d cells; it needs %d", name, line, len(row), columns), f.Close())
		}
		if first {
			row[0] = strings.TrimPrefix(row[0], "\ufeff")
		}
		out = append(out, row)
	}
	return out, f.Close()
}

func readAnswers(name string, records []match.Record) ([]answer, error) {
	rows, err := readPairs(name, 3)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(records))
	for _, r := range records {
		known[r.ID] = true
	}
	var out []answer
	for i, row := range rows {
		a, b, word := strings.TrimSpace(row[0]), strings.TrimSpace(row[1]), strings.ToLower(strings.TrimSpace(row[2]))
		switch {
		case i == 0 && a == "record_a":
			continue
		case word == "":
			continue // not answered
		case word != "same" && word != "different":
			return nil, schema.Invalid("answers", "%s row %d: %q is neither same nor different; leave it empty where you cannot tell", name, i+1, row[2])
		}
		for _, id := range []string{a, b} {
			if !known[id] {
				return nil, schema.Invalid("answers", "%s row %d: no record has the id %q; ids are those of the file that --out writes", name, i+1, id)
			}
		}
		out = append(out, answer{a, b, word == "same"})
	}
	return out, nil
}
